//! Password schemes: is this secret the one behind this stored text?
//!
//! [`verify`] reads every form that a Unix password file, an LDAP directory or
//! an NWAuth file is likely to hold; [`hash`] writes the few that are worth
//! writing. Neither stores anything, and neither knows a user.
//!
//! | stored text begins with | is | computed by |
//! |---|---|---|
//! | `$argon2id$`, `$argon2i$`, `$argon2d$` | argon2, PHC form | the `argon2` crate |
//! | `$2a$`, `$2b$`, `$2y$` | bcrypt | the `bcrypt` crate |
//! | `$5$`, `$6$` | SHA-crypt | the `sha-crypt` crate |
//! | `$y$`, `$gy$`, `$7$` | yescrypt, gost-yescrypt, scrypt | libcrypt (two to three times the speed of the crate) |
//! | `$1$`, `$2x$`, `_`, 13 characters | MD5-crypt, the buggy bcrypt, BSDi, DES | libcrypt |
//! | `{SSHA}`, `{SHA256}`, `{SMD5}` … | digests, as LDAP writes them | the RustCrypto digests |
//! | `{SCRAM-SHA-1}`, `{SCRAM-SHA-256}` | the keys of SCRAM, as Dovecot writes them | HMAC of the RustCrypto digests |
//! | `{CRYPT}`, `{ARGON2}`, `{BLF-CRYPT}` … | one of the above behind a tag | as above |
//! | `*`, `{PLAIN}`, `{CLEAR}`, `{CLEARTEXT}` | clear text (`*`: later NWAuth versions) | a comparison |
//! | nothing, `*` or `{PLAIN}` with nothing behind it, or `!` | a locked account: no secret fits | – |
//!
//! [`salt`] and [`prove`] are the same for passwords that are shown without
//! being told.
//!
//! Two rules hold for all of them. **Don't know is not no:** text that nobody
//! here can judge, the old reversible NWAuth hash before all, is a
//! [`SchemeError`], never a wrong password. **Cost is bounded before it is
//! paid:** parameters that would take minutes or gigabytes are refused.

mod argon;
mod bcrypt;
mod digest;
mod error;
mod gentle;
pub mod hasher;
pub mod lane;
mod libcrypt;
mod proof;
mod rehash;
mod scram;
mod sha_crypt;
mod stored;
mod yescrypt;

use std::fmt;

use dmail_core::{ScramHash, Secret};
use subtle::ConstantTimeEq;

pub use error::SchemeError;
pub use proof::{prove, salt};
pub use rehash::{needs_rehash, recognise};
use stored::Stored;

/// A scheme that new passwords can be stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// `argon2id`: 19 MiB, two passes, one lane.
    #[default]
    Argon2id,
    /// `bcrypt`: cost 10. Refuses secrets of more than 71 bytes.
    Bcrypt,
    /// `scram-sha-1`: the keys of SCRAM-SHA-1, 100,000 rounds. For clients that
    /// know no other SCRAM.
    ScramSha1,
    /// `scram-sha-256`: the keys of SCRAM-SHA-256, 100,000 rounds. Clients can
    /// log in without telling the password; all others tell it, as ever.
    ScramSha256,
    /// `sha256-crypt`: 50,000 rounds.
    Sha256Crypt,
    /// `sha512-crypt`: 50,000 rounds.
    Sha512Crypt,
    /// `ssha`: salted SHA-1, for sites that share files with old programs. Weak.
    Ssha,
    /// `ssha256`: one round of salted SHA-256. Fast, so weak against a stolen file.
    Ssha256,
    /// `ssha512`: one round of salted SHA-512. Fast, so weak against a stolen file.
    Ssha512,
    /// `yescrypt`: 16 MiB, what Debian writes to its shadow file.
    Yescrypt,
}

impl Scheme {
    /// All schemes, for settings and tables.
    pub const ALL: [Self; 10] = [
        Self::Argon2id,
        Self::Bcrypt,
        Self::ScramSha1,
        Self::ScramSha256,
        Self::Sha256Crypt,
        Self::Sha512Crypt,
        Self::Ssha,
        Self::Ssha256,
        Self::Ssha512,
        Self::Yescrypt,
    ];

    /// The scheme of this name, as a setting gives it; case does not matter.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    /// The name in settings and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Bcrypt => "bcrypt",
            Self::ScramSha1 => "scram-sha-1",
            Self::ScramSha256 => "scram-sha-256",
            Self::Sha256Crypt => "sha256-crypt",
            Self::Sha512Crypt => "sha512-crypt",
            Self::Ssha => "ssha",
            Self::Ssha256 => "ssha256",
            Self::Ssha512 => "ssha512",
            Self::Yescrypt => "yescrypt",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether `secret` is the one behind the `stored` text. Takes milliseconds to
/// seconds of a whole core: not for an event loop.
///
/// # Errors
///
/// If the stored text cannot be judged: an unknown or broken form, or one that
/// costs too much. That says nothing about the secret.
pub fn verify(stored: &str, secret: &Secret) -> Result<bool, SchemeError> {
    match Stored::recognise(stored)? {
        Stored::Argon(text) => argon::verify(text, secret),
        Stored::Bcrypt(text) => bcrypt::verify(text, secret),
        Stored::Clear("") => Ok(false),
        Stored::Clear(text) => Ok(text.as_bytes().ct_eq(secret.expose()).into()),
        Stored::Crypt(kind, text) => libcrypt::verify(kind, text, secret),
        Stored::Digest(kind, base64) => digest::verify(kind, base64, secret),
        Stored::Locked => Ok(false),
        Stored::Scram(hash, text) => scram::verify(hash, text, secret),
        Stored::ShaCrypt(kind, text) => sha_crypt::verify(kind, text, secret),
    }
}

/// The text to store for `secret`, under a fresh random salt. It holds no
/// colon, blank or line end. Takes milliseconds of a whole core.
///
/// # Errors
///
/// If the scheme cannot hold this secret, or the machine has no memory for it.
pub fn hash(scheme: Scheme, secret: &Secret) -> Result<String, SchemeError> {
    match scheme {
        Scheme::Argon2id => argon::hash(secret),
        Scheme::Bcrypt => bcrypt::hash(secret),
        Scheme::ScramSha1 => Ok(scram::hash(ScramHash::Sha1, secret)),
        Scheme::ScramSha256 => Ok(scram::hash(ScramHash::Sha256, secret)),
        Scheme::Sha256Crypt => sha_crypt::hash(sha_crypt::Kind::Sha256, secret),
        Scheme::Sha512Crypt => sha_crypt::hash(sha_crypt::Kind::Sha512, secret),
        Scheme::Ssha => Ok(digest::hash(digest::Algorithm::Sha1, secret)),
        Scheme::Ssha256 => Ok(digest::hash(digest::Algorithm::Sha256, secret)),
        Scheme::Ssha512 => Ok(digest::hash(digest::Algorithm::Sha512, secret)),
        Scheme::Yescrypt => yescrypt::hash(secret),
    }
}

/// Whether to verify `stored` takes no longer than to find a thread for it:
/// clear text, one digest, or nothing at all.
#[must_use]
pub fn is_cheap(stored: &str) -> bool {
    let stored = Stored::recognise(stored);
    matches!(stored, Ok(Stored::Clear(_) | Stored::Digest(..) | Stored::Locked))
}

/// The clear text, if `stored` is nothing but that: what `-encrypt` hashes.
#[must_use]
pub fn clear_text(stored: &str) -> Option<&str> {
    match Stored::recognise(stored) {
        Ok(Stored::Clear(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
