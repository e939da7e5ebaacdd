//! What the fuzz target feeds: parsers of foreign bytes that are no part of
//! this crate's interface.

use crate::introspection;
use crate::jws::Jws;
use crate::keys::{Algorithm, KeySet};
use crate::web::Answer;

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

/// What an issuer answers when it is asked about a token.
pub fn answer(status: u16, body: &[u8]) {
    let _ = introspection::read(&Answer { status, body: body.into() });
}
