//! saslauthd's socket: what Cyrus SASL (`pwcheck_method: saslauthd`), OpenLDAP's
//! `{SASL}` passwords, Exim's `saslauthd` condition and Postfix with Cyrus SASL
//! ask. One request a connection.
//!
//! ```text
//!   client: login password service realm    each a 16-bit length and bytes
//!   server: OK │ NO                          the same, and the end
//! ```
//!
//! Later versions of Cyrus SASL send a fifth field, `address;port` of the
//! client. Nothing announces it: [`SaslauthdSession::next`] takes it if it is
//! there already; whoever runs the session may wait a moment for it.
//!
//! There is no word for "try again later". The connection just ends, which
//! Postfix tells as 454 and Exim as a deferral.

use std::net::IpAddr;

use bytes::{Buf, BytesMut};
use dmail_core::{Origin, Secret, Verdict};

use crate::refused::check;
use crate::{Answer, Question, Session, Step, Then, Ticket, service};

/// Longest field, in bytes: what 16 bits can say.
const MAX_FIELD: usize = 65_535;

/// One client's conversation.
#[derive(Debug, Default)]
pub struct SaslauthdSession {
    stage: Stage,
}

/// What becomes of the one request.
#[derive(Debug, Default)]
enum Stage {
    /// It has not arrived yet.
    #[default]
    Reading,
    /// It has been asked.
    Asked,
    /// It was refused, and there is nothing more to say.
    Over,
}

impl SaslauthdSession {
    /// A connection on which nothing was said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Session for SaslauthdSession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        match self.stage {
            Stage::Reading => {}
            Stage::Asked => {
                input.clear();
                return Step::More;
            }
            Stage::Over => return Step::Done,
        }
        let Some(fields) = fields(input) else { return Step::More };
        let [login, password, service, realm] = fields.map(|field| input[field].to_vec());
        let used = 8 + login.len() + password.len() + service.len() + realm.len();
        let secret = Secret::new(password);
        input.advance(used);
        let origin = Origin {
            client: counted(input, 0).and_then(|(field, _)| address(&input[field])),
            ..Origin::local(service::named(&service))
        };
        input.clear();
        let mut name = login;
        if !realm.is_empty() {
            name.push(b'@');
            name.extend_from_slice(&realm);
        }
        match check(&name, secret, origin) {
            Ok(request) => {
                self.stage = Stage::Asked;
                Step::Ask(Ticket(1), Question::Authenticate(request))
            }
            Err(refused) => {
                self.stage = Stage::Over;
                reply(out, "NO");
                Step::Refused(refused)
            }
        }
    }

    fn answered(&mut self, _: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        match answer {
            Answer::Verdict(Ok(Verdict::Accepted(_))) => reply(out, "OK"),
            Answer::Verdict(Ok(Verdict::Rejected(_))) => reply(out, "NO"),
            // Nothing is said: a temporary failure.
            _ => {}
        }
        Then::Close
    }
}

/// Where the four fields of a request are, once all of them are there.
fn fields(input: &[u8]) -> Option<[std::ops::Range<usize>; 4]> {
    let (login, end) = counted(input, 0)?;
    let (password, end) = counted(input, end)?;
    let (service, end) = counted(input, end)?;
    let (realm, _) = counted(input, end)?;
    Some([login, password, service, realm])
}

/// The field that starts `at`, and where the next one does.
fn counted(input: &[u8], at: usize) -> Option<(std::ops::Range<usize>, usize)> {
    let [high, low] = *input.get(at..)?.first_chunk()?;
    let start = at + 2;
    let end = start + usize::from(u16::from_be_bytes([high, low]));
    debug_assert!(end - start <= MAX_FIELD);
    (input.len() >= end).then_some((start..end, end))
}

/// The address in `address;port`.
fn address(field: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(field).ok()?;
    let address: IpAddr = text.split(';').next()?.parse().ok()?;
    Some(address.to_canonical())
}

