//! Keyed hashes of secrets: what the gateway remembers instead of a password.

use dmail_core::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Makes tags of secrets under a random key that lives as long as the process
/// and is written nowhere. A tag is worth nothing without the key.
#[derive(Clone)]
pub(crate) struct Tagger {
    /// HMAC-SHA-256 that has taken its key already.
    keyed: Hmac<Sha256>,
}

/// The keyed hash of a secret. Compared in constant time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag([u8; 16]);

impl Tagger {
    pub(crate) fn new() -> Self {
        let key: [u8; 32] = rand::random();
        let keyed = Hmac::new_from_slice(&key).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// The tag of `secret`.
    pub(crate) fn tag(&self, secret: &Secret) -> Tag {
        let mut mac = self.keyed.clone();
        mac.update(secret.expose());
        Tag::of(mac)
    }
}

impl Tag {
    fn of(mac: Hmac<Sha256>) -> Self {
        let full = mac.finalize().into_bytes();
        let mut tag = [0; 16];
        tag.copy_from_slice(&full[..16]);
        Self(tag)
    }

    /// The tag as a number, for tables whose keys nobody can choose.
    pub(crate) fn bits(self) -> u128 {
        u128::from_le_bytes(self.0)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Tag {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_of_one_secret_and_one_process() {
        let tagger = Tagger::new();
        let (a, b) = (Secret::new(*b"a"), Secret::new(*b"b"));
        assert!(tagger.tag(&a) == tagger.tag(&a));
        assert!(tagger.tag(&a) != tagger.tag(&b));
        assert!(tagger.tag(&a) != Tagger::new().tag(&a));
    }
}
