//! argon2 in PHC form (RFC 9106; `$argon2id$v=19$m=…,t=…,p=…$salt$hash`).

use std::sync::{Mutex, PoisonError};
use std::thread;

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use dmail_core::Secret;
use password_hash::phc::{Output, ParamsString, Salt};
use subtle::ConstantTimeEq;

use super::SchemeError;

const SCHEME: &str = "argon2";

/// The version of texts without `v=`, which is how the first release wrote them.
const VERSION_UNLESS_GIVEN: u32 = 0x10;

pub(super) fn verify(text: &str, secret: &Secret) -> Result<bool, SchemeError> {
    let malformed = || SchemeError::Malformed { scheme: SCHEME };
    let stored = PasswordHash::new(text).map_err(|_| malformed())?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(malformed());
    };
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(|_| malformed())?;
    let version = stored.version.unwrap_or(VERSION_UNLESS_GIVEN);
    let version = Version::try_from(version).map_err(|_| malformed())?;
    let params = Params::try_from(&stored).map_err(|_| malformed())?;
    check_cost(&params)?;
    let mut found = vec![0; expected.as_ref().len()];
    let argon = Argon2::new(algorithm, version, params);
    compute(&argon, secret, salt.as_ref(), &mut found)?;
    Ok(found.ct_eq(expected.as_ref()).into())
}

pub(super) fn hash(secret: &Secret) -> Result<String, SchemeError> {
    let machine = || SchemeError::Machine { scheme: SCHEME };
    let salt: [u8; 16] = rand::random();
    // The crate's defaults are OWASP's second choice: 19 MiB, t=2, p=1.
    let argon = Argon2::default();
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    compute(&argon, secret, &salt, &mut hash)?;
    let text = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon.params()).map_err(|_| machine())?,
        salt: Some(Salt::new(&salt).map_err(|_| machine())?),
        hash: Some(Output::new(&hash).map_err(|_| machine())?),
    };
    Ok(text.to_string())
}

/// Whether a check of `text` takes less memory times passes than one of a new
/// text. What does not read is left alone.
pub(super) fn is_cheap(text: &str) -> bool {
    let work = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
    let stored = PasswordHash::new(text).ok();
    let params = stored.and_then(|stored| Params::try_from(&stored).ok());
    params.is_some_and(|params| work(&params) < work(Argon2::default().params()))
}

/// Fills `out` with the hash of `secret`.
fn compute(
    argon: &Argon2<'_>,
    secret: &Secret,
    salt: &[u8],
    out: &mut [u8],
) -> Result<(), SchemeError> {
    let blocks = argon.params().block_count();
    let mut memory = Memory::take(blocks);
    argon
        .hash_password_into_with_memory(secret.expose(), salt, out, &mut memory.0[..blocks])
        .map_err(|_| SchemeError::Malformed { scheme: SCHEME })
}

/// The memory that a hash is computed in. It is kept for the next one: an
/// allocator that gets 19 MiB back with every login may not find a use for
/// them, and the server grows.
struct Memory(Vec<Block>);

/// Memory that nobody uses right now: as many pieces as there are cores.
static SPARE: Mutex<Vec<Memory>> = Mutex::new(Vec::new());

/// A piece for costs beyond the usual, in blocks of 1 KiB, is not kept.
const KEPT_BLOCKS: usize = 64 * 1024;

impl Memory {
    fn take(blocks: usize) -> Self {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = spare.unwrap_or_else(|| Self(Vec::new()));
        if memory.0.len() < blocks {
            // All new, so that nothing is copied.
            memory.0 = vec![Block::default(); blocks];
        }
        memory
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.len() <= KEPT_BLOCKS && spare.len() < cores {
            spare.push(Self(std::mem::take(&mut self.0)));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_used_before_changes_no_hash() {
        let secret = Secret::new(*b"geheim");
        let texts: Vec<_> = (0..3).map(|_| hash(&secret).expect("a hash")).collect();
        for text in &texts {
            assert_eq!(verify(text, &secret), Ok(true), "{text}");
            assert_eq!(verify(text, &Secret::new(*b"Geheim")), Ok(false), "{text}");
        }
    }

    #[test]
    fn no_more_memory_is_kept_than_there_are_cores() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let taken: Vec<_> = (0..cores + 3).map(|_| Memory::take(8)).collect();
        drop(taken);
        drop(Memory::take(KEPT_BLOCKS + 1));
        let spare = SPARE.lock().expect("no panic");
        assert!(spare.len() <= cores, "{} pieces", spare.len());
        assert!(spare.iter().all(|memory| memory.0.len() <= KEPT_BLOCKS));
    }
}
