//! Whether a stored text is worth replacing when its user logs in.
//!
//! ```text
//!   clear ◀ unsalted digest, DES ◀ salted digest, MD5-crypt ◀ made to be slow
//!     0            1                       2                      3
//! ```
//!
//! A text gives way to a stronger one, to another one of the same strength (the
//! administrator chose that scheme), and to its own scheme at a higher cost. It
//! never gives way to a weaker one, whatever is configured.

use dmail_core::ScramHash;

use super::digest;
use super::libcrypt::Kind as CryptKind;
use super::sha_crypt::Kind as ShaCryptKind;
use super::stored::Stored;
use super::{Scheme, SchemeError, argon, bcrypt, scram, sha_crypt, yescrypt};

/// Whether a password that is stored as `stored` and was just found right
/// should be stored anew in `scheme`: it is in a weaker scheme or in another
/// one of the same strength, or costs less than a new text would.
///
/// A text that cannot be judged, and that of a locked account, stay as they are.
#[must_use]
pub fn needs_rehash(stored: &str, scheme: Scheme) -> bool {
    let Ok(Some(present)) = Stored::recognise(stored).map(Form::of) else {
        return false;
    };
    let wanted = Strength::of(scheme);
    match present.scheme {
        Some(same) if same == scheme => present.is_cheap,
        _ => present.strength <= wanted,
    }
}

/// Whether [`verify`](super::verify) knows the form of `stored`, so that the
/// user can log in with the right password. Costs nothing.
///
/// # Errors
///
/// What `verify` would say of it, whatever the password. A text that only
/// looks right may still be found damaged by `verify`.
pub fn recognise(stored: &str) -> Result<(), SchemeError> {
    Stored::recognise(stored).map(drop)
}

/// How much a stolen text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Clear,
    Unsalted,
    Fast,
    Slow,
}

impl Strength {
    fn of(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Ssha | Scheme::Ssha256 | Scheme::Ssha512 => Self::Fast,
            Scheme::Argon2id
            | Scheme::Bcrypt
            | Scheme::ScramSha1
            | Scheme::ScramSha256
            | Scheme::Sha256Crypt
            | Scheme::Sha512Crypt
            | Scheme::Yescrypt => Self::Slow,
        }
    }
}

/// A stored text as far as it matters here.
struct Form {
    strength: Strength,
    /// The scheme that would write it, if one of ours would.
    scheme: Option<Scheme>,
    /// Whether that scheme would take more time or memory now.
    is_cheap: bool,
}

impl Form {
    /// `None` for an account that is locked.
    fn of(stored: Stored<'_>) -> Option<Self> {
        let slow = |scheme, is_cheap| Self { strength: Strength::Slow, scheme, is_cheap };
        let other = |strength| Self { strength, scheme: None, is_cheap: false };
        Some(match stored {
            Stored::Locked => return None,
            Stored::Clear(_) => other(Strength::Clear),
            Stored::Argon(text) if text.starts_with("$argon2id$") => {
                slow(Some(Scheme::Argon2id), argon::is_cheap(text))
            }
            Stored::Argon(_) => other(Strength::Slow),
            Stored::Bcrypt(text) => slow(Some(Scheme::Bcrypt), bcrypt::is_cheap(text)),
            Stored::Scram(ScramHash::Sha1, text) => {
                slow(Some(Scheme::ScramSha1), scram::is_cheap(text))
            }
            Stored::Scram(ScramHash::Sha256, text) => {
                slow(Some(Scheme::ScramSha256), scram::is_cheap(text))
            }
            Stored::ShaCrypt(kind, text) => {
                let scheme = match kind {
                    ShaCryptKind::Sha256 => Scheme::Sha256Crypt,
                    ShaCryptKind::Sha512 => Scheme::Sha512Crypt,
                };
                slow(Some(scheme), sha_crypt::is_cheap(text))
            }
            Stored::Crypt(CryptKind::Yescrypt, text) => {
                slow(Some(Scheme::Yescrypt), yescrypt::is_cheap(text))
            }
            Stored::Crypt(kind, _) => other(match kind {
                CryptKind::Des => Strength::Unsalted,
                CryptKind::BsdiDes | CryptKind::Md5 => Strength::Fast,
                CryptKind::BuggyBcrypt
                | CryptKind::GostYescrypt
                | CryptKind::Scrypt
                | CryptKind::Yescrypt => Strength::Slow,
            }),
            Stored::Digest(kind, _) => Self {
                strength: if kind.salted { Strength::Fast } else { Strength::Unsalted },
                scheme: digest_scheme(kind),
                is_cheap: false,
            },
        })
    }
}

