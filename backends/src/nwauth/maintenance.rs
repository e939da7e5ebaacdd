//! Work on many users at once: `-generate` and `-encrypt`.

use dmail_core::{Secret, Username};
use zeroize::Zeroizing;

use super::listing::Query;
use super::record::{Line, Record};
use super::store::{Edit, EditAction, Edited};
use super::{NwAuth, StoreError};
use dmail_schemes::SchemeError;

/// Records changed with one append.
const BATCH: u64 = 1_000;

/// The password of all generated accounts.
const GENERATED_PASSWORD: &[u8] = b"test";

/// Whose clear-text password `-encrypt` hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encrypt {
    /// Everybody's.
    All,
    /// One user's.
    User(Username),
}

/// Why the users were left as they were.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// `-readonly`.
    #[error("this user base is read-only")]
    ReadOnly,
    /// A password does not fit the scheme, or the scheme does not work here.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
    /// The files.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NwAuth {
    /// `-generate n`: makes the accounts `test0` to `testn` with the password
    /// `test`, for load tests. They share one hash: a million salts would take
    /// hours. Returns how many were made. Blocks.
    ///
    /// # Errors
    ///
    /// If the base is read-only or cannot be written.
    pub fn generate(&self, last: u64) -> Result<u64, MaintenanceError> {
        self.may_write()?;
        let hash = dmail_schemes::hash(self.hasher.scheme(), &Secret::new(GENERATED_PASSWORD))?;
        let hash = Zeroizing::new(hash.into_bytes());
        let mut next = 0;
        while next <= last {
            let end = last.min(next + BATCH - 1);
            let edits = (next..=end).map(|number| Edit {
                name: format!("test{number}"),
                action: EditAction::Set { hash: Some(hash.clone()), info: None },
            });
            self.store.change(edits.collect())?;
            self.store.merge_if_due()?;
            next = end + 1;
        }
        Ok(next)
    }

    /// `-encrypt`: hashes passwords that are stored as clear text. Returns how
    /// many there were. A password that is changed meanwhile stays changed.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// If the base is read-only, or cannot be read or written, or a clear-text
    /// password does not fit the scheme.
    pub fn encrypt(&self, whose: &Encrypt) -> Result<usize, MaintenanceError> {
        self.may_write()?;
        let mut edits = Vec::new();
        for record in self.clear_records(whose)? {
            let stored = record.stored();
            let Some(clear) = dmail_schemes::clear_text(&stored) else {
                continue;
            };
            let hash = dmail_schemes::hash(self.hasher.scheme(), &Secret::new(clear.as_bytes()))?;
            edits.push(Edit {
                name: record.name,
                action: EditAction::Rehash {
                    from: record.hash,
                    to: Zeroizing::new(hash.into_bytes()),
                },
            });
        }
        let edited = self.store.change(edits)?;
        self.store.merge_if_due()?;
        Ok(edited.iter().filter(|edited| **edited == Edited::Done).count())
    }

    fn clear_records(&self, whose: &Encrypt) -> Result<Vec<Record>, StoreError> {
        match whose {
            Encrypt::User(user) => Ok(self.store.find(user.as_str())?.into_iter().collect()),
            Encrypt::All => {
                let clear = Query { wanted: &is_clear, from: 0, max: usize::MAX };
                Ok(self.store.list(clear)?.hits)
            }
        }
    }

    fn may_write(&self) -> Result<(), MaintenanceError> {
        if self.read_only {
            return Err(MaintenanceError::ReadOnly);
        }
        Ok(())
    }
}

fn is_clear(line: Line<'_>) -> bool {
    match line {
        Line::User { hash, .. } => std::str::from_utf8(hash)
            .is_ok_and(|stored| dmail_schemes::clear_text(stored).is_some()),
        _ => false,
    }
}
