//! Asking the issuer whether a token counts (RFC 7662).
//!
//! | the issuer says | that is |
//! |---|---|
//! | 200, `active` true | its claims, which are judged like those of a signed one |
//! | 200, `active` false | no |
//! | 401, 403 | a fault: it does not know *us* |
//! | anything else, or nothing in time | try again later |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dmail_core::{Secret, Unavailable, UnavailableKind, Username};
use hyper::header::HeaderValue;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::claims::{Claimed, Claims, Refusal, Rules, Vouched};
use crate::config::{Asking, Identity, Introspect};
use crate::memory::Memory;
use crate::web::{Answer, Manners, Service, put_encoded};

/// Longest answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A token, and who shows it.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The token.
    pub(crate) token: &'a Secret,
    /// Who logs in with it, as the gateway calls him.
    pub(crate) asker: &'a Username,
    /// Whether it is the asker whom the issuer calls so.
    pub(crate) is_asker: &'a (dyn Fn(&Username) -> bool + Sync),
    /// What its signature vouches for, if that was looked at.
    pub(crate) signed: Option<&'a Claimed>,
}

/// The service of an issuer that is asked.
pub(crate) struct Introspection {
    service: Service,
    /// What we say of who we are.
    identity: Option<HeaderValue>,
    which: Introspect,
    memory: Option<Memory>,
}

impl Introspection {
    pub(crate) fn new(asking: Asking, manners: Manners) -> Self {
        let Asking { url, identity, which, remember } = asking;
        let memory = (!remember.is_zero()).then(|| Memory::new(remember));
        let service = Service::new(url, manners);
        Self { service, identity: authorization(&identity), which, memory }
    }

    /// Whether it is also asked about tokens that keys could judge.
    pub(crate) fn is_asked_about_all(&self) -> bool {
        self.which == Introspect::All
    }

    /// Whose a token is that is shown at the time `now`. Of one that is signed,
    /// the issuer need only say that it still counts; it may not say that it is
    /// somebody else's.
    ///
    /// # Errors
    ///
    /// If the issuer does not say.
    pub(crate) async fn judge(
        &self,
        shown: Shown<'_>,
        rules: &Rules,
        now: u64,
    ) -> Result<Result<Claimed, Refusal>, Unavailable> {
        let Shown { token, asker, is_asker, signed } = shown;
        let known = self.memory.as_ref().and_then(|memory| memory.recall(token, now));
        if let Some(claimed) = known {
            return Ok(Ok(claimed));
        }
        let age = self.memory.as_ref().map(Memory::age);
        let Some(claims) = self.ask(token).await? else { return Ok(Err(Refusal::Inactive)) };
        let judged = match signed {
            None => rules.judge(&claims, Vouched::ByIssuer, now),
            Some(signed) => match rules.user(&claims) {
                Ok(user) if !user.same_but_for_case(&signed.user) => Err(Refusal::Somebody),
                _ => Ok(signed.clone()),
            },
        };
        // Under the name of whoever else shows it, nobody would find it to
        // forget it.
        if let (Some(memory), Some(age), Ok(claimed)) = (&self.memory, age, &judged)
            && is_asker(&claimed.user)
        {
            memory.keep(token, claimed, asker, age);
        }
        Ok(judged)
    }

    /// Forgets tokens of the users that a mask is about.
    pub(crate) fn forget(&self, mask: &str) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.forget(mask))
    }

    /// What the issuer says of a token; `None` if it does not count.
    async fn ask(&self, token: &Secret) -> Result<Option<Claims>, Unavailable> {
        let mut form = Zeroizing::new(Vec::with_capacity(3 * token.expose().len() + 64));
        form.extend_from_slice(b"token=");
        put_encoded(&mut form, token.expose());
        form.extend_from_slice(b"&token_type_hint=access_token");
        let answer = self.service.post(self.identity.as_ref(), form, MAX_ANSWER).await?;
        read(&answer)
            .map_err(|(kind, why)| Unavailable::new(kind, format!("{}: {why}", self.service.url())))
    }
}

