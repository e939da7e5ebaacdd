//! Postfix's `tcp:` tables (tcp_table(5)).
//!
//! ```text
//!   client: get bob@corp.example      server: 200 var/spool/mail/bob
//!                                             500 not found │ 400 try again later
//! ```
//!
//! The protocol has no map names, so a listener serves one map.

use std::sync::Arc;

use bytes::BytesMut;
use dmail_core::AuthRequest;

use crate::lines::{Broken, LineSession, Lines};
use crate::table::{Lookup, Query, Tables, Told, Value};
use crate::{Answer, Question, Session, Step, Then, Ticket};

/// Longest line of either side, with its end.
const MAX_LINE: usize = 4_096;

/// One client's conversation.
pub struct TcpTableSession {
    tables: Arc<Tables>,
    map: &'static str,
    lines: Lines,
    asked: Option<Query>,
}

impl TcpTableSession {
    /// A connection that asks for keys of `map`.
    #[must_use]
    pub fn new(tables: Arc<Tables>, map: &'static str) -> Self {
        Self { tables, map, lines: Lines::new(MAX_LINE - 1), asked: None }
    }

    fn ask(&mut self, query: Query, request: AuthRequest) -> (Ticket, Question) {
        self.asked = Some(query);
        (Ticket(1), Question::Authenticate(request))
    }
}

impl LineSession for TcpTableSession {
    fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        let Some(key) = line.strip_prefix(b"get ") else {
            out.extend_from_slice(b"500 only get is served\n");
            return Ok(None);
        };
        let Some(key) = decode(key).and_then(|key| String::from_utf8(key).ok()) else {
            reply(out, &Value::NotFound);
            return Ok(None);
        };
        match self.tables.look_up(self.map, &key) {
            Lookup::Known(value) => {
                reply(out, &value);
                Ok(None)
            }
            Lookup::Ask(query, request) => {
                let (ticket, question) = self.ask(query, request);
                Ok(Some(Step::Ask(ticket, question)))
            }
        }
    }
}

impl Session for TcpTableSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        match self.asked {
            None => self.take_lines(input, out),
            Some(_) => Step::More,
        }
    }

    fn answered(&mut self, _: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let (Some(query), Answer::Verdict(verdict)) = (self.asked.take(), answer) else {
            return Then::Close;
        };
        match query.answered(&verdict) {
            Told::Value(value) => {
                reply(out, &value);
                Then::GoOn
            }
            Told::Ask(query, request) => {
                let (ticket, question) = self.ask(query, request);
                Then::Ask(ticket, question)
            }
        }
    }
}

fn reply(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Found(value) => {
            let start = out.len();
            out.extend_from_slice(b"200 ");
            encode(out, value.as_bytes());
            out.push(b'\n');
            if out.len() - start > MAX_LINE {
                out.truncate(start);
                out.extend_from_slice(b"400 the value is too long\n");
            }
        }
        Value::NotFound => out.extend_from_slice(b"500 not found\n"),
        Value::Later => out.extend_from_slice(b"400 the user base cannot answer now\n"),
        Value::NoSuchMap => out.extend_from_slice(b"500 there is no such map\n"),
    }
}

/// Writes `%`, blanks and what is not printable as `%XX`.
fn encode(out: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        match byte {
            b'%' | 0..=b' ' | 0x7f..=0xff => {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            plain => out.push(*plain),
        }
    }
}

/// Reads what [`encode`] writes; `None` if a `%` has no two digits.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            value.push(*first);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        value.push(digit(digits[0])? * 16 + digit(digits[1])?);
        rest = after;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, Domain, DropPath, Unavailable, UnavailableKind, Username, Verdict};

    use super::*;
    use crate::talk;

    /// What is replied to `input`, asked of a base that knows only bob.
    fn talk(input: &str) -> String {
        let domains = vec![Domain::parse("corp.example").expect("a domain")];
        let tables = Arc::new(Tables { domains, transport: None });
        let mut session = TcpTableSession::new(tables, "vmailbox");
        let (out, end) = talk::with(&mut session, input.as_bytes(), |question| {
            let Question::Authenticate(request) = question else { panic!("{question:?}") };
            let mut account = Account::named(Username::parse(b"bob").expect("a name"));
            account.drop = DropPath::File("/mail/b ob%".into());
            Answer::Verdict(match request.user.as_str() {
                "bob@corp.example" => Ok(Verdict::accepted(account)),
                _ => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            })
        });
        let end = if end.is_empty() { "" } else { "[closed]" };
        String::from_utf8(out).expect("text") + end
    }

    #[test]
    fn keys_are_decoded_and_values_encoded() {
        for (input, expected) in [
            ("get bob@corp.example\n", "200 mail/b%20ob%25\n"),
            ("get bob%40corp.example\n", "200 mail/b%20ob%25\n"),
            ("get ann@corp.example\n", "400 the user base cannot answer now\n"),
            ("get nobody\nget x%2\n", "500 not found\n500 not found\n"),
            ("put a b\n", "500 only get is served\n"),
            ("get a\0b\n", "[closed]"),
        ] {
            assert_eq!(talk(input), expected, "{input}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_value_comes_back(value: Vec<u8>) {
            let mut out = Vec::new();
            encode(&mut out, &value);
            assert!(out.iter().all(u8::is_ascii_graphic));
            assert_eq!(decode(&out), Some(value));
        }
    }
}
