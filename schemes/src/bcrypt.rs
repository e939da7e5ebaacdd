//! bcrypt: `$2b$cost$salt-and-hash`, and its equals `$2a$` and `$2y$`.

use ::bcrypt::{BcryptError, HashParts};
use dmail_core::Secret;

use super::SchemeError;

const SCHEME: &str = "bcrypt";

/// Two to the power of this many rounds: about 50 ms.
const COST: u32 = 10;

/// A few seconds; each step more doubles it.
const MAX_COST: u32 = 16;

pub(super) fn verify(text: &str, secret: &Secret) -> Result<bool, SchemeError> {
    let malformed = SchemeError::Malformed { scheme: SCHEME };
    let parts: HashParts = text.parse().map_err(|_| malformed.clone())?;
    if parts.get_cost() > MAX_COST {
        return Err(SchemeError::TooCostly { scheme: SCHEME, limit: "a cost of more than 16" });
    }
    // Other programs cut at 72 bytes without a word, so we must as well.
    ::bcrypt::verify(secret.expose(), text).map_err(|_| malformed)
}

pub(super) fn hash(secret: &Secret) -> Result<String, SchemeError> {
    if secret.expose().contains(&0) {
        return Err(SchemeError::Secret { scheme: SCHEME, why: "it holds a NUL byte" });
    }
    ::bcrypt::non_truncating_hash(secret.expose(), COST).map_err(|error| match error {
        BcryptError::Truncation(_) => SchemeError::Secret {
            scheme: SCHEME,
            why: "it has more than 71 bytes, and the rest would not count",
        },
        _ => SchemeError::Machine { scheme: SCHEME },
    })
}

/// Whether `text` has a lower cost than a new text would have.
pub(super) fn is_cheap(text: &str) -> bool {
    text.parse().is_ok_and(|parts: HashParts| parts.get_cost() < COST)
}
