//! Salts for those who have none: who asks for a salt must not learn from it
//! who is there.
//!
//! A made-up salt is a keyed hash of the name, so it is the same each time. The
//! key comes from the machine's id (machine-id(5)), which is not to be known
//! outside, so it is the same after a restart, too; on a machine without one it
//! is random, and lives as long as the process.

use std::sync::OnceLock;

use dmail_core::{Salt, ScramHash, Username};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What the machine's id is used for, so that it serves nothing else.
const PURPOSE: &[u8] = b"dmail: salts of users that are not there";

/// The salt that nobody of this name has.
pub(crate) fn salt(user: &Username, hash: ScramHash) -> Salt {
    let mut mac = keyed().clone();
    mac.update(hash.name().as_bytes());
    mac.update(b"\0");
    mac.update(user.as_str().as_bytes());
    let bytes = mac.finalize().into_bytes()[..Salt::BYTES].into();
    Salt { bytes, iterations: Salt::ITERATIONS }
}

fn keyed() -> &'static Hmac<Sha256> {
    static KEYED: OnceLock<Hmac<Sha256>> = OnceLock::new();
    KEYED.get_or_init(|| {
        let id = std::fs::read("/etc/machine-id").ok().filter(|id| id.len() >= 32);
        let id = id.unwrap_or_else(|| rand::random::<[u8; 32]>().to_vec());
        let mut mac = new(&id);
        mac.update(PURPOSE);
        new(&mac.finalize().into_bytes())
    })
}

fn new(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_salt_is_always_the_same_and_looks_like_a_real_one() {
        let name = |text: &str| Username::parse(text.as_bytes()).expect("a name");
        let eve = salt(&name("eve"), ScramHash::Sha256);
        assert_eq!(eve, salt(&name("eve"), ScramHash::Sha256));
        assert_ne!(eve, salt(&name("eva"), ScramHash::Sha256));
        assert_ne!(eve, salt(&name("eve"), ScramHash::Sha1));
        assert_eq!((eve.bytes.len(), eve.iterations), (Salt::BYTES, Salt::ITERATIONS));
    }
}
