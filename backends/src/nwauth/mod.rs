//! NWAuth: the user base in text files that DMail has always had.
//!
//! ```text
//!   nwauth.txt   bob:$argon2id$…:name="Bob Smith"      the users; replaced by a merge
//!   nwauth.add   bob:$argon2id$…:name="Bob S."         the journal; the last line wins
//!                ann:(DELETE):                         … and this one takes a user out
//! ```
//!
//! Several programs may work on the same files at once. A change is on disk
//! when it is acknowledged, and everybody else sees it with their next
//! question. The files of the original are read as they are.
//!
//! A lookup is answered at once if all it needs is in the kernel's memory: that
//! takes microseconds, less than the way to a thread and back. All other file
//! work goes to blocking threads, for a disk or an NFS server that stalls would
//! take a thread of the event loop with it.

pub mod aids;
pub mod cli;
pub mod log;

mod account;
mod base;
mod config;
mod directory;
mod error;
mod index;
mod journal;
mod listing;
mod maintenance;
mod merge;
mod names;
mod pages;
mod reading;
mod record;
mod records;
mod rehash;
mod scan;
mod store;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Found, Hit, Info, Outcome, Proof, Proofs, Purpose,
    Records, Rejection, RejectionKind, SaltQuestion, Search, SearchOutcome, Secret, Unavailable,
    Username, Verdict,
};
use zeroize::Zeroizing;

pub use account::{TextLine, read_line, write_line};
pub use config::NwAuthConfig;
pub use error::StoreError;
pub use maintenance::{Encrypt, MaintenanceError};
pub use names::{DEFAULT_BAD_CHARACTERS, NameFault, NamePolicy};

use directory::Directory;
use dmail_schemes::SchemeError;
use dmail_schemes::hasher::Hasher;
use dmail_schemes::lane::Lane;
use listing::{Listing, Query};
use record::Record;
use rehash::Rehashing;
use store::{Edit, EditAction, Edited, Store};

/// What the base is called in logs and traces.
const SOURCE: &str = "nwauth";

/// Questions to the files at a time, and how many more may wait. They take
/// microseconds each unless the disk stalls.
const QUESTIONS: (usize, usize) = (16, 4096);

/// Changes at a time, and how many more may wait. Those that run at the same
/// time share one flush.
const CHANGES: (usize, usize) = (64, 1024);

/// Lists at a time, and how many more may wait: each reads the whole base.
const LISTS: (usize, usize) = (1, 16);

/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

/// Why an NWAuth base could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scheme for new passwords does not work here.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
}

/// An open NWAuth base. Clones share it.
#[derive(Clone)]
pub struct NwAuth {
    store: Arc<Store>,
    hasher: Hasher,
    names: NamePolicy,
    read_only: bool,
    rehashing: Rehashing,
    questions: Lane,
    changes: Lane,
    lists: Lane,
}

impl NwAuth {
    /// Opens the base. Blocks: it hashes one password and, the first time,
    /// reads all of `nwauth.txt` to make the index (about a second for a
    /// million users).
    ///
    /// # Errors
    ///
    /// If the directory is missing or its files cannot be read.
    pub fn open(config: NwAuthConfig) -> Result<Self, OpenError> {
        let directory = Directory::new(&config.directory, config.read_only);
        Ok(Self {
            store: Arc::new(Store::open(directory, config.journal_limit)?),
            hasher: Hasher::new(config.scheme)?,
            names: config.names,
            read_only: config.read_only,
            rehashing: Rehashing::new(config.rehash && !config.read_only),
            questions: Lane::new("nwauth lookup", QUESTIONS.0, QUESTIONS.1),
            changes: Lane::new("nwauth change", CHANGES.0, CHANGES.1),
            lists: Lane::new("nwauth search", LISTS.0, LISTS.1),
        })
    }

    async fn find(&self, user: &Username) -> Result<Option<Record>, Unavailable> {
        if let Some(found) = self.store.find_at_once(user.as_str()) {
            return Ok(found);
        }
        let (store, user) = (Arc::clone(&self.store), user.clone());
        Ok(self.questions.run(move || store.find(user.as_str())).await??)
    }

    async fn check(&self, user: &Username, secret: &Secret) -> Result<Verdict, Unavailable> {
        let record = self.find(user).await?;
        let stored = record.as_ref().map(Record::stored);
        let verified = self.hasher.verify(stored, secret.clone()).await?;
        let right = verified.map_err(|error| error.unavailable(SOURCE, user.as_str()))?;
        Ok(match record {
            Some(record) if right => {
                self.perhaps_rehash(user, &record, secret);
                accept(user, &record)
            }
            _ => Verdict::Rejected(Rejection::not_verified(user)),
        })
    }

    /// Judges a proof of the password: a matter of microseconds, whoever it is.
    async fn prove(&self, user: &Username, proof: &Proof) -> Result<Verdict, Unavailable> {
        let record = self.find(user).await?;
        let right = match &record {
            Some(record) => dmail_schemes::prove(&record.stored(), proof)
                .map_err(|error| error.unavailable(SOURCE, user.as_str()))?,
            None => false,
        };
        Ok(match record {
            Some(record) if right => accept(user, &record),
            _ => Verdict::Rejected(Rejection::not_verified(user)),
        })
    }

