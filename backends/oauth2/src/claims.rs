//! What a token says, and whether that is enough: no IO, no clock, no keys.

use dmail_core::{Domain, Username};
use serde_json::{Map, Value};

/// What a token says of itself, or its issuer of it.
pub(crate) type Claims = Map<String, Value>;

/// What a token has to say (oauth2.ini).
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// `iss` is one of these; empty if anybody may be the issuer.
    pub(crate) issuers: Vec<String>,
    /// `aud` has one of these; empty if tokens for others will do.
    pub(crate) audiences: Vec<String>,
    /// `scope` has all of these.
    pub(crate) scopes: Vec<String>,
    /// The claim that names the user.
    pub(crate) user_claim: String,
    /// What is appended to a name without `@`.
    pub(crate) domain: Option<Domain>,
    /// How far clocks may differ, in seconds.
    pub(crate) leeway: u64,
}

/// Who says that the claims are the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vouched {
    /// A signature: nobody is asked whether the token still counts.
    BySignature,
    /// The issuer itself, just now.
    ByIssuer,
}

/// Whose a good token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// As the issuer names the user.
    pub(crate) user: Username,
    /// Until when it counts, in seconds since 1970.
    pub(crate) expires: Option<u64>,
}

/// Why a token is not good. Nothing of the token itself is in it: until its
/// signature was checked, anybody can have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token is not signed by an algorithm that is allowed, and that its key is for")]
    Algorithm,
    #[error("the token is for somebody else than this server (aud)")]
    Audience,
    #[error("the token is bound to a key of the client's (cnf), which no mail protocol shows")]
    Bound,
    #[error("the token has expired (exp)")]
    Expired,
    #[error("the token is another issuer's (iss)")]
    Foreign,
    #[error("the issuer says that the token does not count (any more)")]
    Inactive,
    #[error("no key of the issuer's has the name that the token tells (kid)")]
    Key,
    #[error("a claim of the token is not what it has to be: {0}")]
    Malformed(&'static str),
    #[error("the token does not say who the user is (user_claim)")]
    Nameless,
    #[error("it does not have the form of a token (RFC 6750)")]
    NoToken,
    #[error("a signed token has to say when it expires (exp)")]
    NoExpiry,
    #[error("the token does not count yet (nbf)")]
    NotYet,
    #[error("it is no signed token, and nobody is asked about others (introspection_url)")]
    Opaque,
    #[error("the token lacks a scope that is needed here (scope)")]
    Scope,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the token is another user's")]
    Somebody,
    #[error("it is a token of another kind (typ, crit)")]
    Type,
    #[error("the issuer has not verified the user's address (email_verified)")]
    Unverified,
}

impl Rules {
    /// Whether claims that nobody vouches for are at least of an issuer of
    /// ours: if not, it is not for us to judge them.
    pub(crate) fn is_ours(&self, claims: &Claims) -> bool {
        self.issuers.is_empty() || text(claims, "iss").is_some_and(|iss| self.knows(iss))
    }

