//! One line into a command.
//!
//! A line is a keyword in any case and, after one space, its arguments
//! (RFC 1939 section 3). Whether a command is allowed now is the session's
//! business.

use dmail_core::Secret;
use dmail_core::sasl::{Credentials, LoginName};
use memchr::memchr;

use crate::error::Error;
use crate::sasl::{login_name, plain};

/// Longest line that a client may send, CR LF not counted, in bytes.
///
/// RFC 2449 asks for 255 at least, but AUTH PLAIN brings three strings of up
/// to 255 bytes each in base64 (RFC 4616 section 2), which makes 1035.
pub const MAX_LINE_BYTES: usize = 2048;

/// What a client wants.
///
/// Messages are numbered from 1 as on the wire; a number too large to be one
/// is `u32::MAX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `AUTH` alone: which mechanisms are there? (Older clients ask so.)
    AuthList,
    /// `AUTH PLAIN`, with the credentials if they came in the same line.
    AuthPlain(Option<Credentials>),
    /// `CAPA`: what can the server do?
    Capa,
    /// `DELE`: mark this message as deleted.
    Dele(u32),
    /// `LIST`: the sizes of this message or of all.
    List(Option<u32>),
    /// `NOOP`
    Noop,
    /// `PASS`: the password to the name that `USER` gave.
    Pass(Secret),
    /// `QUIT`
    Quit,
    /// `RETR`: send this message.
    Retr(u32),
    /// `RSET`: take the marks of `DELE` back.
    Rset,
    /// `STAT`: how many messages, how many octets?
    Stat,
    /// `TOP`: send the header and the first lines of the body.
    Top {
        /// Which message.
        message: u32,
        /// How many lines of the body.
        lines: u32,
    },
    /// `UIDL`: the lasting names of this message or of all.
    Uidl(Option<u32>),
    /// `USER`: who logs in. A name that nobody can have is kept as such,
    /// because the client only learns of it with the password.
    User(LoginName),
}

/// What follows the keyword and one space, if there was a space.
type Arguments<'a> = Option<&'a [u8]>;

