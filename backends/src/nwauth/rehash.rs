//! Weak hashes are replaced when their users log in (`nwauth_rehash`).
//!
//! ```text
//!   check ─▶ right ─▶ answered
//!              └─▶ weaker than nwauth_scheme? ─▶ hash ─▶ store, if still the same text
//! ```
//!
//! The login does not wait for it, and one is made at a time: when everybody
//! comes back after a night, logins have the processors, and whoever is left
//! out is done at the next login.

use std::sync::Arc;

use dmail_core::{Secret, Username};
use dmail_schemes::SchemeError;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::record::Record;
use super::store::{Edit, EditAction, Edited};
use super::{NwAuth, StoreError};

/// New hashes at a time.
const AT_A_TIME: usize = 1;

/// Whether hashes are replaced, and how many are just now.
#[derive(Clone)]
pub(super) struct Rehashing(Option<Arc<Semaphore>>);

impl Rehashing {
    pub(super) fn new(wanted: bool) -> Self {
        Self(wanted.then(|| Arc::new(Semaphore::new(AT_A_TIME))))
    }
}

impl NwAuth {
    /// Begins to replace the hash of a user whose password was just found
    /// right, if it is weaker than a new one.
    pub(super) fn perhaps_rehash(&self, user: &Username, record: &Record, secret: &Secret) {
        let Some(room) = &self.rehashing.0 else { return };
        if !dmail_schemes::needs_rehash(&record.stored(), self.hasher.scheme()) {
            return;
        }
        let Ok(place) = Arc::clone(room).try_acquire_owned() else { return };
        let (base, user, secret) = (self.clone(), user.clone(), secret.clone());
        let (name, from) = (record.name.clone(), record.hash.clone());
        tokio::spawn(async move {
            base.rehash(&user, name, from, secret).await;
            drop(place);
        });
    }

    /// Whatever goes wrong, the old hash stays good.
    async fn rehash(
        &self,
        user: &Username,
        name: String,
        from: Zeroizing<Vec<u8>>,
        secret: Secret,
    ) {
        let scheme = self.hasher.scheme();
        let hash = match self.hasher.hash(secret).await {
            Ok(Ok(hash)) => Zeroizing::new(hash.into_bytes()),
            Ok(Err(error @ SchemeError::Secret { .. })) => {
                tracing::debug!(%user, %error, "the stored password keeps its scheme");
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(%user, %error, "the stored password keeps its scheme");
                return;
            }
            Err(busy) => {
                tracing::debug!(%user, %busy, "the stored password keeps its scheme for now");
                return;
            }
        };
        let edit = Edit { name, action: EditAction::Rehash { from, to: hash } };
        let store = Arc::clone(&self.store);
        let change = move || {
            let edited = store.change(vec![edit])?;
            Ok::<_, StoreError>((edited, store.merge_is_due()))
        };
        match self.changes.run(change).await {
            Ok(Ok((edited, merge_is_due))) => {
                if edited == [Edited::Done] {
                    tracing::info!(%user, %scheme, "the password is stored in a stronger scheme now");
                }
                if merge_is_due {
                    self.merge_behind();
                }
            }
            Ok(Err(error)) => tracing::warn!(%user, %error, "the stored password keeps its scheme"),
            Err(busy) => {
                tracing::debug!(%user, %busy, "the stored password keeps its scheme for now");
            }
        }
    }
}