    fn knows(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|known| known == issuer)
    }

    /// Whose token this is at the time `now`, in seconds since 1970.
    pub(crate) fn judge(
        &self,
        claims: &Claims,
        vouched: Vouched,
        now: u64,
    ) -> Result<Claimed, Refusal> {
        self.issuer(claims, vouched)?;
        let expires = self.time(claims, vouched, now)?;
        if !self.audiences.is_empty() && !names_one(claims.get("aud"), &self.audiences) {
            return Err(Refusal::Audience);
        }
        if !self.scopes.iter().all(|wanted| scopes(claims).any(|scope| scope == wanted)) {
            return Err(Refusal::Scope);
        }
        if claims.contains_key("cnf") {
            return Err(Refusal::Bound);
        }
        Ok(Claimed { user: self.user(claims)?, expires })
    }

    fn issuer(&self, claims: &Claims, vouched: Vouched) -> Result<(), Refusal> {
        // Whoever was asked is an issuer of ours, and need not say which.
        let silent = vouched == Vouched::ByIssuer && !claims.contains_key("iss");
        if silent || self.is_ours(claims) { Ok(()) } else { Err(Refusal::Foreign) }
    }

    fn time(&self, claims: &Claims, vouched: Vouched, now: u64) -> Result<Option<u64>, Refusal> {
        let expires = date(claims, "exp")?;
        match expires {
            Some(expires) if expires.saturating_add(self.leeway) <= now => {
                return Err(Refusal::Expired);
            }
            None if vouched == Vouched::BySignature => return Err(Refusal::NoExpiry),
            Some(_) | None => {}
        }
        match date(claims, "nbf")? {
            Some(begins) if begins > now.saturating_add(self.leeway) => Err(Refusal::NotYet),
            _ => Ok(expires),
        }
    }

    /// Whom the claims are about.
    pub(crate) fn user(&self, claims: &Claims) -> Result<Username, Refusal> {
        let name = text(claims, &self.user_claim).ok_or(Refusal::Nameless)?;
        // Whoever may write any address into his profile would be anybody.
        let verified = claims.get("email_verified");
        let is_true = |value: &Value| value == &Value::Bool(true) || value == "true";
        if self.user_claim == "email" && verified.is_some_and(|value| !is_true(value)) {
            return Err(Refusal::Unverified);
        }
        let full = match &self.domain {
            Some(domain) if !name.contains('@') => format!("{name}@{domain}"),
            _ => name.to_owned(),
        };
        Username::parse(full.as_bytes()).map_err(|_| Refusal::Nameless)
    }
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// A `NumericDate` (RFC 7519 section 2), which may have a fraction.
fn date(claims: &Claims, name: &'static str) -> Result<Option<u64>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
    // Beyond the last second that there is, it is that one.
    seconds.map(|seconds| Some(seconds as u64)).ok_or(Refusal::Malformed(name))
}

/// Whether a claim that is a text or a list of them has one of `wanted`.
fn names_one(claim: Option<&Value>, wanted: &[String]) -> bool {
    let is_wanted = |value: &Value| value.as_str().is_some_and(|v| wanted.iter().any(|w| w == v));
    match claim {
        Some(Value::Array(values)) => values.iter().any(is_wanted),
        Some(value) => is_wanted(value),
        None => false,
    }
}