fn reply(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use dmail_core::{
        Account, AuthRequest, Purpose, Rejection, Service, Unavailable, UnavailableKind, Username,
    };

    use super::*;

    fn request(fields: &[&[u8]]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for field in fields {
            let length = u16::try_from(field.len()).expect("a short field");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(field);
        }
        bytes
    }

    /// What is asked when `bytes` arrive one by one.
    fn asked(bytes: &[u8]) -> Option<AuthRequest> {
        let (mut session, mut out) = (SaslauthdSession::new(), Vec::new());
        let mut input = BytesMut::new();
        for byte in bytes {
            input.extend_from_slice(&[*byte]);
            match session.next(&mut input, &mut out) {
                Step::More => {}
                Step::Ask(Ticket(1), Question::Authenticate(request)) => return Some(request),
                step => panic!("{step:?}"),
            }
        }
        None
    }

    #[test]
    fn a_request_of_four_fields_is_asked_when_it_is_whole() {
        let rows: [(&[&[u8]], &str); 3] = [
            (&[b"bob", b"s3cret", b"smtp", b""], "bob"),
            (&[b"bob", b"s3cret", b"imap", b"corp.example"], "bob@corp.example"),
            (&[b"bob@corp.example", b"a b\xff", b"", b""], "bob@corp.example"),
        ];
        for (fields, user) in rows {
            let request = asked(&request(fields)).expect("a question");
            assert_eq!(request.user.as_str(), user);
            let Purpose::Check(secret) = request.purpose else { panic!("a check") };
            assert_eq!(secret.expose(), fields[1]);
        }
        assert!(asked(&request(&[b"bob", b"s3cret", b"smtp"])).is_none());
    }

    #[test]
    fn the_clients_address_is_taken_if_it_is_there() {
        let mut input = request(&[b"bob", b"s3cret", b"smtp", b"", b"192.0.2.7;4242"]);
        let step = SaslauthdSession::new().next(&mut input, &mut Vec::new());
        let Step::Ask(_, Question::Authenticate(request)) = step else { panic!("{step:?}") };
        assert_eq!(request.origin.client, Some("192.0.2.7".parse().expect("an address")));
        assert_eq!(request.origin.service, Service::Smtp);
    }

    #[test]
    fn nobody_is_asked_about_an_empty_name_or_password() {
        for (fields, user, why) in [
            ([&b""[..], b"x", b"smtp", b""], None, "user name: the name is empty"),
            ([b"bob", b"", b"smtp", b""], Some("bob"), "the password is empty"),
        ] {
            let (mut session, mut out) = (SaslauthdSession::new(), Vec::new());
            let step = session.next(&mut request(&fields), &mut out);
            let Step::Refused(refused) = step else { panic!("{step:?}") };
            assert_eq!(refused.user.as_ref().map(Username::as_str), user);
            assert_eq!((refused.origin.service, refused.reason), (Service::Smtp, "bad-input"));
            assert_eq!(refused.text, why);
            assert_eq!(out, b"\0\x02NO");
            let step = session.next(&mut BytesMut::new(), &mut out);
            assert!(matches!(step, Step::Done), "{step:?}");
        }
    }

    #[test]
    fn nobodys_decision_is_silence() {
        let user = Username::parse(b"bob").expect("a name");
        let accepted = Verdict::accepted(Account::named(user.clone()));
        let rejected = Verdict::Rejected(Rejection::not_verified(&user));
        let dead = Unavailable::new(UnavailableKind::Dead, "down");
        let rows: [(Result<Verdict, Unavailable>, &[u8]); 3] =
            [(Ok(accepted), b"\0\x02OK"), (Ok(rejected), b"\0\x02NO"), (Err(dead), b"")];
        for (verdict, expected) in rows {
            let mut out = Vec::new();
            let answer = Answer::Verdict(verdict);
            let then = SaslauthdSession::new().answered(Ticket(1), answer, &mut out);
            assert!(matches!(then, Then::Close), "{then:?}");
            assert_eq!(out, expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&bytes[..]);
            let _ = SaslauthdSession::new().next(&mut input, &mut Vec::new());
        }
    }
}
