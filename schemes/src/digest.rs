//! The digests of LDAP directories (RFC 2307 and its followers): a tag, then
//! base64 of the digest and, if salted, the salt behind it.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dmail_core::Secret;
use sha1::Digest;
use subtle::ConstantTimeEq;

use super::SchemeError;

/// Written with padding; read with or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A digest and whether a salt follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) algorithm: Algorithm,
    pub(super) salted: bool,
}

/// The digest function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// The tag of the salted form.
    fn tag(self) -> &'static str {
        match self {
            Self::Md5 => "SMD5",
            Self::Sha1 => "SSHA",
            Self::Sha256 => "SSHA256",
            Self::Sha512 => "SSHA512",
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn digest(self, secret: &[u8], salt: &[u8]) -> Vec<u8> {
        fn of<D: Digest>(secret: &[u8], salt: &[u8]) -> Vec<u8> {
            D::new().chain_update(secret).chain_update(salt).finalize().to_vec()
        }
        match self {
            Self::Md5 => of::<md5::Md5>(secret, salt),
            Self::Sha1 => of::<sha1::Sha1>(secret, salt),
            Self::Sha256 => of::<sha2::Sha256>(secret, salt),
            Self::Sha512 => of::<sha2::Sha512>(secret, salt),
        }
    }
}

pub(super) fn verify(kind: Kind, base64: &str, secret: &Secret) -> Result<bool, SchemeError> {
    let malformed = SchemeError::Malformed { scheme: kind.algorithm.tag() };
    let bytes = BASE64.decode(base64).map_err(|_| malformed.clone())?;
    let (expected, salt) =
        bytes.split_at_checked(kind.algorithm.len()).ok_or_else(|| malformed.clone())?;
    if kind.salted == salt.is_empty() {
        return Err(malformed);
    }
    let actual = kind.algorithm.digest(secret.expose(), salt);
    Ok(expected.ct_eq(&actual).into())
}

pub(super) fn hash(algorithm: Algorithm, secret: &Secret) -> String {
    let salt: [u8; 16] = rand::random();
    let mut bytes = algorithm.digest(secret.expose(), &salt);
    bytes.extend_from_slice(&salt);
    format!("{{{}}}{}", algorithm.tag(), BASE64.encode(bytes))
}
