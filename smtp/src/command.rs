//! One line into a command.
//!
//! A line is a keyword in any case and, after a space, its arguments (RFC 5321
//! section 4.1.1). Whether a command is allowed now is the session's business.

use dmail_core::framing::LineFault;
use memchr::memchr;

use crate::address::{self, Address};
use crate::error::Error;
use crate::sasl::{Exchange, Progress};

/// Longest line that a client may send, CR LF not counted, in bytes. AUTH has
/// such lines (RFC 4954 section 4.3: 12,288 with CR LF).
pub const MAX_LINE_BYTES: usize = 12_286;
/// Longest line of any other command. RFC 5321 asks for 512 bytes, and each
/// extension adds its parameters to that.
pub const MAX_COMMAND_BYTES: usize = 2048;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `AUTH`: a login, as far as its first line brings it.
    Auth(Progress),
    /// `DATA`: the content follows.
    Data,
    /// `EHLO` or `HELO`.
    Hello(Hello),
    /// `HELP`
    Help,
    /// `MAIL`: begins a transaction.
    Mail(Mail),
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
    /// `RCPT`: adds a recipient.
    Rcpt(ForwardPath),
    /// `RSET`: gives the transaction up.
    Rset,
    /// `VRFY`: is there such a user?
    Vrfy,
}

/// How a client introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What it calls itself: any printable ASCII without blanks, because many
    /// clients do not know their name, and nothing depends on it.
    pub name: Box<str>,
    /// Whether it said EHLO.
    pub extended: bool,
}

/// What MAIL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender; `None` is the null sender, `<>`.
    pub sender: Option<Address>,
    /// The size that the client announces, in octets (RFC 1870).
    pub size: Option<u64>,
}

/// The argument of RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPath {
    /// Anybody.
    Address(Address),
    /// `<postmaster>` without a domain, which every server must have (RFC 5321
    /// section 4.5.1).
    Postmaster,
}

