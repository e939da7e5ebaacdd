//! What the fuzz target feeds: parsers of foreign bytes that are no part of
//! this crate's interface.

use crate::introspection;
use crate::jws::Jws;
use crate::keys::{Algorithm, KeySet};
use crate::web::{self, Answer};

/// A token, and a list of keys that may judge it. Returns whether it is good:
/// whoever cannot sign must never see that.
#[must_use]
pub fn token(keys: &[u8], token: &[u8]) -> bool {
    let (Ok(keys), Some(token)) = (KeySet::parse(keys), Jws::parse(token)) else { return false };
    let all = Algorithm::ALL.map(|(_, algorithm)| algorithm);
    match token.algorithm(&all) {
        Ok(algorithm) => token.is_signed_by(&keys, algorithm).is_ok(),
        Err(_) => false,
    }
}

/// An answer of an issuer's, as it comes over a connection.
pub fn answer(bytes: &[u8], ended: bool) {
    if let Ok(Some(answer)) = web::parse_answer(bytes, ended, 4096) {
        let _ = introspection::read(&answer);
    }
    let _ = introspection::read(&Answer { status: 200, body: bytes.into(), keeps: false });
}
