//! The user base as a whole: find, change, list. Blocking, and safe for
//! several processes on the same files.
//!
//! ```text
//!   find, search ─▶ view: still current? (two stats) ─▶ journal, then base
//!   change ─▶ queue ─▶ one of the callers takes all that wait:
//!                      lock, refresh, one append, one fdatasync, unlock ─▶ all are answered
//! ```

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

use zeroize::Zeroizing;

use super::directory::Directory;
use super::merge::{Step, merge};
use super::pages::Pages;
use super::reading::Reading;
use super::record::{Record, deletion_line, key};
use super::view::View;
use super::{StoreError, account, listing};

/// Smallest journal that is merged unless `-size` says otherwise, in bytes.
const MIN_JOURNAL: u64 = 200 * 1024;

/// The journal may grow to this part of the base: then merging costs 32 bytes
/// written for each byte changed, whatever the size of the base.
const JOURNAL_SHARE: u64 = 32;

/// A change of one record.
#[derive(Clone)]
pub(super) struct Edit {
    /// The user, in any case; written in lower case.
    pub(super) name: String,
    pub(super) action: EditAction,
}

/// What an [`Edit`] does.
#[derive(Clone)]
pub(super) enum EditAction {
    /// Takes the user out.
    Delete,
    /// Replaces the stored password, if it is still this one.
    Rehash { from: Zeroizing<Vec<u8>>, to: Zeroizing<Vec<u8>> },
    /// Adds or replaces; without a hash, the present one stays if there is one.
    Put { hash: Option<Zeroizing<Vec<u8>>>, info: Vec<u8> },
    /// Adds or changes; `None` keeps what there is. New info does not move the
    /// mail unless it says so.
    Set { hash: Option<Zeroizing<Vec<u8>>>, info: Option<Vec<u8>> },
}

/// How an [`Edit`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edited {
    /// On disk.
    Done,
    /// Nothing was to be done: the password is another one by now.
    Unchanged,
    /// There is no such user to delete, or to keep a password of.
    UnknownUser,
    /// The record would not fit one line of the file.
    Unwritable,
}

/// Edits that wait for a writer, and who wants to know.
struct Waiting {
    edits: Vec<Edit>,
    reply: Sender<Result<Vec<Edited>, StoreError>>,
}

/// The user base.
pub(super) struct Store {
    directory: Directory,
    /// `-size`: largest journal in bytes.
    journal_limit: Option<u64>,
    /// Whether the folder is on this machine.
    local: bool,
    view: RwLock<View>,
    pages: Pages,
    queue: Mutex<Vec<Waiting>>,
    /// Held by the one thread that writes.
    writer: Mutex<()>,
    /// Held by the one thread that merges.
    merger: Mutex<()>,
}

impl Store {
    /// Opens the files; builds the index if there is none.
    pub(super) fn open(
        directory: Directory,
        journal_limit: Option<u64>,
    ) -> Result<Self, StoreError> {
        let local = directory.check()?;
        let mut view = View::default();
        view.refresh(&directory, None)?;
        Ok(Self {
            directory,
            journal_limit,
            local,
            view: RwLock::new(view),
            pages: Pages::default(),
            queue: Mutex::default(),
            writer: Mutex::default(),
            merger: Mutex::default(),
        })
    }

    /// The record of this name, whatever its case.
    pub(super) fn find(&self, name: &str) -> Result<Option<Record>, StoreError> {
        let found = self.current_view()?.find(&self.directory, name, Reading::Patient);
        match found {
            Err(StoreError::IndexDamaged { .. }) => {
                self.view_mut().rebuild_index(&self.directory)?;
                self.view().find(&self.directory, name, Reading::Patient)
            }
            found => found,
        }
    }

    /// The same if the kernel has all of it in memory. `None` if not, or if
    /// anything is new or wrong: then [`find`](Self::find) is to be asked.
    pub(super) fn find_at_once(&self, name: &str) -> Option<Option<Record>> {
        if !self.local {
            return None;
        }
        let view = self.view.try_read().ok()?;
        let at_hand = view.base.as_ref().is_none_or(|base| base.is_local());
        if !at_hand || !view.is_current(&self.directory).ok()? {
            return None;
        }
        view.find(&self.directory, name, Reading::AtOnce).ok()
    }

    /// Lists users. A merge that another process makes meanwhile does not
    /// disturb it.
    pub(super) fn list(&self, query: listing::Query<'_>) -> Result<listing::Listing, StoreError> {
        let snapshot = {
            let view = self.current_view()?;
            listing::Snapshot::of(&view)
        };
        match snapshot.list(&self.directory, &query) {
            Err(StoreError::IndexDamaged { .. }) => {
                self.view_mut().rebuild_index(&self.directory)?;
                listing::Snapshot::of(&self.view()).list(&self.directory, &query)
            }
            listed => listed,
        }
    }