/// What an answer says, or why it says nothing.
pub(crate) fn read(answer: &Answer) -> Result<Option<Claims>, (UnavailableKind, String)> {
    let fault = |why: &str| Err((UnavailableKind::Fault, why.to_owned()));
    match answer.status {
        200 => {}
        401 | 403 => {
            let why = "it does not know us: see client_id, client_secret_file, bearer_file";
            return Err((UnavailableKind::Fault, format!("status {}: {why}", answer.status)));
        }
        status @ (429 | 500..) => return Err((UnavailableKind::Dead, format!("status {status}"))),
        status => return fault(&format!("status {status}, and no word of the token")),
    }
    let Ok(Value::Object(claims)) = serde_json::from_slice(&answer.body) else {
        return fault("its answer is no JSON object");
    };
    match claims.get("active") {
        Some(Value::Bool(true)) => Ok(Some(claims)),
        Some(Value::Bool(false)) => Ok(None),
        _ => fault("its answer does not say whether the token is active"),
    }
}

/// The value of the header `Authorization`, which is wiped in the end.
fn authorization(identity: &Identity) -> Option<HeaderValue> {
    let shown = match identity {
        Identity::Nobody => return None,
        Identity::Client(id, secret) => {
            // Both as in a form (RFC 6749 section 2.3.1).
            let room = 3 * (id.len() + secret.expose().len()) + 1;
            let mut pair = Zeroizing::new(Vec::with_capacity(room));
            put_encoded(&mut pair, id.as_bytes());
            pair.push(b':');
            put_encoded(&mut pair, secret.expose());
            let coded = Zeroizing::new(STANDARD.encode(&*pair));
            Zeroizing::new([b"Basic ", coded.as_bytes()].concat())
        }
        Identity::Bearer(token) => Zeroizing::new([b"Bearer ", token.expose()].concat()),
    };
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(shown));
    let mut value = value.expect("a secret with control characters was refused when it was read");
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_we_are_is_one_header() {
        let client = Identity::Client("d:mail".into(), Secret::new(*b"a b+c"));
        let coded = STANDARD.encode("d%3Amail:a%20b%2Bc");
        let shown = |identity| authorization(&identity).expect("a header");
        assert_eq!(shown(client), format!("Basic {coded}"));
        assert_eq!(shown(Identity::Bearer(Secret::new(*b"ours"))), "Bearer ours");
        assert_eq!(authorization(&Identity::Nobody), None);
        // No log of a library's shows it.
        let secret = format!("{:?}", shown(Identity::Bearer(Secret::new(*b"ours"))));
        assert!(!secret.contains("ours"), "{secret}");
    }

    #[test]
    fn only_a_clear_word_of_the_issuer_is_a_verdict() {
        use UnavailableKind::{Dead, Fault};
        let rows = [
            (200, r#"{"active": true, "sub": "x"}"#, Ok(true)),
            (200, r#"{"active": false}"#, Ok(false)),
            (200, r#"{"active": "true"}"#, Err(Fault)),
            (200, r#"{"sub": "x"}"#, Err(Fault)),
            (200, r#"{}"#, Err(Fault)),
            (200, r#"[true]"#, Err(Fault)),
            (200, "", Err(Fault)),
            (200, "<html>Log in</html>", Err(Fault)),
            (302, "", Err(Fault)),
            (400, r#"{"active": false}"#, Err(Fault)),
            (401, r#"{"active": false}"#, Err(Fault)),
            (404, "", Err(Fault)),
            (429, "", Err(Dead)),
            (500, r#"{"active": false}"#, Err(Dead)),
            (503, "", Err(Dead)),
        ];
        for (status, body, expected) in rows {
            let answer = Answer { status, body: body.into() };
            let found = read(&answer).map(|claims| claims.is_some()).map_err(|(kind, _)| kind);
            assert_eq!(found, expected, "{status} {body}");
        }
    }
}
