//! Key material becomes what verifies signatures: one verifier for each
//! algorithm that the material is for.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use super::{Algorithm, Key, Verifier};

type ByAlgorithm = (Algorithm, &'static dyn VerificationAlgorithm);

/// The families of public keys. In each, one text of a key serves all.
pub(super) static RSA: LazyLock<[ByAlgorithm; 6]> = LazyLock::new(|| {
    [
        (Algorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        (Algorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
        (Algorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
    ]
});
pub(super) static P256: LazyLock<[ByAlgorithm; 1]> =
    LazyLock::new(|| [(Algorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED)]);
pub(super) static P384: LazyLock<[ByAlgorithm; 1]> =
    LazyLock::new(|| [(Algorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED)]);
pub(super) static P521: LazyLock<[ByAlgorithm; 1]> =
    LazyLock::new(|| [(Algorithm::Es512, &signature::ECDSA_P521_SHA512_FIXED)]);
pub(super) static ED25519: LazyLock<[ByAlgorithm; 1]> =
    LazyLock::new(|| [(Algorithm::EdDsa, &signature::ED25519)]);

/// What the shortest RSA key of 2048 bits takes as DER. Shorter ones verify
/// nothing.
const RSA_2048_DER: usize = 290;

/// Why material is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKey {
    #[error("it is no public key in PEM (openssl pkey -pubout, openssl x509 -pubkey)")]
    NotPem,
    #[error("it is no RSA key, and none of the curves P-256, P-384, P-521 and Ed25519")]
    Kind,
    #[error("an RSA key needs 2048 bits at least")]
    Weak,
    #[error("a shared key needs 32 bytes at least, and as many as the hash has")]
    Short,
}

impl Key {
    /// A public key in PEM.
    pub(crate) fn from_pem(name: Option<String>, pem: &[u8]) -> Result<Self, BadKey> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| BadKey::NotPem)?;
        let families: [&[ByAlgorithm]; 5] = [&*RSA, &*P256, &*P384, &*P521, &*ED25519];
        let parsed = families.into_iter().find_map(|family| verifiers(family, &der).ok());
        let verifiers = parsed.ok_or(BadKey::Kind)?;
        match verifiers.first() {
            Some((Algorithm::Rs256, _)) if der.len() < RSA_2048_DER => Err(BadKey::Weak),
            _ => Ok(Self { name, verifiers }),
        }
    }

    /// A secret that the issuer has, too. It signs by those hashes that are not
    /// longer than it (RFC 7518 section 3.2).
    pub(crate) fn shared(name: Option<String>, secret: &[u8]) -> Result<Self, BadKey> {
        let hashes = [
            (Algorithm::Hs256, hmac::HMAC_SHA256, 32),
            (Algorithm::Hs384, hmac::HMAC_SHA384, 48),
            (Algorithm::Hs512, hmac::HMAC_SHA512, 64),
        ];
        let long_enough = hashes.into_iter().filter(|(_, _, bytes)| secret.len() >= *bytes);
        let verifiers: Vec<_> = long_enough
            .map(|(algorithm, hash, _)| {
                (algorithm, Verifier::Shared(Box::new(hmac::Key::new(hash, secret))))
            })
            .collect();
        if verifiers.is_empty() { Err(BadKey::Short) } else { Ok(Self { name, verifiers }) }
    }

    /// An RSA key from its two numbers.
    pub(super) fn rsa(
        name: Option<String>,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<Self, BadKey> {
        let plain = |number: &'_ [u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number[zeros..].to_vec()
        };
        let numbers = RsaPublicKeyComponents { n: plain(modulus), e: plain(exponent) };
        if numbers.n.len() < 256 {
            return Err(BadKey::Weak);
        }
        let der: PublicKeyX509Der<'_> = numbers.as_der().map_err(|_| BadKey::Kind)?;
        Self::public(name, &*RSA, der.as_ref())
    }

    /// A key of one family, as its standard writes it.
    pub(super) fn public(
        name: Option<String>,
        family: &[ByAlgorithm],
        bytes: &[u8],
    ) -> Result<Self, BadKey> {
        Ok(Self { name, verifiers: verifiers(family, bytes)? })
    }

    /// The same key for this algorithm alone.
    pub(super) fn only_for(mut self, algorithm: Algorithm) -> Result<Self, BadKey> {
        self.verifiers.retain(|(known, _)| *known == algorithm);
        if self.verifiers.is_empty() { Err(BadKey::Kind) } else { Ok(self) }
    }
}

fn verifiers(family: &[ByAlgorithm], bytes: &[u8]) -> Result<Vec<(Algorithm, Verifier)>, BadKey> {
    let parse = |(algorithm, verification): &ByAlgorithm| {
        let key = ParsedPublicKey::new(*verification, bytes).map_err(|_| BadKey::Kind)?;
        Ok((*algorithm, Verifier::Public(key)))
    };
    family.iter().map(parse).collect()
}
