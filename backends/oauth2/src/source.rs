//! Tokens as a source of the gateway.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, Evidence, Proof, Proofs, Purpose, ReadName, Rejection,
    RejectionKind, Secret, TokenIssuer, Unavailable, Username, Verdict,
};

use crate::claims::{Claimed, Refusal, Rules, Vouched};
use crate::config::Config;
use crate::introspection::{Introspection, Shown};
use crate::jws::Jws;
use crate::keys::{Algorithm, KeySet};
use crate::remote::{RemoteKeys, Rests};

/// What the source is called in logs and traces.
const SOURCE: &str = "oauth2";

/// Judges tokens.
pub(crate) struct OAuth2 {
    rules: Arc<Rules>,
    algorithms: Vec<Algorithm>,
    keys: KeySet,
    remote: Option<RemoteKeys>,
    introspection: Option<Introspection>,
    issuer: Arc<TokenIssuer>,
}

impl OAuth2 {
    /// Must be called within the runtime.
    pub(crate) fn new(config: Config) -> Self {
        let Config { rules, algorithms, keys, jwks, introspection, manners, told } = config;
        let rules = Arc::new(rules);
        let remote = jwks
            .map(|(url, refresh)| RemoteKeys::start(url, refresh, manners.clone(), Rests::USUAL));
        let introspection = introspection.map(|asking| Introspection::new(asking, manners));
        let issuer = issuer(told, Arc::clone(&rules));
        Self { rules, algorithms, keys, remote, introspection, issuer: Arc::new(issuer) }
    }

    /// Whose a token is.
    async fn judge(&self, shown: Shown<'_>) -> Result<Result<Claimed, Refusal>, Unavailable> {
        let (now, token) = (now(), shown.token);
        if !is_token(token.expose()) {
            return Ok(Err(Refusal::NoToken));
        }
        let has_keys = !self.keys.is_empty() || self.remote.is_some();
        let signed = if has_keys { Jws::parse(token.expose()) } else { None };
        let judged = match (signed, &self.introspection) {
            (Some(signed), _) => self.judge_signed(signed, now).await?,
            (None, Some(issuer)) => return issuer.judge(shown, &self.rules, now).await,
            (None, None) => Err(Refusal::Opaque),
        };
        match (&self.introspection, &judged) {
            // What the keys refuse, the issuer need not be asked about.
            (Some(issuer), Ok(signed)) if issuer.is_asked_about_all() => {
                issuer.judge(Shown { signed: Some(signed), ..shown }, &self.rules, now).await
            }
            _ => Ok(judged),
        }
    }

    async fn judge_signed(
        &self,
        token: Jws<'_>,
        now: u64,
    ) -> Result<Result<Claimed, Refusal>, Unavailable> {
        if !self.rules.is_ours(&token.unverified) {
            return Ok(Err(Refusal::Foreign));
        }
        let algorithm = match token.algorithm(&self.algorithms) {
            Ok(algorithm) => algorithm,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut signed = token.is_signed_by(&self.keys, algorithm);
        if let (Err(_), Some(remote)) = (signed, &self.remote) {
            signed = remote.have_signed(&token, algorithm).await?;
        }
        Ok(signed.and_then(|()| self.rules.judge(&token.unverified, Vouched::BySignature, now)))
    }

    async fn prove(&self, user: &Username, proof: &Proof) -> Result<Verdict, Unavailable> {
        let Evidence::Token(token) = &proof.evidence else {
            return Ok(Verdict::Rejected(Rejection::unsupported()));
        };
        let is_asker = |named: &Username| proof.is_about(named, user);
        let shown = Shown { token, asker: user, is_asker: &is_asker, signed: None };
        let refusal = match self.judge(shown).await? {
            Ok(claimed) if is_asker(&claimed.user) => {
                return Ok(Verdict::accepted(Account::named(user.clone())));
            }
            Ok(_) => Refusal::Somebody,
            Err(refusal) => refusal,
        };
        // A token of somebody else's issuer may be good there.
        let kind = match refusal {
            Refusal::Foreign => RejectionKind::UnknownUser,
            _ => RejectionKind::NotVerified,
        };
        let rejection = Rejection::new(kind, format!("{user}: {refusal}"));
        Ok(Verdict::Rejected(match refusal {
            Refusal::Expired | Refusal::NotYet => rejection.of_no_guess(),
            _ => rejection,
        }))
    }
}

#[async_trait]
impl Authenticator for OAuth2 {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = match &request.purpose {
            Purpose::Prove(proof) => self.prove(&request.user, proof).await,
            Purpose::Check(_) | Purpose::Lookup | Purpose::Salt(_) => {
                Ok(Verdict::Rejected(Rejection::unsupported()))
            }
        };
        request.note_answer(SOURCE, &verdict);
        if let Ok(Verdict::Rejected(rejection)) = &verdict {
            request.note(SOURCE, || rejection.text.clone());
        }
        verdict
    }

    fn proofs(&self) -> Proofs {
        Proofs::TOKENS
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        Some(Arc::clone(&self.issuer))
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.introspection.as_ref().map_or(0, |introspection| introspection.forget(mask))
    }

    async fn close(&self) {
        if let Some(remote) = &self.remote {
            remote.close();
        }
    }
}

/// What protocols have to know. The name can be read in tokens that are signed.
fn issuer(told: (Option<Box<str>>, Option<Box<str>>), rules: Arc<Rules>) -> TokenIssuer {
    let (scope, configuration) = told;
    let named: ReadName = Box::new(move |token: &Secret| {
        let claims = Jws::parse(token.expose())?.unverified;
        if rules.is_ours(&claims) { rules.user(&claims).ok() } else { None }
    });
    TokenIssuer { scope, configuration, named: Some(named) }
}

/// Whether it has the form of a token (RFC 6750 section 2.1): nobody is asked
/// about anything else.
fn is_token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    end > 0 && text[..end].iter().all(plain)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
