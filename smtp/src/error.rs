//! What can go wrong in a session, who is at fault, and the one place that
//! says so on the wire.

use dmail_core::framing::LineFault;
use dmail_core::sasl::Malformed;
use dmail_core::{Rejection, RejectionKind};

use crate::address::AddressError;
use crate::content::ContentFault;
use crate::delivery::DeliveryErrorKind;
use crate::reply::{Code, Reply, Status};

/// Why a command is refused. The text of each is what the client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // --- The client's mistakes.
    /// A second AUTH after one that succeeded.
    #[error("you are logged in already")]
    AuthTwice,
    /// AUTH in the middle of a mail transaction.
    #[error("AUTH is not permitted during a mail transaction")]
    AuthInTransaction,
    /// A line of an AUTH exchange that is too long.
    #[error("authentication exchange line is too long")]
    AuthLine,
    /// An address in MAIL that is not one.
    #[error("{0}")]
    BadSender(AddressError),
    /// An address in RCPT that is not one.
    #[error("{0}")]
    BadRecipient(AddressError),
    /// The client gave up AUTH with `*`.
    #[error("authentication cancelled")]
    Cancelled,
    /// BDAT: what follows is content, which must not be taken for commands.
    #[error("BDAT is not offered; closing connection")]
    Chunk,
    /// A command of HTTP: a browser was led here.
    #[error("this is not a web server; closing connection")]
    Http,
    /// A line that must not be acted on.
    #[error("{0}")]
    Line(#[from] LineFault),
    /// A SASL mechanism that is not there.
    #[error("authentication mechanism not offered")]
    Mechanism,
    /// A password may not travel over this connection.
    #[error("encryption required for authentication")]
    NeedsEncryption,
    /// A command that must follow EHLO or HELO (AUTH: EHLO).
    #[error("send {0} first")]
    NeedsHello(&'static str),
    /// RCPT or DATA without MAIL.
    #[error("send MAIL first")]
    NeedsMail,
    /// DATA without a recipient that was accepted.
    #[error("no valid recipients")]
    NeedsRecipient,
    /// MAIL within a transaction.
    #[error("nested MAIL command")]
    NestedMail,
    /// A command that exists, but not here.
    #[error("command not implemented")]
    NotImplemented,
    /// A parameter of MAIL or RCPT that belongs to no extension of ours.
    #[error("parameter not recognized")]
    Parameter,
    /// A SASL response that cannot be read.
    #[error("{0}")]
    Sasl(#[from] Malformed),
    /// Arguments that the command does not have; says which it has.
    #[error("expected: {0}")]
    Syntax(&'static str),
    /// No such command.
    #[error("command unrecognized")]
    Unknown,

    // --- The client's bad luck.
    /// The content cannot be taken.
    #[error("{0}")]
    Content(ContentFault),
    /// The state of the recipient's account is that its mailbox is given up.
    #[error("the mailbox is out of use")]
    MailboxDisabled,
    /// A recipient elsewhere, of a client that may send there some day.
    #[error("sending to other domains comes with the outgoing queue, which this version lacks")]
    NoOutgoing,
    /// A recipient elsewhere.
    #[error("relaying denied")]
    RelayDenied,
    /// SIZE says that the message will be too large.
    #[error("message exceeds the maximum size")]
    TooLarge,
    /// Another recipient than the last that one message may have.
    #[error("too many recipients")]
    TooManyRecipients,
    /// There is no such mailbox, or none that the client may know of.
    #[error("no such user")]
    UnknownUser,
    /// The login is refused; one text for every reason.
    #[error("authentication credentials invalid")]
    WrongLogin,

    // --- Not the client's fault.
    /// The message was not delivered.
    #[error("{}", delivery_text(*.0))]
    Delivery(DeliveryErrorKind),
    /// Nobody could say who the recipient is, or what to do with the mail.
    #[error("cannot look up the recipient now, please try again later")]
    LookupUnavailable,
    /// The state of the recipient's account is that mail has to wait.
    #[error("the mailbox takes no mail now, please try again later")]
    MailboxOnHold,
    /// Nobody could decide about the login.
    #[error("temporary authentication failure, please try again later")]
    LoginUnavailable,

    // --- The end of the connection.
    /// The server is asked to stop.
    #[error("service not available, closing transmission channel")]
    Stopping,
    /// The client was silent for too long.
    #[error("timeout, closing transmission channel")]
    Timeout,
    /// More of something than one connection may have.
    #[error("too many {0}, closing transmission channel")]
    TooMany(&'static str),
}

impl Error {
    /// Whether the error counts: a connection that makes too many is closed.
    ///
    /// What the client cannot help does not count, and neither do recipients
    /// beyond the limit, of which a long mailing list has many.
    #[must_use]
    pub fn counts(self) -> bool {
        !matches!(
            self,
            Self::Delivery(_)
                | Self::LookupUnavailable
                | Self::LoginUnavailable
                | Self::MailboxOnHold
                | Self::NoOutgoing
                | Self::TooManyRecipients
        )
    }

    /// Whether the connection ends with this error.
    ///
    /// A bare CR or LF in a command ends it too: the client carries bytes that
    /// somebody else chose, so what follows may be theirs as well.
    #[must_use]
    pub fn closes(self) -> bool {
        self.code() == Code::NotAvailable || self == Self::Line(LineFault::BareEnding)
    }

    fn code(self) -> Code {
        match self {
            Self::AuthLine | Self::Line(_) | Self::Unknown => Code::BadCommand,
            Self::Cancelled | Self::Sasl(_) | Self::Syntax(_) => Code::BadArguments,
            Self::NotImplemented => Code::NotImplemented,
            Self::AuthTwice
            | Self::AuthInTransaction
            | Self::NeedsHello(_)
            | Self::NeedsMail
            | Self::NeedsRecipient
            | Self::NestedMail => Code::BadSequence,
            Self::Mechanism => Code::ArgumentNotImplemented,
            Self::WrongLogin => Code::LoginFailed,
            Self::NeedsEncryption => Code::EncryptionNeeded,
            Self::BadSender(AddressError::SourceRoute)
            | Self::BadRecipient(AddressError::SourceRoute)
            | Self::MailboxDisabled
            | Self::NoOutgoing
            | Self::RelayDenied
            | Self::UnknownUser => Code::Refused,
            Self::MailboxOnHold => Code::MailboxUnavailable,
            Self::BadSender(_) | Self::BadRecipient(_) => Code::BadMailboxName,
            Self::Parameter => Code::UnknownParameter,
            Self::TooLarge => Code::TooLarge,
            Self::Content(fault) => content_reply(fault).0,
            Self::Delivery(kind) => delivery_reply(kind).0,
            Self::TooManyRecipients => Code::NoRoom,
            Self::LookupUnavailable => Code::LocalError,
            Self::LoginUnavailable => Code::LoginNotPossible,
            Self::Chunk | Self::Http | Self::Stopping | Self::Timeout | Self::TooMany(_) => {
                Code::NotAvailable
            }
        }
    }

    fn status(self) -> Status {
        match self {
            Self::AuthTwice
            | Self::AuthInTransaction
            | Self::Chunk
            | Self::NeedsHello(_)
            | Self::NeedsMail
            | Self::NeedsRecipient
            | Self::NestedMail
            | Self::NotImplemented
            | Self::Unknown => Status::BAD_COMMAND,
            Self::Line(_) | Self::Sasl(_) => Status::SYNTAX,
            Self::Mechanism | Self::Parameter | Self::Syntax(_) => Status::BAD_ARGUMENTS,
            Self::AuthLine => Status::AUTH_LINE,
            Self::BadSender(AddressError::NotAscii)
            | Self::BadRecipient(AddressError::NotAscii) => Status::NOT_ASCII,
            Self::BadSender(AddressError::SourceRoute)
            | Self::BadRecipient(AddressError::SourceRoute)
            | Self::NoOutgoing
            | Self::RelayDenied => Status::NOT_ALLOWED,
            Self::BadSender(_) => Status::BAD_SENDER,
            Self::BadRecipient(_) => Status::BAD_RECIPIENT,
            Self::Cancelled | Self::Http | Self::LoginUnavailable | Self::TooMany(_) => {
                Status::SECURITY
            }
            Self::NeedsEncryption => Status::ENCRYPTION,
            Self::WrongLogin => Status::CREDENTIALS,
            Self::UnknownUser => Status::NO_MAILBOX,
            Self::MailboxDisabled | Self::MailboxOnHold => Status::MAILBOX_DISABLED,
            Self::TooLarge => Status::TOO_BIG,
            Self::TooManyRecipients => Status::TOO_MANY_RECIPIENTS,
            Self::Content(fault) => content_reply(fault).1,
            Self::Delivery(kind) => delivery_reply(kind).1,
            Self::LookupUnavailable => Status::SYSTEM,
            Self::Stopping => Status::NOT_ACCEPTING,
            Self::Timeout => Status::BAD_CONNECTION,
        }
    }
}

fn content_reply(fault: ContentFault) -> (Code, Status) {
    match fault {
        ContentFault::TooLarge => (Code::TooLarge, Status::TOO_BIG),
        ContentFault::BareLineEnd | ContentFault::LineTooLong | ContentFault::Nul => {
            (Code::Refused, Status::CONTENT)
        }
    }
}

fn delivery_reply(kind: DeliveryErrorKind) -> (Code, Status) {
    match kind {
        DeliveryErrorKind::Full => (Code::NoRoom, Status::SYSTEM_FULL),
        DeliveryErrorKind::Loop => (Code::Failed, Status::LOOP),
        DeliveryErrorKind::MailboxFull => (Code::NoRoom, Status::MAILBOX_FULL),
        DeliveryErrorKind::Refused => (Code::Failed, Status::SYSTEM),
        DeliveryErrorKind::Temporary => (Code::LocalError, Status::SYSTEM),
    }
}

fn delivery_text(kind: DeliveryErrorKind) -> &'static str {
    match kind {
        DeliveryErrorKind::Full => "insufficient system storage",
        DeliveryErrorKind::Loop => "too many hops: this message goes in a circle",
        DeliveryErrorKind::MailboxFull => "mailbox full",
        DeliveryErrorKind::Refused => "the mailbox cannot be used",
        DeliveryErrorKind::Temporary => "local error, please try again later",
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.status(), error.to_string())
    }
}

/// A login that is refused reads like a wrong password, unless the gateway has
/// something to tell to whoever has shown the right one.
impl From<&Rejection> for Reply {
    fn from(rejection: &Rejection) -> Self {
        let Some(told) = &rejection.told else { return Error::WrongLogin.into() };
        let status = match rejection.kind {
            RejectionKind::Disabled | RejectionKind::OnHold => Status::ACCOUNT_DISABLED,
            _ => Status::NOT_ALLOWED,
        };
        Self::new(Code::LoginFailed, status, told.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_on_the_wire_whose_fault_it_is() {
        let rows = [
            (Error::Unknown, "500 5.5.1 command unrecognized"),
            (Error::Line(LineFault::BareEnding), "500 5.5.2 line does not end in CR LF"),
            (Error::Syntax("NOOP"), "501 5.5.4 expected: NOOP"),
            (Error::NeedsMail, "503 5.5.1 send MAIL first"),
            (Error::Parameter, "555 5.5.4 parameter not recognized"),
            (Error::BadRecipient(AddressError::NoDomain), "553 5.1.3 no domain"),
            (Error::BadSender(AddressError::NotAscii), "553 5.6.7 an address must be ASCII"),
            (Error::RelayDenied, "550 5.7.1 relaying denied"),
            (Error::UnknownUser, "550 5.1.1 no such user"),
            (Error::WrongLogin, "535 5.7.8 authentication credentials invalid"),
            (
                Error::LoginUnavailable,
                "454 4.7.0 temporary authentication failure, please try again later",
            ),
            (
                Error::LookupUnavailable,
                "451 4.3.0 cannot look up the recipient now, please try again later",
            ),
            (Error::MailboxDisabled, "550 5.2.1 the mailbox is out of use"),
            (
                Error::MailboxOnHold,
                "450 4.2.1 the mailbox takes no mail now, please try again later",
            ),
            (Error::TooManyRecipients, "452 4.5.3 too many recipients"),
            (Error::TooLarge, "552 5.3.4 message exceeds the maximum size"),
            (Error::Delivery(DeliveryErrorKind::Full), "452 4.3.1 insufficient system storage"),
            (Error::Delivery(DeliveryErrorKind::MailboxFull), "452 4.2.2 mailbox full"),
            (Error::Delivery(DeliveryErrorKind::Refused), "554 5.3.0 the mailbox cannot be used"),
            (
                Error::Delivery(DeliveryErrorKind::Temporary),
                "451 4.3.0 local error, please try again later",
            ),
            (Error::TooMany("errors"), "421 4.7.0 too many errors, closing transmission channel"),
        ];
        for (error, expected) in rows {
            let mut out = Vec::new();
            Reply::from(error).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("{expected}\r\n"));
        }
    }

    #[test]
    fn a_refusal_tells_only_what_it_is_given_to_tell() {
        let closed = Rejection::new(RejectionKind::Disabled, "for the log");
        let elsewhere = Rejection::new(RejectionKind::NotAllowed, "for the log");
        for (rejection, expected) in [
            (closed.clone(), "535 5.7.8 authentication credentials invalid"),
            (closed.telling("this account is closed"), "535 5.7.13 this account is closed"),
            (elsewhere.telling("not from here"), "535 5.7.1 not from here"),
        ] {
            let mut out = Vec::new();
            Reply::from(&rejection).write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("{expected}\r\n"));
        }
    }

    #[test]
    fn nobody_is_counted_out_for_what_is_not_their_fault() {
        assert!(!Error::Delivery(DeliveryErrorKind::Temporary).counts());
        assert!(!Error::LoginUnavailable.counts());
        assert!(Error::WrongLogin.counts());
        assert!(Error::Http.closes());
        assert!(Error::Line(LineFault::BareEnding).closes());
        assert!(!Error::Unknown.closes());
    }
}
