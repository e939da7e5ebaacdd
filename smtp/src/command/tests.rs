//! Command lines, each fed whole and byte by byte.

use dmail_core::framing::{Ending, Frame, LineFramer};
use dmail_core::sasl::{Credentials, Malformed};
use dmail_core::{Secret, Username};

use super::*;
use crate::address::AddressError;

fn bob() -> Address {
    address::parse(b"bob@corp.example").expect("an address")
}

fn mail_from(sender: Option<Address>, size: Option<u64>) -> Result<Command, Error> {
    Ok(Command::Mail(Mail { sender, size }))
}

fn rcpt_to(address: Address) -> Result<Command, Error> {
    Ok(Command::Rcpt(ForwardPath::Address(address)))
}

fn hello(name: &str, extended: bool) -> Result<Command, Error> {
    Ok(Command::Hello(Hello { name: name.into(), extended }))
}

fn login(user: &str, password: &str) -> Result<Command, Error> {
    let user = Ok(Username::parse(user.as_bytes()).expect("a name"));
    let credentials = Credentials { user, secret: Secret::new(password.as_bytes()) };
    Ok(Command::Auth(Progress::Complete(credentials)))
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

fn check_all(rows: &[(&str, Result<Command, Error>)]) {
    for (line, expected) in rows {
        check(line, expected);
    }
}

#[test]
fn simple_commands() {
    let nothing = || Err(Error::Syntax("no argument"));
    check_all(&[
        ("DATA", Ok(Command::Data)),
        ("data ", Ok(Command::Data)),
        ("DATA now", nothing()),
        ("RSET", Ok(Command::Rset)),
        ("QUIT", Ok(Command::Quit)),
        ("QUIT 1", nothing()),
        ("NOOP", Ok(Command::Noop)),
        ("NOOP anything", Ok(Command::Noop)),
        ("HELP", Ok(Command::Help)),
        ("HELP MAIL", Ok(Command::Help)),
        ("VRFY bob", Ok(Command::Vrfy)),
        ("VRFY", Err(Error::Syntax("VRFY user"))),
        ("EHLO client.example", hello("client.example", true)),
        ("ehlo [192.0.2.1]", hello("[192.0.2.1]", true)),
        ("HELO my_pc", hello("my_pc", false)),
        ("EHLO", Err(Error::Syntax("EHLO domain"))),
        ("HELO a b", Err(Error::Syntax("HELO domain"))),
        ("EHLO b\u{fc}ro", Err(Error::Syntax("EHLO domain"))),
    ]);
}

#[test]
fn senders() {
    let syntax = || Err(Error::Syntax("MAIL FROM:<address> [parameters]"));
    check_all(&[
        ("MAIL FROM:<bob@corp.example>", mail_from(Some(bob()), None)),
        ("mail from:<bob@CORP.example>", mail_from(Some(bob()), None)),
        ("MAIL FROM: <bob@corp.example>", mail_from(Some(bob()), None)),
        ("MAIL FROM:bob@corp.example", mail_from(Some(bob()), None)),
        ("MAIL FROM:<>", mail_from(None, None)),
        ("MAIL FROM:<> SIZE=100", mail_from(None, Some(100))),
        ("MAIL FROM:<> size=0 body=8bitmime", mail_from(None, Some(0))),
        ("MAIL FROM:<>  BODY=7BIT  AUTH=<>", mail_from(None, None)),
        ("MAIL FROM:bob@corp.example SIZE=7", mail_from(Some(bob()), Some(7))),
        ("MAIL FROM:<> SIZE=99999999999999999999999", mail_from(None, Some(u64::MAX))),
        ("MAIL FROM:<> SIZE=", Err(Error::Syntax("SIZE=octets"))),
        ("MAIL FROM:<> SIZE=-1", Err(Error::Syntax("SIZE=octets"))),
        ("MAIL FROM:<> SIZE", Err(Error::Syntax("SIZE=octets"))),
        ("MAIL FROM:<> BODY=BINARYMIME", Err(Error::Parameter)),
        ("MAIL FROM:<> SMTPUTF8", Err(Error::Parameter)),
        ("MAIL FROM:<> RET=HDRS", Err(Error::Parameter)),
        ("MAIL FROM:<> ENVID=x", Err(Error::Parameter)),
        ("MAIL FROM:<> NOTIFY=NEVER", Err(Error::Parameter)),
        ("MAIL FROM:<> XYZZY", Err(Error::Parameter)),
        ("MAIL FROM:<>SIZE=1", syntax()),
        ("MAIL FROM:", syntax()),
        ("MAIL", syntax()),
        ("MAIL TO:<bob@corp.example>", syntax()),
        ("MAIL FROM:<bob@corp.example", syntax()),
        ("MAIL FROM:<bob>", Err(Error::BadSender(AddressError::NoDomain))),
        ("MAIL FROM:< >", Err(Error::BadSender(AddressError::NoDomain))),
        ("MAIL FROM:<@a.example:bob@b.example>", Err(Error::BadSender(AddressError::SourceRoute))),
    ]);
}

#[test]
fn recipients() {
    let syntax = || Err(Error::Syntax("RCPT TO:<address>"));
    let quoted = address::parse(br#""a>b"@corp.example"#).expect("an address");
    check_all(&[
        ("RCPT TO:<bob@corp.example>", rcpt_to(bob())),
        ("rcpt to: bob@corp.example", rcpt_to(bob())),
        (r#"RCPT TO:<"bob"@corp.example>"#, rcpt_to(bob())),
        (r#"RCPT TO:<"a>b"@corp.example>"#, rcpt_to(quoted)),
        ("RCPT TO:<postmaster>", Ok(Command::Rcpt(ForwardPath::Postmaster))),
        ("RCPT TO:<PostMaster>", Ok(Command::Rcpt(ForwardPath::Postmaster))),
        ("RCPT TO:<bob@corp.example> NOTIFY=NEVER", Err(Error::Parameter)),
        ("RCPT TO:<bob@corp.example> ORCPT=rfc822;x@y", Err(Error::Parameter)),
        ("RCPT TO:<bob@corp.example>junk", syntax()),
        ("RCPT TO:<>", syntax()),
        ("RCPT TO:", syntax()),
        ("RCPT", syntax()),
        ("RCPT TO:<bob>", Err(Error::BadRecipient(AddressError::NoDomain))),
        ("RCPT TO:<a@b@c.example>", Err(Error::BadRecipient(AddressError::BadLocalPart))),
        ("RCPT TO:<@a:b@c>", Err(Error::BadRecipient(AddressError::SourceRoute))),
        ("RCPT TO:<bob@corp.example\r>", Err(Error::Line(LineFault::BareEnding))),
        ("RCPT TO:<bob@corp.example\0>", Err(Error::Line(LineFault::Nul))),
    ]);
}

#[test]
fn logins() {
    let challenge = |exchange| Ok(Command::Auth(Progress::Challenge(exchange)));
    let bob = || Ok(Username::parse(b"bob").expect("a name"));
    check_all(&[
        ("AUTH PLAIN", challenge(Exchange::Plain)),
        ("auth plain AGJvYgBwdw==", login("bob", "pw")),
        ("AUTH PLAIN =", Err(Error::Sasl(Malformed::Message))),
        ("AUTH PLAIN !!", Err(Error::Sasl(Malformed::Base64))),
        ("AUTH PLAIN AGJv YgBwdw==", Err(Error::Sasl(Malformed::Base64))),
        ("AUTH PLAIN *", Err(Error::Cancelled)),
        ("AUTH LOGIN", challenge(Exchange::LoginName)),
        ("AUTH login Ym9i", challenge(Exchange::LoginPassword(bob()))),
        ("AUTH CRAM-MD5", Err(Error::Mechanism)),
        ("AUTH", Err(Error::Syntax("AUTH mechanism [initial-response]"))),
    ]);
    let long = format!("AUTH PLAIN {}", "A".repeat(12_000));
    assert_eq!(parse(long.as_bytes()), Err(Error::Sasl(Malformed::Message)));
}

#[test]
fn anything_else() {
    let long = format!("NOOP {}", "x".repeat(MAX_COMMAND_BYTES));
    check_all(&[
        ("", Err(Error::Unknown)),
        (" NOOP", Err(Error::Unknown)),
        ("NOOPS", Err(Error::Unknown)),
        ("MAILFROM:<a@b>", Err(Error::Unknown)),
        ("EXPN list", Err(Error::NotImplemented)),
        ("STARTTLS", Err(Error::NotImplemented)),
        ("BDAT 5 LAST", Err(Error::Chunk)),
        ("GET / HTTP/1.1", Err(Error::Http)),
        ("post /x HTTP/1.1", Err(Error::Http)),
        ("CONNECT mx.example:25 HTTP/1.1", Err(Error::Http)),
        ("XCLIENT ADDR=127.0.0.1", Err(Error::Unknown)),
        ("PROXY TCP4 127.0.0.1 127.0.0.1 1 2", Err(Error::Unknown)),
        ("\u{16}\u{3}\u{1}", Err(Error::Unknown)),
        (&long, Err(Error::Line(LineFault::TooLong))),
    ]);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic(line: Vec<u8>) {
        let _ = parse(&line);
    }

    #[test]
    fn any_arguments_are_parsed_without_a_panic(
        verb in "(MAIL FROM:|RCPT TO:|AUTH |EHLO )",
        rest: Vec<u8>,
    ) {
        let _ = parse(&[verb.as_bytes(), &rest].concat());
    }
}
