//! What can go wrong in a session, who is at fault, and the one place that
//! says so on the wire.

use dmail_core::Rejection;
use dmail_core::framing::LineFault;
use dmail_core::sasl::Malformed;
use dmail_mailbox::{AccountError, MailboxError};

use crate::reply::{Code, Reply};

/// Why a command is refused. The text of each is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // --- The client's mistakes.
    /// The client gave up AUTH PLAIN with `*`.
    #[error("authentication cancelled")]
    Cancelled,
    /// A line that must not be acted on.
    #[error("{0}")]
    Line(#[from] LineFault),
    /// A command of the AUTHORIZATION state after the login.
    #[error("you are logged in already")]
    LoggedIn,
    /// APOP, or a SASL mechanism that is not there.
    #[error("this way to log in is not offered")]
    Mechanism,
    /// A password may not travel over this connection.
    #[error("a login needs an encrypted connection")]
    NeedsTls,
    /// PASS without a USER before it.
    #[error("send USER first")]
    NeedsUser,
    /// A command of the TRANSACTION state before the login.
    #[error("log in first")]
    NotLoggedIn,
    /// A SASL response that cannot be read.
    #[error("{0}")]
    Sasl(#[from] Malformed),
    /// Arguments that the command does not have; says which it has.
    #[error("expected: {0}")]
    Syntax(&'static str),
    /// No such command.
    #[error("unknown command")]
    Unknown,

    // --- The client's bad luck.
    /// The message was marked as deleted in this session.
    #[error("the message is deleted")]
    Deleted,
    /// No message has this number.
    #[error("no such message")]
    NoSuchMessage,
    /// The login is refused; one text for every reason.
    #[error("wrong user name or password")]
    WrongLogin,

    // --- Not the client's fault.
    /// Another session has the mailbox open.
    #[error("the mailbox is in use by another session")]
    InUse,
    /// The mailbox cannot be read, and somebody must repair that first.
    #[error("the mailbox cannot be used, please tell the postmaster")]
    MailboxBroken,
    /// The mailbox cannot be read now.
    #[error("the mailbox cannot be used now, please try again later")]
    MailboxBusy,
    /// The deletions could not be made at QUIT, so none was made.
    #[error("some deleted messages not removed")]
    NotRemoved,
    /// The server is asked to stop.
    #[error("server is going down")]
    Stopping,
    /// Nobody could decide about the login.
    #[error("a login is not possible now, please try again later")]
    Unavailable,
}

impl Error {
    /// Whether the client should have known better: such errors are counted,
    /// and a connection that makes too many is closed.
    #[must_use]
    pub fn is_mistake(self) -> bool {
        match self {
            Self::Cancelled
            | Self::Line(_)
            | Self::LoggedIn
            | Self::Mechanism
            | Self::NeedsTls
            | Self::NeedsUser
            | Self::NotLoggedIn
            | Self::Sasl(_)
            | Self::Syntax(_)
            | Self::Unknown => true,
            Self::Deleted
            | Self::NoSuchMessage
            | Self::WrongLogin
            | Self::InUse
            | Self::MailboxBroken
            | Self::MailboxBusy
            | Self::NotRemoved
            | Self::Stopping
            | Self::Unavailable => false,
        }
    }

    /// The response code, for those errors that have one: RFC 2449 section 8
    /// and RFC 3206 section 4.
    fn code(self) -> Option<Code> {
        match self {
            Self::WrongLogin => Some(Code::Auth),
            Self::InUse => Some(Code::InUse),
            Self::MailboxBroken => Some(Code::SysPerm),
            Self::MailboxBusy | Self::NotRemoved | Self::Stopping | Self::Unavailable => {
                Some(Code::SysTemp)
            }
            _ => None,
        }
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        Self::err(error.code(), error.to_string())
    }
}

/// A login that is refused reads like a wrong password, unless the gateway has
/// something to tell to whoever has shown the right one. Both are about the
/// login (RFC 3206 section 4: also "an expired account" or "policy").
impl From<&Rejection> for Reply {
    fn from(rejection: &Rejection) -> Self {
        match &rejection.told {
            Some(told) => Self::err(Some(Code::Auth), told.to_string()),
            None => Error::WrongLogin.into(),
        }
    }
}

/// Why a mailbox could not be opened, read or changed, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailboxTrouble {
    /// The account, which does not lead to a mailbox.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The mailbox itself.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// Too much other work was waiting.
    #[error("the work on the mailbox did not get its turn in time")]
    NoTurn,
    /// The work panicked: our bug.
    #[error("the work on the mailbox failed")]
    Panicked,
}

impl From<&MailboxTrouble> for Error {
    fn from(trouble: &MailboxTrouble) -> Self {
        match trouble {
            MailboxTrouble::Mailbox(MailboxError::InUse { .. }) => Self::InUse,
            MailboxTrouble::Mailbox(error) if error.is_temporary() => Self::MailboxBusy,
            MailboxTrouble::NoTurn | MailboxTrouble::Account(AccountError::OwnerLookup(_)) => {
                Self::MailboxBusy
            }
            MailboxTrouble::Account(AccountError::NoDropFile | AccountError::UnknownOwner(_))
            | MailboxTrouble::Mailbox(_)
            | MailboxTrouble::Panicked => Self::MailboxBroken,
        }
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::RejectionKind;

    use super::*;

    #[test]
    fn a_refusal_tells_only_what_it_is_given_to_tell() {
        let rejection = Rejection::new(RejectionKind::Disabled, "for the log");
        let told = rejection.clone().telling("this account is closed");
        for (rejection, expected) in [
            (rejection, "-ERR [AUTH] wrong user name or password\r\n"),
            (told, "-ERR [AUTH] this account is closed\r\n"),
        ] {
            let mut out = Vec::new();
            Reply::from(&rejection).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn an_error_says_on_the_wire_whose_fault_it_is() {
        let rows = [
            (Error::Unknown, "-ERR unknown command\r\n"),
            (Error::WrongLogin, "-ERR [AUTH] wrong user name or password\r\n"),
            (Error::InUse, "-ERR [IN-USE] the mailbox is in use by another session\r\n"),
            (
                Error::Unavailable,
                "-ERR [SYS/TEMP] a login is not possible now, please try again later\r\n",
            ),
            (
                Error::MailboxBroken,
                "-ERR [SYS/PERM] the mailbox cannot be used, please tell the postmaster\r\n",
            ),
            (Error::NotRemoved, "-ERR [SYS/TEMP] some deleted messages not removed\r\n"),
        ];
        for (error, expected) in rows {
            let mut out = Vec::new();
            Reply::from(error).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
