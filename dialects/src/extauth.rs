//! ejabberd's external authentication: a program on standard input and output.
//!
//! ```text
//!   ejabberd: auth:bob:corp.example:s3cret     a 16-bit length and bytes
//!   program:  00 02 00 01                      yes; 00 02 00 00 is no
//! ```
//!
//! There is no word for "try again later". The program ends: ejabberd starts it
//! again and takes that as no answer, which it does not remember.

use bytes::BytesMut;
use dmail_core::sasl::{Credentials, login_name};
use dmail_core::{AuthRequest, Origin, Secret, Service, Username, Verdict};

use crate::{Answer, Question, Session, Step, Then, Ticket};

/// The conversation with ejabberd.
#[derive(Debug, Default)]
pub struct ExtauthSession {
    asked: bool,
}

impl ExtauthSession {
    /// A pipe on which nothing was said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is asked for a request; `None` for one that is refused unasked.
    fn question(request: &[u8]) -> Option<AuthRequest> {
        let mut parts = request.splitn(4, |byte| *byte == b':');
        let (verb, user, server) = (parts.next()?, parts.next()?, parts.next()?);
        let mut name = user.to_vec();
        if !server.is_empty() {
            name.push(b'@');
            name.extend_from_slice(server);
        }
        let user = login_name(&name, Username::MAX_BYTES);
        let origin = Origin::local(Service::Line);
        match verb {
            b"auth" => {
                let secret = Secret::new(parts.next()?);
                let (user, secret) = (Credentials { user, secret }).usable().ok()?;
                Some(AuthRequest::check(user, secret, origin))
            }
            b"isuser" => Some(AuthRequest::lookup(user.ok()?, origin)),
            // Changes are made where accounts are managed, not by chat clients.
            _ => None,
        }
    }
}

impl Session for ExtauthSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        while !self.asked {
            let Some([high, low]) = input.first_chunk().copied() else { return Step::More };
            let end = 2 + usize::from(u16::from_be_bytes([high, low]));
            if input.len() < end {
                return Step::More;
            }
            let request = input.split_to(end);
            match Self::question(&request[2..]) {
                Some(request) => {
                    self.asked = true;
                    return Step::Ask(Ticket(1), Question::Authenticate(request));
                }
                None => reply(out, false),
            }
        }
        Step::More
    }

    fn answered(&mut self, _: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        self.asked = false;
        match answer {
            Answer::Verdict(Ok(verdict)) => reply(out, matches!(verdict, Verdict::Accepted(_))),
            _ => return Then::Close,
        }
        Then::GoOn
    }
}

fn reply(out: &mut Vec<u8>, yes: bool) {
    out.extend_from_slice(&[0, 2, 0, u8::from(yes)]);
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, Purpose, Rejection, Unavailable, UnavailableKind};

    use super::*;

    /// The answers (`y`, `n`, or `.` for the end) to `requests`, asked of a
    /// base that knows only bob@corp.example.
    fn talk(requests: &[&str]) -> String {
        let (mut session, mut out) = (ExtauthSession::new(), Vec::new());
        let mut input = BytesMut::new();
        for request in requests {
            let length = u16::try_from(request.len()).expect("a short request");
            input.extend_from_slice(&length.to_be_bytes());
            input.extend_from_slice(request.as_bytes());
        }
        let mut end = "";
        while let Step::Ask(ticket, Question::Authenticate(request)) =
            session.next(&mut input, &mut out)
        {
            let right = match &request.purpose {
                Purpose::Check(secret) => secret.expose() == b"a:b c",
                _ => true,
            };
            let verdict = match request.user.as_str() {
                "down@corp.example" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
                "bob@corp.example" if right => {
                    Ok(Verdict::accepted(Account::named(request.user.clone())))
                }
                _ => Ok(Verdict::Rejected(Rejection::not_verified(&request.user))),
            };
            if session.answered(ticket, Answer::Verdict(verdict), &mut out) != Then::GoOn {
                end = ".";
                break;
            }
        }
        let letter = |reply: &[u8]| match reply {
            [0, 2, 0, 1] => 'y',
            [0, 2, 0, 0] => 'n',
            other => panic!("{other:?}"),
        };
        out.chunks(4).map(letter).collect::<String>() + end
    }

    #[test]
    fn requests_are_answered_in_order() {
        let requests = [
            "auth:bob:corp.example:a:b c",
            "auth:bob:corp.example:wrong",
            "auth:bob:corp.example:",
            "auth:bob:corp.example",
            "isuser:bob:corp.example",
            "isuser:ann:corp.example",
            "setpass:bob:corp.example:new",
            "nonsense",
            "",
            "auth:bob:corp.example:a:b c",
        ];
        assert_eq!(talk(&requests), "ynnnynnnny");
        assert_eq!(talk(&["isuser:down:corp.example", "isuser:bob:corp.example"]), ".");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&bytes[..]);
            let _ = ExtauthSession::new().next(&mut input, &mut Vec::new());
        }
    }
}
