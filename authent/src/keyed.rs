//! Keyed hashes of secrets: what the gateway remembers instead of a password.

use std::net::IpAddr;

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

/// The keyed hash of a secret, and of the address it came from where that
/// matters. Compared in constant time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tag([u8; 16]);

impl Tagger {
    pub(crate) fn new() -> Self {
        let key: [u8; 32] = rand::random();
        let keyed = Hmac::new_from_slice(&key).expect("HMAC takes keys of any length");
        Self { keyed }
    }

    /// The tag of `secret`, bound to `client` if one is given.
    pub(crate) fn tag(&self, secret: &Secret, client: Option<IpAddr>) -> Tag {
        let mut mac = self.keyed.clone();
        // Fixed lengths in front, so that no secret can pass for another pair.
        match client.map(|client| client.to_canonical()) {
            None => mac.update(&[0]),
            Some(IpAddr::V4(v4)) => {
                mac.update(&[4]);
                mac.update(&v4.octets());
            }
            Some(IpAddr::V6(v6)) => {
                mac.update(&[6]);
                mac.update(&v6.octets());
            }
        }
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
    fn a_tag_is_of_one_secret_one_address_and_one_process() {
        let tagger = Tagger::new();
        let (a, b) = (Secret::new(*b"a"), Secret::new(*b"b"));
        let ip: Option<IpAddr> = "192.0.2.1".parse().ok();
        assert!(tagger.tag(&a, None) == tagger.tag(&a, None));
        assert!(tagger.tag(&a, None) != tagger.tag(&b, None));
        assert!(tagger.tag(&a, None) != tagger.tag(&a, ip));
        assert!(tagger.tag(&a, ip) == tagger.tag(&a, "::ffff:192.0.2.1".parse().ok()));
        assert!(tagger.tag(&a, None) != Tagger::new().tag(&a, None));
    }
}