/// What follows the keyword, without the space between.
type Arguments<'a> = &'a [u8];
/// What makes a command of them.
type Parser = fn(Arguments<'_>) -> Result<Command, Error>;

/// The commands, in the order of how often they come.
const COMMANDS: &[(&str, Parser)] = &[
    ("RCPT", rcpt),
    ("MAIL", mail),
    ("DATA", |rest| alone(rest, Command::Data)),
    ("EHLO", |rest| hello(rest, true)),
    ("QUIT", |rest| alone(rest, Command::Quit)),
    ("HELO", |rest| hello(rest, false)),
    ("RSET", |rest| alone(rest, Command::Rset)),
    ("AUTH", auth),
    ("NOOP", |_| Ok(Command::Noop)),
    ("VRFY", vrfy),
    ("HELP", |_| Ok(Command::Help)),
    // Commands that other servers have.
    ("BDAT", |_| Err(Error::Chunk)),
    ("ETRN", |_| Err(Error::NotImplemented)),
    ("EXPN", |_| Err(Error::NotImplemented)),
    ("STARTTLS", |_| Err(Error::NotImplemented)),
    ("TURN", |_| Err(Error::NotImplemented)),
];

/// The commands of HTTP. A page can make a browser send them here, and the
/// lines that follow are then its author's (the ALPACA attacks).
const HTTP: &[&str] =
    &["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE"];

/// Parses a line that lost its CR LF.
///
/// # Errors
///
/// One of the client's mistakes in [`Error`].
pub fn parse(line: &[u8]) -> Result<Command, Error> {
    let (keyword, arguments) = match memchr(b' ', line) {
        Some(at) => (&line[..at], line[at..].trim_ascii()),
        None => (line, &[][..]),
    };
    let is = |name: &str| keyword.eq_ignore_ascii_case(name.as_bytes());
    if line.len() > MAX_COMMAND_BYTES && !is("AUTH") {
        return Err(LineFault::TooLong.into());
    }
    match COMMANDS.iter().find(|(name, _)| is(name)) {
        Some((_, parser)) => parser(arguments),
        None if HTTP.iter().any(|verb| is(verb)) => Err(Error::Http),
        None => Err(Error::Unknown),
    }
}

/// A command without arguments.
fn alone(arguments: Arguments<'_>, command: Command) -> Result<Command, Error> {
    if arguments.is_empty() { Ok(command) } else { Err(Error::Syntax("no argument")) }
}

/// `"AUTH" SP mechanism [SP initial-response]` (RFC 4954 section 4), where `=`
/// is an empty initial response. That of LOGIN is the user name.
fn auth(arguments: Arguments<'_>) -> Result<Command, Error> {
    let (mechanism, response) = split_word(arguments);
    let exchange = if mechanism.eq_ignore_ascii_case(b"PLAIN") {
        Exchange::Plain
    } else if mechanism.eq_ignore_ascii_case(b"LOGIN") {
        Exchange::LoginName
    } else if mechanism.is_empty() {
        return Err(Error::Syntax("AUTH mechanism [initial-response]"));
    } else {
        return Err(Error::Mechanism);
    };
    let progress = match response {
        b"" => Ok(Progress::Challenge(exchange)),
        b"=" => exchange.respond(b""),
        base64 => exchange.respond(base64),
    };
    progress.map(Command::Auth)
}

/// `"EHLO" SP ( Domain / address-literal )`, `"HELO" SP Domain`.
fn hello(arguments: Arguments<'_>, extended: bool) -> Result<Command, Error> {
    let name = str::from_utf8(arguments).ok().filter(|name| {
        (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let name = name.ok_or(Error::Syntax(if extended { "EHLO domain" } else { "HELO domain" }))?;
    Ok(Command::Hello(Hello { name: name.into(), extended }))
}

/// `"MAIL FROM:" Reverse-path [SP Mail-parameters]`
fn mail(arguments: Arguments<'_>) -> Result<Command, Error> {
    const SYNTAX: Error = Error::Syntax("MAIL FROM:<address> [parameters]");
    let (path, parameters) = path(arguments, b"FROM:").ok_or(SYNTAX)?;
    let sender = match path {
        b"" => None,
        path => Some(address::parse(path).map_err(Error::BadSender)?),
    };
    let mut mail = Mail { sender, size: None };
    for parameter in words(parameters) {
        mail_parameter(&mut mail, parameter)?;
    }
    Ok(Command::Mail(mail))
}

/// `esmtp-param = esmtp-keyword ["=" esmtp-value]`, of which we offer
///
/// ```text
/// "SIZE=" 1*20DIGIT                (RFC 1870)
/// "BODY=" ( "7BIT" / "8BITMIME" )  (RFC 6152)
/// "AUTH=" xtext                    (RFC 4954 section 5; it grants nothing)
/// ```
fn mail_parameter(mail: &mut Mail, parameter: &[u8]) -> Result<(), Error> {
    let (keyword, value) = match memchr(b'=', parameter) {
        Some(at) => (&parameter[..at], &parameter[at + 1..]),
        None => (parameter, &[][..]),
    };
    if keyword.eq_ignore_ascii_case(b"SIZE") {
        mail.size = Some(size(value).ok_or(Error::Syntax("SIZE=octets"))?);
        return Ok(());
    }
    let is_body = |known: &&[u8]| value.eq_ignore_ascii_case(known);
    let known = (keyword.eq_ignore_ascii_case(b"BODY")
        && [&b"7BIT"[..], b"8BITMIME"].iter().any(is_body))
        || (keyword.eq_ignore_ascii_case(b"AUTH") && !value.is_empty());
    if known { Ok(()) } else { Err(Error::Parameter) }
}

/// `"RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]`, of
/// which we offer none.
fn rcpt(arguments: Arguments<'_>) -> Result<Command, Error> {
    const SYNTAX: Error = Error::Syntax("RCPT TO:<address>");
    let (path, parameters) = path(arguments, b"TO:").ok_or(SYNTAX)?;
    let path = match path {
        b"" => return Err(SYNTAX),
        name if name.eq_ignore_ascii_case(b"postmaster") => ForwardPath::Postmaster,
        path => ForwardPath::Address(address::parse(path).map_err(Error::BadRecipient)?),
    };
    if words(parameters).next().is_some() {
        return Err(Error::Parameter);
    }
    Ok(Command::Rcpt(path))
}

/// `"VRFY" SP String`
fn vrfy(arguments: Arguments<'_>) -> Result<Command, Error> {
    if arguments.is_empty() { Err(Error::Syntax("VRFY user")) } else { Ok(Command::Vrfy) }
}

/// Splits `prefix path [SP parameters]` into the path without its brackets and
/// the parameters.
///
/// A space after the colon, and a missing pair of brackets around a plain
/// address, are forgiven: scanners and telephones have both.
fn path<'a>(arguments: Arguments<'a>, prefix: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (found, rest) = arguments.split_at_checked(prefix.len())?;
    if !found.eq_ignore_ascii_case(prefix) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    if !rest.starts_with(b"<") {
        let (word, parameters) = split_word(rest);
        return (!word.is_empty()).then_some((word, parameters));
    }
    let (path, parameters) = rest.split_at(address::path_length(rest)?);
    let apart = parameters.is_empty() || parameters.starts_with(b" ");
    apart.then_some((&path[1..path.len() - 1], parameters))
}

/// The first word, and what follows the spaces behind it.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b' ', text) {
        Some(at) => (&text[..at], text[at..].trim_ascii_start()),
        None => (text, &[]),
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

/// One or more digits. What does not fit is the largest number.
fn size(value: &[u8]) -> Option<u64> {
    let digits = value.iter().map(|byte| byte.is_ascii_digit().then(|| u64::from(byte - b'0')));
    let number = |sum: u64, digit: Option<u64>| Some(sum.saturating_mul(10).saturating_add(digit?));
    if value.is_empty() { None } else { digits.into_iter().try_fold(0, number) }
}

#[cfg(test)]
mod tests;
