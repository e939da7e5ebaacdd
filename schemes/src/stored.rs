//! Which scheme a stored text is in, judged by its prefix alone.

use dmail_core::ScramHash;

use super::SchemeError;
use super::digest::{self, Algorithm};
use super::libcrypt::Kind as CryptKind;
use super::sha_crypt::Kind as ShaCryptKind;

/// A stored text whose scheme is known. Its inside may still be broken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    /// PHC form, all variants.
    Argon(&'a str),
    /// `$2a$`, `$2b$`, `$2y$`.
    Bcrypt(&'a str),
    /// The password itself.
    Clear(&'a str),
    /// What libcrypt computes.
    Crypt(CryptKind, &'a str),
    /// Base64 of digest and salt.
    Digest(digest::Kind, &'a str),
    /// No secret fits.
    Locked,
    /// SCRAM keys.
    Scram(ScramHash, &'a str),
    /// `$5$`, `$6$`.
    ShaCrypt(ShaCryptKind, &'a str),
}

impl<'a> Stored<'a> {
    /// Tells the scheme of `text`.
    pub(super) fn recognise(text: &'a str) -> Result<Self, SchemeError> {
        match text.as_bytes().first() {
            None | Some(b'!') => Ok(Self::Locked),
            Some(b'*') => Ok(Self::Clear(&text[1..])),
            Some(b'{') => Self::tagged(text),
            _ => Self::crypt_text(text),
        }
    }

    /// `{TAG}rest`, the tag in any case.
    fn tagged(text: &'a str) -> Result<Self, SchemeError> {
        let Some((tag, rest)) = text[1..].split_once('}') else {
            return Err(SchemeError::OldNwauth);
        };
        let digest = |algorithm, salted| Ok(Self::Digest(digest::Kind { algorithm, salted }, rest));
        match tag.to_ascii_uppercase().as_str() {
            "PLAIN" | "CLEAR" | "CLEARTEXT" => Ok(Self::Clear(rest)),
            // Dovecot's {MD5} is `$1$` text, everybody else's is base64.
            "MD5" if rest.starts_with("$1$") => Self::crypt_text(rest),
            "MD5" => digest(Algorithm::Md5, false),
            "SMD5" => digest(Algorithm::Md5, true),
            "SHA" | "SHA1" => digest(Algorithm::Sha1, false),
            "SSHA" => digest(Algorithm::Sha1, true),
            "SHA256" => digest(Algorithm::Sha256, false),
            "SSHA256" => digest(Algorithm::Sha256, true),
            "SHA512" => digest(Algorithm::Sha512, false),
            "SSHA512" => digest(Algorithm::Sha512, true),
            "SCRAM-SHA-1" => Ok(Self::Scram(ScramHash::Sha1, rest)),
            "SCRAM-SHA-256" => Ok(Self::Scram(ScramHash::Sha256, rest)),
            "CRYPT" | "DES-CRYPT" | "MD5-CRYPT" | "SHA256-CRYPT" | "SHA512-CRYPT" | "BLF-CRYPT"
            | "ARGON2" | "ARGON2I" | "ARGON2ID" => Self::crypt_text(rest),
            _ if is_tag(tag) && !rest.is_empty() => {
                Err(SchemeError::Unknown { prefix: format!("{{{tag}}}") })
            }
            _ => Err(SchemeError::OldNwauth),
        }
    }

    /// `$id$rest`, or the two forms without an id.
    fn crypt_text(text: &'a str) -> Result<Self, SchemeError> {
        let Some(rest) = text.strip_prefix('$') else {
            return Self::without_id(text);
        };
        let id = rest.split('$').next().unwrap_or_default();
        match id {
            "1" => Ok(Self::Crypt(CryptKind::Md5, text)),
            "2a" | "2b" | "2y" => Ok(Self::Bcrypt(text)),
            "2x" => Ok(Self::Crypt(CryptKind::BuggyBcrypt, text)),
            "5" => Ok(Self::ShaCrypt(ShaCryptKind::Sha256, text)),
            "6" => Ok(Self::ShaCrypt(ShaCryptKind::Sha512, text)),
            "7" => Ok(Self::Crypt(CryptKind::Scrypt, text)),
            "gy" => Ok(Self::Crypt(CryptKind::GostYescrypt, text)),
            "y" => Ok(Self::Crypt(CryptKind::Yescrypt, text)),
            "argon2d" | "argon2i" | "argon2id" => Ok(Self::Argon(text)),
            // A short id is a scheme; a long one may be a piece of a secret.
            id if id.len() <= 10 && rest.len() > id.len() => {
                Err(SchemeError::Unknown { prefix: format!("${id}$") })
            }
            _ => Err(SchemeError::OldNwauth),
        }
    }

    fn without_id(text: &'a str) -> Result<Self, SchemeError> {
        let crypt_alphabet =
            |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
        match text.strip_prefix('_') {
            Some(rest) if rest.len() == 19 && rest.bytes().all(crypt_alphabet) => {
                Ok(Self::Crypt(CryptKind::BsdiDes, text))
            }
            None if text.len() == 13 && text.bytes().all(crypt_alphabet) => {
                Ok(Self::Crypt(CryptKind::Des, text))
            }
            _ => Err(SchemeError::OldNwauth),
        }
    }
}

/// Whether it may be named in a log: any other text in braces may be a secret.
fn is_tag(tag: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    (1..=16).contains(&tag.len()) && tag.bytes().all(plain)
}