    /// The users that follow `after` in the order of the files.
    pub(super) fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let now = || self.current_view().map(|view| listing::Snapshot::of(&view));
        match self.pages.page(&self.directory, after, limit, now) {
            Err(StoreError::IndexDamaged { .. }) => {
                self.view_mut().rebuild_index(&self.directory)?;
                self.pages.page(&self.directory, after, limit, now)
            }
            page => page,
        }
    }

    /// Makes changes; when it returns they are on disk. Edits of several
    /// callers share one append and one flush. Those of one call are made
    /// in order and together.
    pub(super) fn change(&self, edits: Vec<Edit>) -> Result<Vec<Edited>, StoreError> {
        let (reply, answer) = channel();
        lock(&self.queue).push(Waiting { edits, reply });
        let writer = lock(&self.writer);
        // While this caller waited another one may have done its work.
        if let Some(answered) = answered(&answer) {
            return answered;
        }
        let waiting = std::mem::take(&mut *lock(&self.queue));
        self.answer_all(&writer, waiting);
        answered(&answer).unwrap_or(Err(StoreError::Interrupted))
    }

    fn answer_all(&self, writer: &MutexGuard<'_, ()>, waiting: Vec<Waiting>) {
        match self.write_all(writer, &waiting) {
            Ok(done) => {
                for (waiting, done) in waiting.into_iter().zip(done) {
                    // Whoever gave up waiting does not want to know.
                    let _ = waiting.reply.send(Ok(done));
                }
            }
            Err(error) => {
                for waiting in waiting {
                    let _ = waiting.reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn write_all(
        &self,
        _writer: &MutexGuard<'_, ()>,
        waiting: &[Waiting],
    ) -> Result<Vec<Vec<Edited>>, StoreError> {
        let held = self.directory.lock()?;
        self.view_mut().refresh(&self.directory, Some(&held))?;
        let mut batch = Batch::new(self);
        let mut done = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            let edited: Result<_, _> = waiting.edits.iter().map(|edit| batch.apply(edit)).collect();
            done.push(edited?);
        }
        let lines = batch.lines;
        if !lines.is_empty() {
            self.view().journal.append(&self.directory, &held, &lines)?;
            self.view_mut().refresh(&self.directory, Some(&held))?;
        }
        Ok(done)
    }

    /// Whether the journal has grown past its limit.
    pub(super) fn merge_is_due(&self) -> bool {
        !self.directory.read_only && self.is_due(&self.view())
    }

    /// Merges the journal if it has grown past its limit and no other thread
    /// is doing so. Changes wait for it; questions do so only while the files
    /// change names.
    pub(super) fn merge_if_due(&self) -> Result<(), StoreError> {
        let _merger = match self.merger.try_lock() {
            Ok(merger) => merger,
            Err(TryLockError::Poisoned(merger)) => merger.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        if !self.merge_is_due() {
            return Ok(());
        }
        self.merge_until(|_| Ok(()))
    }

    fn merge_until(
        &self,
        done: impl FnMut(Step) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let _writer = lock(&self.writer);
        let held = self.directory.lock()?;
        self.view_mut().refresh(&self.directory, Some(&held))?;
        let view = self.view();
        // Another process may have been first.
        if !self.is_due(&view) {
            return Ok(());
        }
        merge(&self.directory, &held, &view, done)?;
        drop(view);
        self.view_mut().refresh(&self.directory, Some(&held))
    }

    fn is_due(&self, view: &View) -> bool {
        let base = view.base.as_ref().map_or(0, |base| base.stamp().size);
        let limit = self.journal_limit.unwrap_or(MIN_JOURNAL.max(base / JOURNAL_SHARE));
        view.journal.size() > limit
    }

    /// The view, after reading what changed since the last question.
    fn current_view(&self) -> Result<RwLockReadGuard<'_, View>, StoreError> {
        let view = self.view();
        if view.is_current(&self.directory)? {
            return Ok(view);
        }
        drop(view);
        self.view_mut().refresh(&self.directory, None)?;
        Ok(self.view())
    }

    // A view is replaced only after its successor was read in full, so a
    // thread that panicked left it sound.
    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks; what these mutexes guard is whole at every instant.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Answer = Result<Vec<Edited>, StoreError>;

fn answered(answer: &Receiver<Answer>) -> Option<Answer> {
    match answer.try_recv() {
        Ok(answer) => Some(answer),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(Err(StoreError::Interrupted)),
    }
}

/// The lines of one append, and what they change before they are written.
struct Batch<'a> {
    store: &'a Store,
    lines: Vec<u8>,
    changed: HashMap<String, Option<Record>>,
}

impl<'a> Batch<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, lines: Vec::new(), changed: HashMap::new() }
    }

    fn apply(&mut self, edit: &Edit) -> Result<Edited, StoreError> {
        let key = key(&edit.name);
        let present = match self.changed.get(&key) {
            Some(record) => record.clone(),
            None => self.store.find(&key)?,
        };
        let record = match (&edit.action, present) {
            (EditAction::Delete, Some(_)) => None,
            (EditAction::Put { hash, info }, present) => Some(Record {
                name: key.clone(),
                hash: hash.clone().or(present.map(|old| old.hash)).unwrap_or_default(),
                info: info.clone(),
            }),
            (EditAction::Set { hash: Some(hash), info }, present) => Some(Record {
                name: key.clone(),
                hash: hash.clone(),
                info: new_info(info.as_deref(), present.as_ref()),
            }),
            (EditAction::Set { hash: None, info }, Some(old)) => Some(Record {
                name: key.clone(),
                info: new_info(info.as_deref(), Some(&old)),
                hash: old.hash,
            }),
            (EditAction::Rehash { from, to }, Some(old)) if old.hash == *from => {
                Some(Record { name: key.clone(), hash: to.clone(), info: old.info })
            }
            (EditAction::Rehash { .. }, Some(_)) => return Ok(Edited::Unchanged),
            (_, None) => return Ok(Edited::UnknownUser),
        };
        let line = match &record {
            Some(record) => record.line(),
            None => Some(deletion_line(&key)),
        };
        let Some(line) = line else {
            return Ok(Edited::Unwritable);
        };
        self.lines.extend_from_slice(&line);
        self.changed.insert(key, record);
        Ok(Edited::Done)
    }
}

/// The info of a record that is set.
fn new_info(new: Option<&[u8]>, old: Option<&Record>) -> Vec<u8> {
    match (new, old) {
        (Some(new), Some(old)) => account::keep_place(old, new),
        (Some(new), None) => new.to_vec(),
        (None, old) => old.map(|old| old.info.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