    /// What a client needs to make a proof. Whoever has no keys is refused like
    /// one who is not there.
    async fn salt(&self, user: &Username, question: &SaltQuestion) -> Result<Verdict, Unavailable> {
        let record = self.find(user).await?;
        let salt = match &record {
            Some(record) => dmail_schemes::salt(&record.stored(), question.hash)
                .map_err(|error| error.unavailable(SOURCE, user.as_str()))?,
            None => None,
        };
        Ok(match (record, salt) {
            (Some(record), Some(salt)) => {
                question.tell(salt);
                accept(user, &record)
            }
            _ => Verdict::Rejected(Rejection::not_verified(user)),
        })
    }

    async fn lookup(&self, user: &Username) -> Result<Verdict, Unavailable> {
        Ok(match self.find(user).await? {
            Some(record) => accept(user, &record),
            None => Verdict::Rejected(Rejection::unknown_user(user)),
        })
    }

    async fn set(
        &self,
        user: &Username,
        secret: Option<&Secret>,
        info: Option<&Info>,
    ) -> Result<Outcome, Unavailable> {
        if let Err(fault) = self.names.judge(user) {
            return Ok(bad_input(fault));
        }
        let info = match info.map(account::info_field).transpose() {
            Ok(info) => info,
            Err(rejection) => return Ok(Outcome::Refused(rejection)),
        };
        let hash = match secret {
            None => None,
            Some(secret) if secret.is_empty() => return Ok(bad_input("the password is empty")),
            Some(secret) => match self.hasher.hash(secret.clone()).await? {
                Ok(hash) => Some(Zeroizing::new(hash.into_bytes())),
                Err(error @ SchemeError::Secret { .. }) => return Ok(bad_input(error)),
                Err(error) => return Err(error.unavailable(SOURCE, user.as_str())),
            },
        };
        self.edit(user, EditAction::Set { hash, info }, "added to database").await
    }

    async fn edit(
        &self,
        user: &Username,
        action: EditAction,
        done: &str,
    ) -> Result<Outcome, Unavailable> {
        let store = Arc::clone(&self.store);
        let edit = Edit { name: user.as_str().to_owned(), action };
        let change = move || {
            let edited = store.change(vec![edit])?;
            Ok::<_, StoreError>((edited, store.merge_is_due()))
        };
        let (edited, merge_is_due) = self.changes.run(change).await??;
        if merge_is_due {
            self.merge_behind();
        }
        Ok(match edited.first() {
            Some(Edited::Done) => Outcome::Done(format!("{user} {done}")),
            Some(Edited::Unwritable) => bad_input(account::UNWRITABLE),
            Some(Edited::UnknownUser | Edited::Unchanged) | None => {
                Outcome::Refused(Rejection::unknown_user(user))
            }
        })
    }

    /// Merges the journal while the change is being acknowledged.
    fn merge_behind(&self) {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = store.merge_if_due() {
                tracing::error!(%error, "nwauth.add cannot be merged; it goes on growing");
            }
        });
    }
}

#[async_trait]
impl Authenticator for NwAuth {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = match &request.purpose {
            Purpose::Check(secret) => self.check(&request.user, secret).await,
            Purpose::Lookup => self.lookup(&request.user).await,
            Purpose::Prove(proof) => self.prove(&request.user, proof).await,
            Purpose::Salt(question) => self.salt(&request.user, question).await,
        };
        request.note_answer(SOURCE, &verdict);
        verdict
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        if self.read_only {
            return Ok(read_only());
        }
        match &change.action {
            Action::Delete => {
                self.edit(&change.user, EditAction::Delete, "deleted from database").await
            }
            Action::Set { secret, info } => {
                self.set(&change.user, secret.as_ref(), info.as_ref()).await
            }
        }
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let (store, search) = (Arc::clone(&self.store), search.clone());
        // One more than is allowed tells that there are too many.
        let max = search.max.unwrap_or(usize::MAX).min(MAX_HITS + 1);
        let list = move || {
            store.list(Query {
                wanted: &|user| user.name().is_some_and(|name| search.matches(name)),
                from: search.from,
                max,
            })
        };
        Ok(found(self.lists.run(list).await??))
    }

    fn proofs(&self) -> Proofs {
        Proofs::STORED
    }

    fn records(&self) -> Option<&dyn Records> {
        Some(self)
    }
}

fn accept(user: &Username, record: &Record) -> Verdict {
    Verdict::accepted(account::account(user, record))
}

fn read_only() -> Outcome {
    let text = "this user base is read-only";
    Outcome::Refused(Rejection::new(RejectionKind::NotAllowed, text))
}

fn bad_input(reason: impl ToString) -> Outcome {
    Outcome::Refused(Rejection::new(RejectionKind::BadInput, reason.to_string()))
}

fn found(listing: Listing) -> SearchOutcome {
    if listing.hits.len() > MAX_HITS {
        let text = format!("more than {MAX_HITS} users match: use -from and -max");
        return SearchOutcome::Refused(Rejection::new(RejectionKind::BadInput, text));
    }
    let hit = |record: Record| {
        let user = Username::parse(record.name.as_bytes()).ok()?;
        let info = account::info(&record);
        Some(Hit { user, info })
    };
    SearchOutcome::Found(Found {
        hits: listing.hits.into_iter().filter_map(hit).collect(),
        scanned: listing.scanned,
    })
}

#[cfg(test)]
mod tests;
