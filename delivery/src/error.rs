//! What can go wrong with a delivery, and what the client is told of it.

use std::io;
use std::path::PathBuf;

use dmail_mailbox::{AccountError, ErrorKind, MailboxError};
use dmail_smtp::{DeliveryError, DeliveryErrorKind};

/// Why a message was not delivered, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    // --- The account is at fault, and somebody must mend it.
    /// It does not lead to a drop file.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Its drop file is not where mail may be.
    #[error("the drop file {} lies below no mail root", .0.display())]
    OutsideRoots(PathBuf),
    /// Its drop file only seems to be where mail may be.
    #[error("the drop file {} leads to {}, outside of its mail root", path.display(), to.display())]
    LeadsOutside {
        /// The drop file.
        path: PathBuf,
        /// The directory that it is in.
        to: PathBuf,
    },

    // --- The message is at fault.
    /// It has been through too many servers.
    #[error("the message has been through {0} servers")]
    Loop(u32),

    // --- The system is at fault.
    /// The mailbox.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// The path could not be followed.
    #[error("cannot resolve {}: {source}", path.display())]
    Resolve {
        /// A mail root or a directory below one.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The message could not be read back from its file.
    #[error("cannot read the message back: {0}")]
    ReadBack(io::Error),
    /// Too many others were waiting.
    #[error("the delivery did not get its turn in time")]
    NoTurn,
    /// The delivery panicked: our bug.
    #[error("the delivery failed")]
    Panicked,
}

impl Trouble {
    fn kind(&self) -> DeliveryErrorKind {
        match self {
            Self::OutsideRoots(_) | Self::LeadsOutside { .. } => DeliveryErrorKind::Refused,
            Self::Loop(_) => DeliveryErrorKind::Loop,
            Self::Mailbox(error) => mailbox_kind(error),
            // The directory service may be away, or dmail.conf half written:
            // no reason to send mail back.
            Self::Account(_)
            | Self::NoTurn
            | Self::Panicked
            | Self::ReadBack(_)
            | Self::Resolve { .. } => DeliveryErrorKind::Temporary,
        }
    }
}

fn mailbox_kind(error: &MailboxError) -> DeliveryErrorKind {
    match (error.kind(), error) {
        (ErrorKind::Full, MailboxError::Full { source, .. })
            if source.kind() == io::ErrorKind::QuotaExceeded =>
        {
            DeliveryErrorKind::MailboxFull
        }
        (ErrorKind::Full, _) => DeliveryErrorKind::Full,
        (ErrorKind::Refused, _) => DeliveryErrorKind::Refused,
        (ErrorKind::InUse | ErrorKind::Temporary, _) => DeliveryErrorKind::Temporary,
    }
}

impl From<Trouble> for DeliveryError {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.kind(), trouble.to_string())
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_full_disk_and_a_full_mailbox_are_told_apart() {
        let full = |errno: Errno| {
            let source = io::Error::from_raw_os_error(errno as i32);
            Trouble::Mailbox(MailboxError::Full { what: "write to", path: "/m/bob".into(), source })
        };
        assert_eq!(full(Errno::ENOSPC).kind(), DeliveryErrorKind::Full);
        assert_eq!(full(Errno::EFBIG).kind(), DeliveryErrorKind::Full);
        assert_eq!(full(Errno::EDQUOT).kind(), DeliveryErrorKind::MailboxFull);
    }

    #[test]
    fn what_may_pass_by_itself_sends_no_mail_back() {
        assert_eq!(Trouble::NoTurn.kind(), DeliveryErrorKind::Temporary);
        let owner = AccountError::UnknownOwner("x".into());
        assert_eq!(Trouble::Account(owner).kind(), DeliveryErrorKind::Temporary);
        assert_eq!(Trouble::OutsideRoots("/etc".into()).kind(), DeliveryErrorKind::Refused);
        assert_eq!(Trouble::Loop(101).kind(), DeliveryErrorKind::Loop);
    }
}
