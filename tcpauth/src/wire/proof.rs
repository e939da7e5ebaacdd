//! Passwords that are shown without being told, as fields.
//!
//! | question | fields of its own | answer |
//! |---|---|---|
//! | `salt` | `MECHANISM` | `salt BYTES ITERATIONS` |
//! | `prove` | `MECHANISM SAID PROOF` | `ok … [signature=BYTES]` |

use dmail_core::{Evidence, Proof, Proofs, Salt, SaltQuestion, ScramHash};

use super::field::{Fields, put, put_number};
use super::{Fault, NotCarried};

const CRAM_MD5: &str = "CRAM-MD5";
const HASHES: [ScramHash; 2] = [ScramHash::Sha256, ScramHash::Sha1];
/// The longest salt that is believed, in bytes: those of a client's message
/// are sent to it.
const MAX_SALT: usize = 1_024;

/// Which proofs can be asked about, as a word of the welcome; none if there
/// are none.
pub(super) fn offer(proofs: Proofs) -> Option<&'static str> {
    match (proofs.scram, proofs.cram_md5) {
        (true, true) => Some("scram,cram-md5"),
        (true, false) => Some("scram"),
        (false, true) => Some("cram-md5"),
        (false, false) => None,
    }
}

/// Reads that word. Whatever a later release offers is not asked for here.
pub(super) fn offered(words: &str) -> Proofs {
    let has = |name: &str| words.split(',').any(|word| word == name);
    Proofs { scram: has("scram"), cram_md5: has("cram-md5"), ..Proofs::default() }
}

/// Writes the field of a question for a salt.
pub(super) fn put_salt_question(out: &mut Vec<u8>, question: &SaltQuestion) {
    put(out, question.hash.name().as_bytes());
}

/// Reads it.
pub(super) fn salt_question(fields: &mut Fields<'_>) -> Result<SaltQuestion, Fault> {
    hash(fields.raw()?).map(SaltQuestion::new)
}

/// Writes the fields of a proof.
///
/// # Errors
///
/// If it is a token, which has no word: whom its issuer means is known to the
/// gateway only that it was shown to.
pub(super) fn put_proof(out: &mut Vec<u8>, proof: &Proof) -> Result<(), NotCarried> {
    let (mechanism, said, proof): (_, &[u8], &[u8]) = match &proof.evidence {
        Evidence::CramMd5 { challenge, digest } => (CRAM_MD5, challenge, digest),
        Evidence::Scram { hash, said, proof } => (hash.name(), said, proof),
        Evidence::Token(_) => return Err(NotCarried::Token),
    };
    [mechanism.as_bytes(), said, proof].into_iter().for_each(|field| put(out, field));
    Ok(())
}

/// Reads them.
pub(super) fn proof(fields: &mut Fields<'_>) -> Result<Proof, Fault> {
    let mechanism = fields.raw()?;
    let (said, proof) = (fields.bytes()?, fields.bytes()?);
    Ok(Proof::new(if mechanism == CRAM_MD5.as_bytes() {
        let digest =
            <[u8; 16]>::try_from(&*proof).map_err(|_| Fault("a digest of other length"))?;
        Evidence::CramMd5 { challenge: said, digest }
    } else {
        Evidence::Scram { hash: hash(mechanism)?, said, proof }
    }))
}

/// Writes the fields of a salt.
pub(super) fn put_salt(out: &mut Vec<u8>, salt: &Salt) {
    put(out, &salt.bytes);
    put_number(out, salt.iterations.into());
}

/// Reads them.
pub(super) fn salt(fields: &mut Fields<'_>) -> Result<Salt, Fault> {
    let bytes = fields.bytes()?;
    let iterations = u32::try_from(fields.number()?).unwrap_or(0);
    if bytes.is_empty() || bytes.len() > MAX_SALT || iterations == 0 {
        return Err(Fault("a salt that is none"));
    }
    Ok(Salt { bytes, iterations })
}

fn hash(name: &[u8]) -> Result<ScramHash, Fault> {
    let known = HASHES.into_iter().find(|hash| hash.name().as_bytes() == name);
    known.ok_or(Fault("an unknown mechanism"))
}
