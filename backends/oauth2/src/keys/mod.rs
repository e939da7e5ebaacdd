//! Keys that tokens are signed with. A key knows what it is for: a token can
//! choose among its algorithms, and cannot make it anything else.

mod jwk;
mod material;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;

pub(crate) use jwk::Unreadable;

/// A way to sign (RFC 7518 section 3.1, RFC 8037). There is no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Algorithm {
    EdDsa,
    Es256,
    Es384,
    Es512,
    Hs256,
    Hs384,
    Hs512,
    Ps256,
    Ps384,
    Ps512,
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    /// All of them, by their registered names.
    pub(crate) const ALL: [(&'static str, Self); 13] = [
        ("EdDSA", Self::EdDsa),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("ES512", Self::Es512),
        ("HS256", Self::Hs256),
        ("HS384", Self::Hs384),
        ("HS512", Self::Hs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
    ];

    /// The algorithm of this name, in exactly this spelling.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    /// Whether whoever can check such a signature can make one, too.
    pub(crate) fn is_shared(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name (`kid`). One without a name is tried for every token.
    name: Option<String>,
    /// What it verifies, by each algorithm that it is for.
    verifiers: Vec<(Algorithm, Verifier)>,
}

enum Verifier {
    Public(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

/// It says which kind, and no more: a shared secret is one.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Public(_) => "Public",
            Self::Shared(_) => "Shared(hidden)",
        })
    }
}

impl Verifier {
    fn accepts(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(signed, signature).is_ok(),
            Self::Shared(key) => hmac::verify(key, signed, signature).is_ok(),
        }
    }
}

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

/// Why no key of a set accepts a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    OfThisName,
    ForThisAlgorithm,
    ThatSigned,
}

impl KeySet {
    /// How many keys of one issuer are read at most. All those that have no
    /// name are tried for each token.
    const MAX: usize = 100;

    pub(crate) fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// Reads a JWK Set (RFC 7517): the keys that can verify a signature here.
    ///
    /// # Errors
    ///
    /// If it is none, or has no such key.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Unreadable> {
        jwk::parse(json).map(Self)
    }

    /// The keys themselves.
    pub(crate) fn into_keys(self) -> Vec<Key> {
        self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a key to try for a token that tells this name, or none.
    pub(crate) fn has(&self, name: Option<&str>) -> bool {
        self.named(name).next().is_some()
    }

    /// Whether there is a key of this very name.
    pub(crate) fn has_named(&self, name: Option<&str>) -> bool {
        name.is_some() && self.0.iter().any(|key| key.name.as_deref() == name)
    }

    /// The keys that may have signed a token which tells this name, or none.
    fn named(&self, name: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| match (name, key.name.as_deref()) {
            (Some(told), Some(name)) => told == name,
            (None, _) | (_, None) => true,
        })
    }

    /// Whether a key of this name signed this.
    ///
    /// # Errors
    ///
    /// Says how far the search came.
    pub(crate) fn verify(
        &self,
        name: Option<&str>,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), NoKey> {
        let mut result = NoKey::OfThisName;
        for key in self.named(name) {
            let verifiers = key.verifiers.iter();
            match verifiers.clone().find(|(known, _)| *known == algorithm) {
                Some((_, verifier)) if verifier.accepts(signed, signature) => return Ok(()),
                Some(_) => result = NoKey::ThatSigned,
                None if result == NoKey::OfThisName => result = NoKey::ForThisAlgorithm,
                None => {}
            }
        }
        Err(result)
    }
}

#[cfg(test)]
mod tests;
