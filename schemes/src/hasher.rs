//! Password work off the event loop: as many hashes at a time as there are
//! cores, and the same time whether or not there is such a user.

use std::sync::Arc;
use std::thread;

use dmail_core::{Secret, Unavailable};
use zeroize::Zeroizing;

use crate::lane::Lane;
use crate::{Scheme, SchemeError};

/// Passwords that may wait for a core, for each core: with argon2id about two
/// seconds of work, after which a client would have given up anyway.
const WAITING_PER_CORE: usize = 100;

/// Verifies and hashes passwords.
#[derive(Debug, Clone)]
pub struct Hasher {
    lane: Lane,
    scheme: Scheme,
    /// What a secret is compared with when there is no such user.
    dummy: Arc<str>,
}

impl Hasher {
    /// A hasher that writes `scheme`. Blocks for the time of one hash.
    ///
    /// # Errors
    ///
    /// If the scheme does not work on this machine.
    pub fn new(scheme: Scheme) -> Result<Self, SchemeError> {
        let nobodys = Secret::new(rand::random::<[u8; 16]>().map(|byte| b'a' + byte % 26));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            lane: Lane::gentle("password hash", cores, cores * WAITING_PER_CORE),
            scheme,
            dummy: crate::hash(scheme, &nobodys)?.into(),
        })
    }

    /// The scheme that new passwords are stored in.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether `secret` is the one behind `stored`. What is cheap is done at
    /// once, all else on a thread of the lane. Without a stored text, for
    /// a user that is not there, it does the work of a check and answers no,
    /// so that the time does not tell who exists. (A user whose text is in
    /// another scheme than the configured one still takes that scheme's time.)
    ///
    /// # Errors
    ///
    /// The outer one if no core was free in time, the inner one if the stored
    /// text cannot be judged.
    pub async fn verify(
        &self,
        stored: Option<Zeroizing<String>>,
        secret: Secret,
    ) -> Result<Result<bool, SchemeError>, Unavailable> {
        // The same road for a user that is not there, as the time must not tell.
        if crate::is_cheap(stored.as_deref().map_or(&self.dummy, String::as_str)) {
            return Ok(match stored {
                Some(stored) => crate::verify(&stored, &secret),
                None => crate::verify(&self.dummy, &secret).map(|_| false),
            });
        }
        let dummy = Arc::clone(&self.dummy);
        self.lane
            .run(move || match stored {
                Some(stored) => crate::verify(&stored, &secret),
                None => crate::verify(&dummy, &secret).map(|_| false),
            })
            .await
    }

    /// The text to store for `secret`.
    ///
    /// # Errors
    ///
    /// The outer one if no core was free in time, the inner one if the scheme
    /// cannot hold the secret.
    pub async fn hash(&self, secret: Secret) -> Result<Result<String, SchemeError>, Unavailable> {
        let scheme = self.scheme;
        self.lane.run(move || crate::hash(scheme, &secret)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_has_a_password_and_everybody_their_own() {
        let hasher = Hasher::new(Scheme::Ssha256).expect("a hasher");
        let secret = Secret::new(*b"opensesame");
        let stored = hasher.hash(secret.clone()).await.expect("a core").expect("a hash");
        let rows = [
            (Some(stored), Ok(true)),
            (None, Ok(false)),
            (Some("qrQ\\Wd".to_owned()), Err(SchemeError::OldNwauth)),
        ];
        for (stored, expected) in rows {
            let verdict = hasher.verify(stored.map(Zeroizing::new), secret.clone()).await;
            assert_eq!(verdict, Ok(expected));
        }
    }
}