fn digest_scheme(kind: digest::Kind) -> Option<Scheme> {
    match kind.algorithm {
        _ if !kind.salted => None,
        digest::Algorithm::Md5 => None,
        digest::Algorithm::Sha1 => Some(Scheme::Ssha),
        digest::Algorithm::Sha256 => Some(Scheme::Ssha256),
        digest::Algorithm::Sha512 => Some(Scheme::Ssha512),
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::Secret;

    use super::*;

    #[test]
    fn what_a_scheme_has_just_written_stays() {
        let secret = Secret::new(*b"opensesame");
        for scheme in Scheme::ALL {
            let stored = crate::hash(scheme, &secret).expect("a hash");
            assert!(!needs_rehash(&stored, scheme), "{scheme}");
            assert_eq!(recognise(&stored), Ok(()), "{scheme}");
        }
    }

    #[test]
    fn a_text_gives_way_to_a_stronger_one_and_never_to_a_weaker_one() {
        use Scheme::{
            Argon2id, Bcrypt, ScramSha1, ScramSha256, Sha512Crypt, Ssha, Ssha512, Yescrypt,
        };
        const BCRYPT: &str = "$2y$08$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK";
        const ARGON: &str = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA";
        let rows = [
            ("*clear", Ssha, true),
            ("{PLAIN}clear", Argon2id, true),
            ("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", Ssha, true),
            ("{SSHA}abcdefgh", Ssha, false),
            ("{SSHA}abcdefgh", Ssha512, true),
            ("{SSHA512}abcdefgh", Argon2id, true),
            ("rEK1ecacw.7.c", Ssha, true),
            ("$1$salt$hash", Sha512Crypt, true),
            // The passwd(1) of old wrote 5,000 rounds.
            ("$6$salt$hash", Sha512Crypt, true),
            ("$6$rounds=50000$salt$hash", Sha512Crypt, false),
            ("$6$rounds=60000$salt$hash", Sha512Crypt, false),
            ("$6$rounds=60000$salt$hash", Argon2id, true),
            ("{CRYPT}$6$rounds=60000$salt$hash", Sha512Crypt, false),
            (BCRYPT, Bcrypt, true),
            (&BCRYPT.replace("$08$", "$10$"), Bcrypt, false),
            (&BCRYPT.replace("$08$", "$12$"), Bcrypt, false),
            (ARGON, Argon2id, false),
            (&ARGON.replace("m=65536", "m=4096"), Argon2id, true),
            (&ARGON.replace("argon2id", "argon2i"), Argon2id, true),
            (ARGON, Ssha, false),
            ("$y$j7T$salt$hash", Yescrypt, true),
            ("$y$j9T$salt$hash", Yescrypt, false),
            ("$y$jAT$salt$hash", Yescrypt, false),
            ("$y$j9T$salt$hash", Ssha512, false),
            ("{SCRAM-SHA-256}4096,salt,key,key", ScramSha256, true),
            ("{SCRAM-SHA-256}100000,salt,key,key", ScramSha256, false),
            ("{SCRAM-SHA-256}100000,salt,key,key", ScramSha1, true),
            ("{SCRAM-SHA-256}100000,salt,key,key", Ssha512, false),
            ("{SSHA512}abcdefgh", ScramSha256, true),
            (ARGON, ScramSha256, true),
            // Locked, old NWAuth, unknown: not ours to touch.
            ("", Argon2id, false),
            ("!", Argon2id, false),
            ("qrQ\\Wd", Argon2id, false),
            ("{SASL}bob@REALM", Argon2id, false),
        ];
        for (stored, scheme, expected) in rows {
            assert_eq!(needs_rehash(stored, scheme), expected, "{stored} {scheme}");
        }
    }
}
