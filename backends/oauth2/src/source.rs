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
use crate::introspection::Introspection;
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

    /// Whose a token is, which `asker` shows.
    async fn judge(
        &self,
        token: &Secret,
        asker: &Username,
    ) -> Result<Result<Claimed, Refusal>, Unavailable> {
        let now = now();
        let has_keys = !self.keys.is_empty() || self.remote.is_some();
        let signed = if has_keys { Jws::parse(token.expose()) } else { None };
        let judged = match (signed, &self.introspection) {
            (Some(signed), _) => self.judge_signed(signed, now).await?,
            (None, Some(issuer)) => return issuer.judge(token, &self.rules, asker, now).await,
            (None, None) => Err(Refusal::Opaque),
        };
        match &self.introspection {
            // What the keys refuse, the issuer need not be asked about.
            Some(issuer) if judged.is_ok() && issuer.is_asked_about_all() => {
                issuer.judge(token, &self.rules, asker, now).await
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
            let keys = remote.keys_for(token.key_name()).await?;
            signed = token.is_signed_by(&keys, algorithm);
        }
        Ok(signed.and_then(|()| self.rules.judge(&token.unverified, Vouched::BySignature, now)))
    }

    async fn prove(&self, user: &Username, proof: &Proof) -> Result<Verdict, Unavailable> {
        let Evidence::Token(token) = &proof.evidence else {
            return Ok(Verdict::Rejected(Rejection::unsupported()));
        };
        let refusal = match self.judge(token, user).await? {
            Ok(claimed) if proof.is_about(&claimed.user, user) => {
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
        Ok(Verdict::Rejected(Rejection::new(kind, format!("{user}: {refusal}"))))
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

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
