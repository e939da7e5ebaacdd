//! Replies into bytes: a code, an enhanced status code, and a text.

use std::borrow::Cow;
use std::io::Write;

/// One reply. The texts are ours and have one line; of what a client sent they
/// repeat only values that were parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: Code,
    status: Option<Status>,
    text: Cow<'static, str>,
}

/// The reply codes that are used here (RFC 5321 section 4.2.3, RFC 4954
/// section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Code {
    /// Help.
    Help = 214,
    /// The greeting.
    Ready = 220,
    /// The answer to QUIT.
    Closing = 221,
    /// The login succeeded.
    LoggedIn = 235,
    /// Done.
    Ok = 250,
    /// VRFY: will not say, but mail is attempted.
    CannotVerify = 252,
    /// AUTH goes on: a challenge follows.
    Challenge = 334,
    /// DATA: send the content.
    StartMailInput = 354,
    /// The server closes the connection; the client may come back.
    NotAvailable = 421,
    /// Not now: the mailbox takes no mail.
    MailboxUnavailable = 450,
    /// Not now: trouble on our side.
    LocalError = 451,
    /// Not now: no room.
    NoRoom = 452,
    /// Nobody could decide about the login.
    LoginNotPossible = 454,
    /// No such command, or no line at all.
    BadCommand = 500,
    /// Arguments that the command does not have.
    BadArguments = 501,
    /// A command that exists elsewhere.
    NotImplemented = 502,
    /// A command at the wrong time.
    BadSequence = 503,
    /// An argument that exists elsewhere.
    ArgumentNotImplemented = 504,
    /// The login failed.
    LoginFailed = 535,
    /// This login needs encryption.
    EncryptionNeeded = 538,
    /// No such mailbox, or a policy against it.
    Refused = 550,
    /// More than may be stored.
    TooLarge = 552,
    /// The mailbox's name is not one.
    BadMailboxName = 553,
    /// The transaction failed.
    Failed = 554,
    /// A parameter of MAIL or RCPT that is not known.
    UnknownParameter = 555,
}

/// Subject and detail of an enhanced status code (RFC 3463). Its class is the
/// first digit of the code, as RFC 2034 section 4 demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(u8, u8);

impl Status {
    /// X.0.0: nothing more to say.
    pub const NONE: Self = Self(0, 0);
    /// X.1.0: the sender is fine.
    pub const SENDER: Self = Self(1, 0);
    /// X.1.1: there is no such mailbox.
    pub const NO_MAILBOX: Self = Self(1, 1);
    /// X.1.3: the recipient's address has a bad form.
    pub const BAD_RECIPIENT: Self = Self(1, 3);
    /// X.1.5: the recipient is fine.
    pub const RECIPIENT: Self = Self(1, 5);
    /// X.1.7: the sender's address has a bad form.
    pub const BAD_SENDER: Self = Self(1, 7);
    /// X.2.1: the mailbox is out of use.
    pub const MAILBOX_DISABLED: Self = Self(2, 1);
    /// X.2.2: the mailbox is full.
    pub const MAILBOX_FULL: Self = Self(2, 2);
    /// X.3.0: the mail system has trouble.
    pub const SYSTEM: Self = Self(3, 0);
    /// X.3.1: the mail system is full.
    pub const SYSTEM_FULL: Self = Self(3, 1);
    /// X.3.2: the mail system does not accept mail now.
    pub const NOT_ACCEPTING: Self = Self(3, 2);
    /// X.3.4: the message is too big.
    pub const TOO_BIG: Self = Self(3, 4);
    /// X.4.2: the connection is bad.
    pub const BAD_CONNECTION: Self = Self(4, 2);
    /// X.4.6: the mail goes in a circle.
    pub const LOOP: Self = Self(4, 6);
    /// X.5.1: the command is not one, or not now.
    pub const BAD_COMMAND: Self = Self(5, 1);
    /// X.5.2: the command has a bad form.
    pub const SYNTAX: Self = Self(5, 2);
    /// X.5.3: too many recipients.
    pub const TOO_MANY_RECIPIENTS: Self = Self(5, 3);
    /// X.5.4: the arguments are bad.
    pub const BAD_ARGUMENTS: Self = Self(5, 4);
    /// X.5.6: the line of an authentication exchange is too long.
    pub const AUTH_LINE: Self = Self(5, 6);
    /// X.6.0: the content is not as it should be.
    pub const CONTENT: Self = Self(6, 0);
    /// X.6.7: a non-ASCII address where none is permitted.
    pub const NOT_ASCII: Self = Self(6, 7);
    /// X.7.0: about security.
    pub const SECURITY: Self = Self(7, 0);
    /// X.7.1: not allowed.
    pub const NOT_ALLOWED: Self = Self(7, 1);
    /// X.7.8: the credentials are wrong.
    pub const CREDENTIALS: Self = Self(7, 8);
    /// X.7.11: encryption is needed.
    pub const ENCRYPTION: Self = Self(7, 11);
    /// X.7.13: the account is out of use.
    pub const ACCOUNT_DISABLED: Self = Self(7, 13);
}

impl Reply {
    /// `code status text`
    pub fn new(code: Code, status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status: Some(status), text: text.into() }
    }

    /// `code text`: the greeting, HELO, and the intermediate replies have no
    /// enhanced status code (RFC 2034 section 4).
    pub fn bare(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status: None, text: text.into() }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// Appends the reply and its CR LF to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let code = self.code as u16;
        match self.status {
            Some(Status(subject, detail)) => {
                write!(out, "{code} {}.{subject}.{detail} {}\r\n", code / 100, self.text)
            }
            None => write!(out, "{code} {}\r\n", self.text),
        }
        .expect("a Vec takes everything");
    }
}

/// Appends the answer to EHLO: a line for the greeting, and one for each
/// extension (RFC 5321 section 4.1.1.1).
pub(crate) fn write_extensions(out: &mut Vec<u8>, greeting: &str, extensions: &[&str]) {
    let (last, others) = extensions.split_last().expect("there are extensions");
    for line in std::iter::once(&greeting).chain(others) {
        write!(out, "250-{line}\r\n").expect("a Vec takes everything");
    }
    write!(out, "250 {last}\r\n").expect("a Vec takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line_and_its_class_is_that_of_the_code() {
        let rows = [
            (Reply::new(Code::Ok, Status::SENDER, "fine"), "250 2.1.0 fine\r\n"),
            (Reply::new(Code::LocalError, Status::SYSTEM, "later"), "451 4.3.0 later\r\n"),
            (Reply::new(Code::EncryptionNeeded, Status::ENCRYPTION, "no"), "538 5.7.11 no\r\n"),
            (Reply::bare(Code::StartMailInput, "go"), "354 go\r\n"),
            (Reply::bare(Code::Challenge, ""), "334 \r\n"),
        ];
        for (reply, expected) in rows {
            let mut out = Vec::new();
            reply.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn extensions_are_lines_of_one_reply() {
        let mut out = Vec::new();
        write_extensions(&mut out, "Hello you", &["SIZE 5", "HELP"]);
        assert_eq!(String::from_utf8_lossy(&out), "250-Hello you\r\n250-SIZE 5\r\n250 HELP\r\n");
    }
}
