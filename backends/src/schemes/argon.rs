//! argon2 in PHC form (RFC 9106; `$argon2id$v=19$m=…,t=…,p=…$salt$hash`).

use argon2::{Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier};
use dmail_core::Secret;
use password_hash::Error;

use super::SchemeError;

const SCHEME: &str = "argon2";

/// The version of texts without `v=`, which is how the first release wrote them.
const VERSION_UNLESS_GIVEN: u32 = 0x10;

pub(super) fn verify(text: &str, secret: &Secret) -> Result<bool, SchemeError> {
    let malformed = SchemeError::Malformed { scheme: SCHEME };
    let mut stored = PasswordHash::new(text).map_err(|_| malformed.clone())?;
    if stored.salt.is_none() || stored.hash.is_none() {
        return Err(malformed);
    }
    stored.version.get_or_insert(VERSION_UNLESS_GIVEN);
    let params = Params::try_from(&stored).map_err(|_| malformed.clone())?;
    check_cost(&params)?;
    match Argon2::default().verify_password(secret.expose(), &stored) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(Error::OutOfMemory) => Err(SchemeError::Machine { scheme: SCHEME }),
        Err(_) => Err(malformed),
    }
}

pub(super) fn hash(secret: &Secret) -> Result<String, SchemeError> {
    let salt: [u8; 16] = rand::random();
    // The crate's defaults are OWASP's second choice: 19 MiB, t=2, p=1.
    Argon2::default()
        .hash_password_with_salt(secret.expose(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| SchemeError::Machine { scheme: SCHEME })
}

fn check_cost(params: &Params) -> Result<(), SchemeError> {
    let too_costly = |limit| SchemeError::TooCostly { scheme: SCHEME, limit };
    if params.m_cost() > 256 * 1024 {
        return Err(too_costly("more than 256 MiB of memory"));
    }
    if params.t_cost() > 20 {
        return Err(too_costly("more than 20 passes"));
    }
    if params.p_cost() > 16 {
        return Err(too_costly("more than 16 lanes"));
    }
    Ok(())
}
