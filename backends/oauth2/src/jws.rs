//! A signed token: JWS in its compact form (RFC 7515 section 3.1), with claims
//! in it (RFC 7519).
//!
//! ```text
//!   eyJhbGciOi….eyJpc3MiOi….SflKxwRJSM…     base64url without padding
//!   header      claims      signature
//!   └─── signed ──────────┘
//! ```
//!
//! Nothing here is believed by being read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::claims::{Claims, Refusal};
use crate::keys::{Algorithm, KeySet, NoKey};

/// A signed token, taken apart.
#[derive(Debug)]
pub(crate) struct Jws<'a> {
    signed: &'a [u8],
    header: Header,
    /// What it claims, which nobody vouches for so far.
    pub(crate) unverified: Claims,
    signature: Vec<u8>,
}

/// The members of a header that mean something here.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood; none is (RFC 7515 section 4.1.11).
    crit: Option<IgnoredAny>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. `None` if it is none of this kind: what looks so
    /// to nobody else either is a text that only its issuer understands.
    pub(crate) fn parse(token: &'a [u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let signed = &token[..header.len() + 1 + claims.len()];
        let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok();
        let header = serde_json::from_slice(&decode(header)?).ok()?;
        let unverified = serde_json::from_slice(&decode(claims)?).ok()?;
        Some(Self { signed, header, unverified, signature: decode(signature)? })
    }

    /// The name of the key that it was signed with, if it tells.
    pub(crate) fn key_name(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The algorithm that it says it is signed by, if that is one of `allowed`
    /// and the token is an access token or does not say what it is. An issuer
    /// also signs what was never meant to be shown (RFC 8725 section 3.11).
    pub(crate) fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, Refusal> {
        let usual = |typ: &str| {
            let typ = typ.strip_prefix("application/").unwrap_or(typ);
            ["jwt", "at+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
        };
        if self.header.crit.is_some() || !self.header.typ.as_deref().is_none_or(usual) {
            return Err(Refusal::Type);
        }
        let named = Algorithm::parse(&self.header.alg);
        named.filter(|algorithm| allowed.contains(algorithm)).ok_or(Refusal::Algorithm)
    }

    /// Whether one of `keys` has signed the claims by `algorithm`.
    pub(crate) fn is_signed_by(&self, keys: &KeySet, algorithm: Algorithm) -> Result<(), Refusal> {
        let verified = keys.verify(self.key_name(), algorithm, self.signed, &self.signature);
        verified.map_err(|why| match why {
            NoKey::OfThisName => Refusal::Key,
            NoKey::ForThisAlgorithm => Refusal::Algorithm,
            NoKey::ThatSigned => Refusal::Signature,
        })
    }
}
