//! SHA-crypt: `$5$salt$hash` (SHA-256) and `$6$salt$hash` (SHA-512), with an
//! optional `rounds=n$` before the salt.

use ::sha_crypt::{Algorithm, Params, PasswordHasher, PasswordVerifier, ShaCrypt};
use dmail_core::Secret;
use password_hash::Error;

use super::SchemeError;

/// Which digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `$5$`.
    Sha256,
    /// `$6$`.
    Sha512,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256-crypt",
            Self::Sha512 => "sha512-crypt",
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha256 => Algorithm::Sha256Crypt,
            Self::Sha512 => Algorithm::Sha512Crypt,
        }
    }

    /// Characters of the last field.
    fn hash_len(self) -> usize {
        match self {
            Self::Sha256 => 43,
            Self::Sha512 => 86,
        }
    }
}

/// Ten times what passwd(1) writes unless told: about 20 ms.
const ROUNDS: u32 = 50_000;

/// A few seconds. The format allows 999,999,999, which is ten minutes.
const MAX_ROUNDS: u32 = 5_000_000;

pub(super) fn verify(kind: Kind, text: &str, secret: &Secret) -> Result<bool, SchemeError> {
    let scheme = kind.name();
    let malformed = SchemeError::Malformed { scheme };
    // The crate compares whatever length it finds; a cut hash is not a "no".
    if text.rsplit('$').next().map(str::len) != Some(kind.hash_len()) {
        return Err(malformed);
    }
    if rounds(text).is_some_and(|rounds| rounds > MAX_ROUNDS) {
        return Err(SchemeError::TooCostly { scheme, limit: "more than 5,000,000 rounds" });
    }
    match ShaCrypt::from(kind.algorithm()).verify_password(secret.expose(), text) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(_) => Err(malformed),
    }
}

pub(super) fn hash(kind: Kind, secret: &Secret) -> Result<String, SchemeError> {
    let machine = SchemeError::Machine { scheme: kind.name() };
    let params = Params::new(ROUNDS).map_err(|_| machine.clone())?;
    // 12 bytes are the 16 characters that the format has room for.
    let salt: [u8; 12] = rand::random();
    ShaCrypt::new(kind.algorithm(), params)
        .hash_password_with_salt(secret.expose(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| machine)
}

/// Rounds of a text that does not say.
const ROUNDS_UNLESS_GIVEN: u32 = 5_000;

/// Whether `text` has fewer rounds than a new text would have.
pub(super) fn is_cheap(text: &str) -> bool {
    rounds(text).unwrap_or(ROUNDS_UNLESS_GIVEN) < ROUNDS
}

/// The `rounds=` of the text; a number that does not fit counts as too many.
fn rounds(text: &str) -> Option<u32> {
    let number = text.split('$').nth(2)?.strip_prefix("rounds=")?;
    Some(number.parse().unwrap_or(u32::MAX))
}