/// The scopes of a token: `scope` with blanks between them (RFC 8693), or `scp`
/// in either form, as other issuers have it.
fn scopes(claims: &Claims) -> impl Iterator<Item = &str> {
    let given = ["scope", "scp"].into_iter().filter_map(|name| claims.get(name));
    given.flat_map(|value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        Value::String(text) => text.split(' ').collect(),
        _ => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).expect("JSON")
    }

    fn rules() -> Rules {
        Rules {
            issuers: vec!["https://id.example".into(), "https://id2.example".into()],
            audiences: vec!["mail".into()],
            scopes: vec!["imap".into()],
            user_claim: "email".into(),
            domain: None,
            leeway: 60,
        }
    }

    /// A good token's claims, with some replaced or (null) taken away.
    fn good_but(changes: &str) -> Claims {
        let mut good = claims(
            r#"{"iss": "https://id.example", "aud": "mail", "scope": "openid imap",
                "exp": 1000100, "email": "bob@corp.example"}"#,
        );
        for (name, value) in claims(changes) {
            match value {
                Value::Null => good.remove(&name),
                value => good.insert(name, value),
            };
        }
        good
    }

    #[test]
    fn a_token_says_enough_or_it_is_refused() {
        use Refusal::*;
        let rows: &[(&str, Result<&str, Refusal>)] = &[
            ("{}", Ok("bob@corp.example")),
            (r#"{"iss": "https://id2.example"}"#, Ok("bob@corp.example")),
            (r#"{"iss": "https://id.example/"}"#, Err(Foreign)),
            (r#"{"iss": "https://evil.example"}"#, Err(Foreign)),
            (r#"{"iss": null}"#, Err(Foreign)),
            (r#"{"iss": ["https://id.example"]}"#, Err(Foreign)),
            (r#"{"aud": ["other", "mail"]}"#, Ok("bob@corp.example")),
            (r#"{"aud": "mailer"}"#, Err(Audience)),
            (r#"{"aud": []}"#, Err(Audience)),
            (r#"{"aud": null}"#, Err(Audience)),
            (r#"{"scope": null, "scp": "a imap"}"#, Ok("bob@corp.example")),
            (r#"{"scope": null, "scp": ["a", "imap"]}"#, Ok("bob@corp.example")),
            (r#"{"scope": "imap4"}"#, Err(Scope)),
            (r#"{"scope": null}"#, Err(Scope)),
            (r#"{"scope": 7}"#, Err(Scope)),
            // 60 s of leeway either way, and not one second more.
            (r#"{"exp": 999941}"#, Ok("bob@corp.example")),
            (r#"{"exp": 999940}"#, Err(Expired)),
            (r#"{"exp": 999941.9}"#, Ok("bob@corp.example")),
            (r#"{"exp": 0}"#, Err(Expired)),
            (r#"{"exp": -1}"#, Err(Malformed("exp"))),
            (r#"{"exp": "1000100"}"#, Err(Malformed("exp"))),
            (r#"{"exp": 1e300}"#, Ok("bob@corp.example")),
            (r#"{"exp": null}"#, Err(NoExpiry)),
            (r#"{"nbf": 1000060}"#, Ok("bob@corp.example")),
            (r#"{"nbf": 1000061}"#, Err(NotYet)),
            (r#"{"nbf": true}"#, Err(Malformed("nbf"))),
            (r#"{"email": null, "sub": "bob"}"#, Err(Nameless)),
            (r#"{"email": ""}"#, Err(Nameless)),
            (r#"{"email": "b b@corp.example"}"#, Err(Nameless)),
            (r#"{"email": ["bob@corp.example"]}"#, Err(Nameless)),
            (r#"{"email_verified": true}"#, Ok("bob@corp.example")),
            (r#"{"email_verified": "true"}"#, Ok("bob@corp.example")),
            (r#"{"email_verified": false}"#, Err(Unverified)),
            (r#"{"email_verified": "yes"}"#, Err(Unverified)),
            (r#"{"cnf": {"jkt": "x"}}"#, Err(Bound)),
        ];
        for (changes, expected) in rows {
            let judged = rules().judge(&good_but(changes), Vouched::BySignature, NOW);
            let judged = judged.map(|claimed| claimed.user.to_string());
            assert_eq!(judged, expected.map(str::to_owned), "{changes}");
        }
    }

    #[test]
    fn the_issuer_that_is_asked_need_not_say_everything() {
        let judge = |changes| rules().judge(&good_but(changes), Vouched::ByIssuer, NOW);
        let judged = judge(r#"{"iss": null, "exp": null}"#).expect("a good token");
        assert_eq!((judged.user.as_str(), judged.expires), ("bob@corp.example", None));
        assert_eq!(judge("{}").expect("a good token").expires, Some(1_000_100));
        // But what it says counts, and for whom the token is, it has to say.
        assert_eq!(judge(r#"{"iss": "https://evil.example"}"#), Err(Refusal::Foreign));
        assert_eq!(judge(r#"{"exp": 5}"#), Err(Refusal::Expired));
        assert_eq!(judge(r#"{"aud": null}"#), Err(Refusal::Audience));
    }

    #[test]
    fn a_name_without_a_domain_gets_the_issuers() {
        let domain = dmail_core::Domain::parse("corp.example").ok();
        let rules = Rules { user_claim: "preferred_username".into(), domain, ..rules() };
        for (name, expected) in
            [("bob", "bob@corp.example"), ("bob@else.example", "bob@else.example")]
        {
            let claims = good_but(&format!(r#"{{"preferred_username": "{name}"}}"#));
            let judged = rules.judge(&claims, Vouched::BySignature, NOW).expect("a good token");
            assert_eq!(judged.user.as_str(), expected);
        }
        // An address that is not verified is nobody's name here.
        let claims = good_but(r#"{"preferred_username": "bob", "email_verified": false}"#);
        assert!(rules.judge(&claims, Vouched::BySignature, NOW).is_ok());
    }

    #[test]
    fn without_rules_a_token_needs_an_end_and_a_name() {
        let none = Rules { issuers: vec![], audiences: vec![], scopes: vec![], ..rules() };
        let judge = |json| none.judge(&claims(json), Vouched::BySignature, NOW);
        assert!(judge(r#"{"exp": 1000100, "email": "bob"}"#).is_ok());
        assert_eq!(judge(r#"{"email": "bob"}"#), Err(Refusal::NoExpiry));
    }
}