/// Parses the arguments of one command.
type Parser = fn(Arguments<'_>) -> Result<Command, Error>;

/// The commands, in the order of how often they come.
const COMMANDS: &[(&str, Parser)] = &[
    ("RETR", retr),
    ("DELE", dele),
    ("TOP", top),
    ("UIDL", uidl),
    ("LIST", list),
    ("USER", user),
    ("PASS", pass),
    ("STAT", |rest| alone(rest, Command::Stat)),
    ("QUIT", |rest| alone(rest, Command::Quit)),
    ("CAPA", |rest| alone(rest, Command::Capa)),
    ("NOOP", |rest| alone(rest, Command::Noop)),
    ("RSET", |rest| alone(rest, Command::Rset)),
    ("AUTH", auth),
    // A known command that a server must be able to refuse: it would need
    // passwords that can be read back.
    ("APOP", |_| Err(Error::Mechanism)),
];

/// Parses a line that lost its CR LF.
///
/// # Errors
///
/// [`Error::Unknown`], [`Error::Syntax`], or what is wrong with an AUTH.
pub fn parse(line: &[u8]) -> Result<Command, Error> {
    let (keyword, arguments) = match memchr(b' ', line) {
        Some(at) => (&line[..at], Some(&line[at + 1..])),
        None => (line, None),
    };
    COMMANDS
        .iter()
        .find(|(name, _)| keyword.eq_ignore_ascii_case(name.as_bytes()))
        .map_or(Err(Error::Unknown), |(_, parser)| parser(arguments))
}

/// Parses the line that follows the challenge of `AUTH PLAIN` (RFC 5034
/// section 4): base64, or `*` to give up.
///
/// # Errors
///
/// [`Error::Cancelled`], or what is wrong with the credentials.
pub fn parse_response(line: &[u8]) -> Result<Credentials, Error> {
    match line {
        b"*" => Err(Error::Cancelled),
        base64 => plain(base64),
    }
}

/// A command without arguments. Blanks after it are forgiven.
fn alone(arguments: Arguments<'_>, command: Command) -> Result<Command, Error> {
    match words(arguments) {
        [None, ..] => Ok(command),
        _ => Err(Error::Syntax("no argument")),
    }
}

/// `AUTH` [ SP mechanism [ SP initial-response ] ], RFC 5034 section 4, where
/// `=` stands for an empty initial response.
fn auth(arguments: Arguments<'_>) -> Result<Command, Error> {
    match words(arguments) {
        [None, ..] => Ok(Command::AuthList),
        [Some(mechanism), response, None] if mechanism.eq_ignore_ascii_case(b"PLAIN") => {
            let credentials = response.map(|response| match response {
                b"=" => plain(b""),
                base64 => plain(base64),
            });
            Ok(Command::AuthPlain(credentials.transpose()?))
        }
        [_, _, None] => Err(Error::Mechanism),
        _ => Err(Error::Syntax("AUTH mechanism [initial-response]")),
    }
}

/// `DELE` SP msg, RFC 1939 section 5.
fn dele(arguments: Arguments<'_>) -> Result<Command, Error> {
    one_number(arguments).map(Command::Dele).ok_or(Error::Syntax("DELE message"))
}

/// `LIST` [ SP msg ], RFC 1939 section 5.
fn list(arguments: Arguments<'_>) -> Result<Command, Error> {
    number_or_none(arguments).map(Command::List).ok_or(Error::Syntax("LIST [message]"))
}

/// `PASS` SP string, RFC 1939 section 7: all that follows one space, because
/// a password may hold spaces. None at all is the empty password, which the
/// session refuses like a wrong one.
fn pass(arguments: Arguments<'_>) -> Result<Command, Error> {
    Ok(Command::Pass(Secret::new(arguments.unwrap_or_default())))
}

/// `RETR` SP msg, RFC 1939 section 5.
fn retr(arguments: Arguments<'_>) -> Result<Command, Error> {
    one_number(arguments).map(Command::Retr).ok_or(Error::Syntax("RETR message"))
}

/// `TOP` SP msg SP n, RFC 1939 section 7.
fn top(arguments: Arguments<'_>) -> Result<Command, Error> {
    let parsed = match words(arguments) {
        [Some(message), Some(lines), None] => number(message).zip(number(lines)),
        _ => None,
    };
    parsed
        .map(|(message, lines)| Command::Top { message, lines })
        .ok_or(Error::Syntax("TOP message lines"))
}

/// `UIDL` [ SP msg ], RFC 1939 section 7.
fn uidl(arguments: Arguments<'_>) -> Result<Command, Error> {
    number_or_none(arguments).map(Command::Uidl).ok_or(Error::Syntax("UIDL [message]"))
}

/// `USER` SP name, RFC 1939 section 7.
fn user(arguments: Arguments<'_>) -> Result<Command, Error> {
    match arguments {
        None | Some(b"") => Err(Error::Syntax("USER name")),
        Some(name) => Ok(Command::User(login_name(name))),
    }
}

fn one_number(arguments: Arguments<'_>) -> Option<u32> {
    match words(arguments) {
        [Some(word), None, None] => number(word),
        _ => None,
    }
}

fn number_or_none(arguments: Arguments<'_>) -> Option<Option<u32>> {
    match words(arguments) {
        [None, ..] => Some(None),
        [Some(word), None, None] => number(word).map(Some),
        _ => None,
    }
}

/// The first three words between spaces; no command here takes more than two.
fn words(arguments: Arguments<'_>) -> [Option<&[u8]>; 3] {
    let mut words =
        arguments.unwrap_or_default().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    [words.next(), words.next(), words.next()]
}

/// One or more digits. What does not fit is the largest number, which no
/// message has and no body reaches.
fn number(word: &[u8]) -> Option<u32> {
    word.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number.saturating_mul(10).saturating_add(u32::from(byte - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use dmail_core::framing::{Ending, Frame, LineFramer};
    use dmail_core::sasl::{Malformed, UnusableLogin};
    use dmail_core::{NameError, Username};

    use super::*;

    fn named(name: &str) -> Result<Command, Error> {
        Ok(Command::User(Ok(Username::parse(name.as_bytes()).expect("a name"))))
    }

    fn password(text: &str) -> Result<Command, Error> {
        Ok(Command::Pass(Secret::new(text.as_bytes())))
    }

    fn plain(user: &str, password: &str) -> Command {
        Command::AuthPlain(Some(Credentials {
            user: Ok(Username::parse(user.as_bytes()).expect("a name")),
            secret: Secret::new(password.as_bytes()),
        }))
    }

    /// Parses `line` as it comes out of the framer when it arrives whole, and
    /// byte by byte.
    fn check(line: &str, expected: &Result<Command, Error>) {
        let stream = format!("{line}\r\n").into_bytes();
        for step in [stream.len(), 1] {
            let mut framer = LineFramer::new(MAX_LINE_BYTES, Ending::CrLf);
            let mut buffer = Vec::new();
            let mut parsed = None;
            for piece in stream.chunks(step) {
                buffer.extend_from_slice(piece);
                if let Some(frame) = framer.take(&buffer).frame {
                    parsed = Some(match frame {
                        Frame::Line(line) => parse(line),
                        Frame::Refused(fault) => Err(Error::Line(fault)),
                    });
                }
            }
            assert_eq!(parsed.as_ref(), Some(expected), "{line:?} by {step}");
        }
    }

    #[test]
    fn every_command_is_parsed_whole_and_byte_by_byte() {
        use dmail_core::framing::LineFault;
        let top = |message, lines| Ok(Command::Top { message, lines });
        let rows = [
            ("STAT", Ok(Command::Stat)),
            ("stat", Ok(Command::Stat)),
            ("STAT ", Ok(Command::Stat)),
            ("STAT 1", Err(Error::Syntax("no argument"))),
            ("NOOP", Ok(Command::Noop)),
            ("RSET", Ok(Command::Rset)),
            ("QUIT", Ok(Command::Quit)),
            ("CAPA", Ok(Command::Capa)),
            // Numbers.
            ("RETR 1", Ok(Command::Retr(1))),
            ("RETR 007", Ok(Command::Retr(7))),
            ("RETR 0", Ok(Command::Retr(0))),
            ("RETR 99999999999999999999", Ok(Command::Retr(u32::MAX))),
            ("RETR", Err(Error::Syntax("RETR message"))),
            ("RETR -1", Err(Error::Syntax("RETR message"))),
            ("RETR +1", Err(Error::Syntax("RETR message"))),
            ("RETR 1x", Err(Error::Syntax("RETR message"))),
            ("RETR 1 2", Err(Error::Syntax("RETR message"))),
            ("RETR\t1", Err(Error::Unknown)),
            ("DELE 3", Ok(Command::Dele(3))),
            ("DELE 3 ", Ok(Command::Dele(3))),
            ("DELE", Err(Error::Syntax("DELE message"))),
            ("LIST", Ok(Command::List(None))),
            ("LIST 2", Ok(Command::List(Some(2)))),
            ("LIST two", Err(Error::Syntax("LIST [message]"))),
            ("UIDL", Ok(Command::Uidl(None))),
            ("UIDL 2", Ok(Command::Uidl(Some(2)))),
            ("UIDL 2 3", Err(Error::Syntax("UIDL [message]"))),
            ("TOP 1 0", top(1, 0)),
            ("TOP 1 10", top(1, 10)),
            ("top  2  5", top(2, 5)),
            ("TOP 1", Err(Error::Syntax("TOP message lines"))),
            ("TOP 1 2 3", Err(Error::Syntax("TOP message lines"))),
            // Names and passwords.
            ("USER bob", named("bob")),
            ("user bob@corp.example", named("bob@corp.example")),
            ("USER", Err(Error::Syntax("USER name"))),
            ("USER ", Err(Error::Syntax("USER name"))),
            (
                "USER bob x",
                Ok(Command::User(Err(UnusableLogin::Name(NameError::ForbiddenByte { at: 3 })))),
            ),
            ("PASS secret", password("secret")),
            ("PASS two words", password("two words")),
            ("PASS  leading and trailing ", password(" leading and trailing ")),
            ("PASS ", password("")),
            ("PASS", password("")),
            ("PASS a\0b", Err(Error::Line(LineFault::Nul))),
            // AUTH.
            ("AUTH", Ok(Command::AuthList)),
            ("AUTH PLAIN", Ok(Command::AuthPlain(None))),
            ("auth plain AGJvYgBwdw==", Ok(plain("bob", "pw"))),
            ("AUTH PLAIN =", Err(Error::Sasl(Malformed::Message))),
            ("AUTH PLAIN !!", Err(Error::Sasl(Malformed::Base64))),
            ("AUTH PLAIN a b", Err(Error::Syntax("AUTH mechanism [initial-response]"))),
            ("AUTH LOGIN", Err(Error::Mechanism)),
            ("AUTH CRAM-MD5", Err(Error::Mechanism)),
            ("APOP bob c4c9334bac560ecc979e58001b3e22fb", Err(Error::Mechanism)),
            // Anything else.
            ("", Err(Error::Unknown)),
            (" STAT", Err(Error::Unknown)),
            ("STATUS", Err(Error::Unknown)),
            ("GET / HTTP/1.1", Err(Error::Unknown)),
            ("DELE 1\0", Err(Error::Line(LineFault::Nul))),
        ];
        for (line, expected) in rows {
            check(line, &expected);
        }
    }

    #[test]
    fn a_response_is_credentials_or_a_cancellation() {
        assert_eq!(parse_response(b"*"), Err(Error::Cancelled));
        assert_eq!(parse_response(b""), Err(Error::Sasl(Malformed::Message)));
        assert_eq!(
            parse_response(b"AGJvYgBwdw==").map(|found| Command::AuthPlain(Some(found))),
            Ok(plain("bob", "pw"))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(line: Vec<u8>) {
            let _ = parse(&line);
            let _ = parse_response(&line);
        }
    }
}
