//! A JWK Set (RFC 7517): the list of keys that an issuer publishes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::material::{BadKey, ED25519, P256, P384, P521};
use super::{Algorithm, Key, KeySet};

/// Why a list of keys is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is no JWK Set: JSON with a list of `keys`")]
    NotJson,
    #[error("it has more keys than any issuer needs")]
    TooMany,
    #[error("it has no public key for signatures")]
    Empty,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The members of a key that mean something here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys that can verify a signature here. Those of other kinds, which an
/// issuer may well have, are passed over, and so are shared secrets: whoever
/// reads the list could sign with them.
pub(super) fn parse(json: &[u8]) -> Result<Vec<Key>, Unreadable> {
    let set: Set = serde_json::from_slice(json).map_err(|_| Unreadable::NotJson)?;
    if set.keys.len() > KeySet::MAX {
        return Err(Unreadable::TooMany);
    }
    let keys: Vec<Key> = set.keys.into_iter().filter_map(usable).collect();
    if keys.is_empty() { Err(Unreadable::Empty) } else { Ok(keys) }
}

fn usable(key: Value) -> Option<Key> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    if key.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    match key.into_key() {
        Ok(key) => Some(key),
        Err(error) => {
            tracing::debug!(%error, "a key of the issuer's is passed over");
            None
        }
    }
}

impl Jwk {
    fn into_key(self) -> Result<Key, BadKey> {
        let number = |text: &Option<String>| {
            let decoded = text.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
            decoded.ok_or(BadKey::Kind)
        };
        let name = self.kid.clone();
        let curve = self.crv.as_deref().unwrap_or_default();
        let key = match (self.kty.as_str(), curve) {
            ("RSA", _) => Key::rsa(name, &number(&self.n)?, &number(&self.e)?),
            ("EC", "P-256" | "P-384" | "P-521") => {
                // An uncompressed point (SEC 1 section 2.3.3).
                let point = [vec![4], number(&self.x)?, number(&self.y)?].concat();
                match curve {
                    "P-256" => Key::public(name, &*P256, &point),
                    "P-384" => Key::public(name, &*P384, &point),
                    _ => Key::public(name, &*P521, &point),
                }
            }
            ("OKP", "Ed25519") => Key::public(name, &*ED25519, &number(&self.x)?),
            _ => Err(BadKey::Kind),
        }?;
        match self.alg.as_deref() {
            None => Ok(key),
            Some(alg) => key.only_for(Algorithm::parse(alg).ok_or(BadKey::Kind)?),
        }
    }
}
