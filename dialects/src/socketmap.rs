//! Postfix's `socketmap:` tables, and sendmail's, who invented them.
//!
//! ```text
//!   client: 27:vmailbox bob@corp.example,      a netstring: map name, blank, key
//!   server: 22:OK var/spool/mail/bob,          or NOTFOUND, TEMP, PERM
//! ```

use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;
use dmail_core::AuthRequest;

use crate::table::{Lookup, Query, Tables, Told, Value};
use crate::{Answer, Question, Session, Step, Then, Ticket};

/// Longest request, in bytes: Postfix sends no longer ones.
const MAX_REQUEST: usize = 10_000;
/// Longest value: Postfix takes no longer reply.
const MAX_VALUE: usize = 99_000;

/// One client's conversation. Answers come in the order of the requests, so
/// one is asked at a time.
pub struct SocketmapSession {
    tables: Arc<Tables>,
    asked: Option<Query>,
}

impl SocketmapSession {
    /// A connection on which nothing was said.
    #[must_use]
    pub fn new(tables: Arc<Tables>) -> Self {
        Self { tables, asked: None }
    }

    fn ask(&mut self, query: Query, request: AuthRequest) -> (Ticket, Question) {
        self.asked = Some(query);
        (Ticket(1), Question::Authenticate(request))
    }
}

impl Session for SocketmapSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        while self.asked.is_none() {
            let (payload, end) = match netstring(input) {
                Ok(Some(found)) => found,
                Ok(None) => return Step::More,
                Err(why) => return Step::Close(why),
            };
            let request = input.split_to(end);
            let text = std::str::from_utf8(&request[payload]).ok();
            let looked_up = text
                .and_then(|text| text.split_once(' '))
                .map(|(map, key)| self.tables.look_up(map, key));
            match looked_up {
                Some(Lookup::Known(value)) => reply(out, &value),
                Some(Lookup::Ask(query, request)) => {
                    let (ticket, question) = self.ask(query, request);
                    return Step::Ask(ticket, question);
                }
                // A key that is no UTF-8 is nobody's address.
                None if text.is_none() => reply(out, &Value::NotFound),
                None => return Step::Close("a request without a key"),
            }
        }
        Step::More
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

/// Where the payload of the first netstring is, and where the netstring ends.
fn netstring(input: &[u8]) -> Result<Option<(Range<usize>, usize)>, &'static str> {
    const BAD: &str = "no netstring";
    let digits = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 5 {
        return Err("a request that is too long");
    }
    match input.get(digits) {
        None => return Ok(None),
        Some(b':') if digits > 0 => {}
        Some(_) => return Err(BAD),
    }
    let length: usize =
        std::str::from_utf8(&input[..digits]).ok().and_then(|text| text.parse().ok()).ok_or(BAD)?;
    if length > MAX_REQUEST {
        return Err("a request that is too long");
    }
    let payload = digits + 1..digits + 1 + length;
    match input.get(payload.end) {
        None => Ok(None),
        Some(b',') => Ok(Some((payload.clone(), payload.end + 1))),
        Some(_) => Err(BAD),
    }
}

fn reply(out: &mut Vec<u8>, value: &Value) {
    let text = match value {
        Value::Found(value) if value.len() <= MAX_VALUE => format!("OK {value}"),
        Value::Found(_) => "PERM the value is too long".to_owned(),
        Value::NotFound => "NOTFOUND ".to_owned(),
        Value::Later => "TEMP the user base cannot answer now".to_owned(),
        Value::NoSuchMap => "PERM there is no such map".to_owned(),
    };
    out.extend_from_slice(format!("{}:{text},", text.len()).as_bytes());
}

#[cfg(test)]
mod tests {
    use dmail_core::{
        Account, Domain, DropPath, Rejection, Unavailable, UnavailableKind, Username, Verdict,
    };

    use super::*;
    use crate::talk;

    fn session() -> SocketmapSession {
        let domains = vec![Domain::parse("corp.example").expect("a domain")];
        SocketmapSession::new(Arc::new(Tables { domains, transport: None }))
    }

    /// What is replied to `input`, asked of a base that knows only bob.
    fn talk(input: &str) -> String {
        let (out, end) = talk::with(&mut session(), input.as_bytes(), |question| {
            let Question::Authenticate(request) = question else { panic!("{question:?}") };
            let mut account = Account::named(Username::parse(b"bob").expect("a name"));
            account.drop = DropPath::File("/mail/bob".into());
            Answer::Verdict(match request.user.as_str() {
                "bob@corp.example" => Ok(Verdict::accepted(account)),
                "bob+x@corp.example" => {
                    Ok(Verdict::Rejected(Rejection::unknown_user(&request.user)))
                }
                _ => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            })
        });
        let out = String::from_utf8(out).expect("text");
        if end.is_empty() { out } else { format!("{out}[{end}]") }
    }

    #[test]
    fn requests_are_answered_in_order() {
        let input = "25:vmailbox bob@corp.example,27:vmailbox bob+x@corp.example,20:vdomain corp.example,9:vdomain x,\
                     25:vmailbox ann@corp.example,7:quota x,9:nothing x,";
        let expected = "11:OK mail/bob,11:OK mail/bob,5:OK OK,9:NOTFOUND ,36:TEMP the user base cannot answer now,\
                        9:NOTFOUND ,25:PERM there is no such map,";
        assert_eq!(talk(input), expected);
    }

    #[test]
    fn what_is_no_netstring_ends_the_connection() {
        for (input, expected) in [
            ("5:hello", ""),
            ("", ""),
            ("12", ""),
            ("5:hello;", "[no netstring]"),
            ("x:", "[no netstring]"),
            (":,", "[no netstring]"),
            ("5:hello,", "[a request without a key]"),
            ("10001:", "[a request that is too long]"),
            ("999999999999", "[a request that is too long]"),
        ] {
            assert_eq!(talk(input), expected, "{input}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&bytes[..]);
            let _ = session().next(&mut input, &mut Vec::new());
        }
    }
}
