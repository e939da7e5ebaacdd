//! The border to whoever stores the mail: what an accepted message is, and
//! the one trait.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use dmail_core::{Account, Username};

use crate::address::Address;
use crate::command::Hello;
use crate::message::Message;

/// Takes responsibility for mail.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Delivers `message` to all recipients of `envelope`, or to none.
    ///
    /// When it returns a [`Receipt`], the message is on disk: the client is
    /// told that it may forget it.
    ///
    /// # Errors
    ///
    /// Then nobody got it, and the client keeps it or gives it up as the kind
    /// of the error says.
    async fn deliver(&self, envelope: Envelope, message: Message)
    -> Result<Receipt, DeliveryError>;
}

/// Everything about a message that is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The name of this message in the log and in its trace.
    pub id: MessageId,
    /// Who sends it; `None` is the null sender.
    pub sender: Option<Address>,
    /// Who gets it: at least one.
    pub recipients: Vec<Recipient>,
    /// Where the client connected from.
    pub client: IpAddr,
    /// How the client introduced itself.
    pub hello: Hello,
    /// Who the client logged in as, if it did.
    pub user: Option<Username>,
    /// When the end of data was seen.
    pub received_at: SystemTime,
}

/// Somebody who gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address that the client gave.
    pub address: Address,
    /// Whose it is.
    pub account: Arc<Account>,
}

/// The proof that a message is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message.
    pub id: MessageId,
}

/// The name of a message: printable ASCII without blanks, never given twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(Box<str>);

impl MessageId {
    /// The id of the `count`th message of the process `pid`, which came at `at`.
    #[must_use]
    pub fn new(at: SystemTime, pid: u32, count: u64) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(format!("{:x}.{pid:x}.{count:x}", since.as_micros()).into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why nobody got a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct DeliveryError {
    /// What the client is told.
    pub kind: DeliveryErrorKind,
    /// One line for the log.
    pub detail: String,
}

impl DeliveryError {
    /// An error of this kind with one line for the log.
    pub fn new(kind: DeliveryErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

/// What a client does about a message that nobody got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DeliveryErrorKind {
    /// Our disk is full: tries again.
    #[error("disk-full")]
    Full,
    /// The message has been through too many servers: gives it up.
    #[error("loop")]
    Loop,
    /// The mailbox may not grow: tries again.
    #[error("mailbox-full")]
    MailboxFull,
    /// A mailbox that cannot be used until somebody repairs it: gives it up.
    #[error("refused")]
    Refused,
    /// Anything that passes by itself: tries again.
    #[error("temporary")]
    Temporary,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_is_unique_over_time_processes_and_messages() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(0x10);
        assert_eq!(MessageId::new(at, 0xab, 1).to_string(), "10.ab.1");
    }
}
