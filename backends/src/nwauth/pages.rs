//! Walking through all users in pages, in the order of the files: the base,
//! then those that only the journal has.
//!
//! A page is named by the user before it, so whoever walks needs no memory of
//! the base's. The state of the files at the first page is kept for the next
//! one: a walk shows one moment, whatever is changed or merged meanwhile. If
//! that state is gone, because two walk at the same time, the user is looked
//! up in the present one.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::StoreError;
use super::base::Base;
use super::directory::Directory;
use super::journal::Entry;
use super::listing::Snapshot;
use super::reading::Reading;
use super::record::{Line, Record, key};
use super::scan::Scanner;

/// Where the last walk is.
#[derive(Default)]
pub(super) struct Pages(Mutex<Option<Walk>>);

/// The rest of a walk.
struct Walk {
    /// Key of the user before the next page.
    after: String,
    snapshot: Snapshot,
    place: Place,
    /// Once the base is done: the keys of the changes that are still to come,
    /// the next one last.
    rest: Option<Vec<Box<str>>>,
}

/// Where the next page starts.
#[derive(Clone, Copy)]
enum Place {
    /// At this offset of the base.
    Base(u64),
    /// In the journal, behind the change at this offset.
    Journal(Option<u64>),
}

impl Pages {
    /// The users behind `after`, `limit` at most. `now` gives the present state
    /// of the files.
    pub(super) fn page(
        &self,
        directory: &Directory,
        after: Option<&str>,
        limit: usize,
        now: impl FnOnce() -> Result<Snapshot, StoreError>,
    ) -> Result<Vec<Record>, StoreError> {
        let after = after.map(key);
        let mut walk = match (self.resume(after.as_deref()), after) {
            (Some(walk), _) => walk,
            (None, None) => Walk::start(now()?),
            (None, Some(after)) => Walk::behind(directory, now()?, after)?,
        };
        let users = walk.next(directory, limit)?;
        if let Some(last) = users.last() {
            walk.after = key(&last.name);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(walk);
        }
        Ok(users)
    }

    fn resume(&self, after: Option<&str>) -> Option<Walk> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take_if(|walk| after == Some(&walk.after))
    }
}

impl Walk {
    fn start(snapshot: Snapshot) -> Self {
        Self { after: String::new(), snapshot, place: Place::Base(0), rest: None }
    }

    /// Finds the place behind a user who was the last one of a page.
    fn behind(
        directory: &Directory,
        snapshot: Snapshot,
        after: String,
    ) -> Result<Self, StoreError> {
        let located = match &snapshot.base {
            Some(base) => base.locate(directory, &after, Reading::Patient)?,
            None => None,
        };
        let changed = snapshot.changes.get(after.as_str()).map(|entry| entry.at);
        let place = match (&snapshot.base, located, changed) {
            (Some(base), Some(located), _) => {
                Place::Base(line_end(base, directory, located.offset)?)
            }
            (_, None, Some(at)) => Place::Journal(Some(at)),
            _ => return Err(StoreError::Vanished { user: after }),
        };
        Ok(Self { after, snapshot, place, rest: None })
    }

    fn next(&mut self, directory: &Directory, limit: usize) -> Result<Vec<Record>, StoreError> {
        let mut users = Vec::with_capacity(limit.min(4096));
        if let Place::Base(offset) = self.place {
            let end = match &self.snapshot.base {
                Some(base) => self.read_base(directory, base, offset, limit, &mut users)?,
                None => None,
            };
            self.place = end.map_or(Place::Journal(None), Place::Base);
        }
        if let Place::Journal(last) = self.place
            && users.len() < limit
        {
            self.read_journal(directory, last, limit, &mut users)?;
        }
        Ok(users)
    }

    /// Reads on in the base until the page is full: where to go on then.
    fn read_base(
        &self,
        directory: &Directory,
        base: &Base,
        offset: u64,
        limit: usize,
        users: &mut Vec<Record>,
    ) -> Result<Option<u64>, StoreError> {
        let failed = |error| StoreError::io("read", &directory.base)(error);
        let mut scanner = Scanner::new(base.file(), offset);
        while let Some(piece) = scanner.next().map_err(failed)? {
            let line = piece.whole().map_or(Line::Unreadable, Line::parse);
            let Some(name) = line.name() else { continue };
            let key = key(name);
            let is_last = base.is_regular()
                || base
                    .locate(directory, &key, Reading::Patient)?
                    .is_some_and(|last| last.offset == piece.offset);
            if !is_last {
                continue;
            }
            let next = piece.offset + piece.bytes.len() as u64;
            users.extend(match self.snapshot.changes.get(key.as_str()) {
                Some(entry) => entry.record.clone(),
                None => Record::of(line),
            });
            if users.len() >= limit {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// The users that only the journal has, in the order of their changes.
    fn read_journal(
        &mut self,
        directory: &Directory,
        last: Option<u64>,
        limit: usize,
        users: &mut Vec<Record>,
    ) -> Result<(), StoreError> {
        let changes = &self.snapshot.changes;
        let rest = self.rest.get_or_insert_with(|| keys_behind(changes, last));
        while users.len() < limit
            && let Some(key) = rest.pop()
        {
            let in_base = match &self.snapshot.base {
                Some(base) => base.locate(directory, &key, Reading::Patient)?.is_some(),
                None => false,
            };
            if !in_base {
                users.extend(changes.get(&key).and_then(|entry| entry.record.clone()));
            }
        }
        Ok(())
    }
}

/// The keys of the changes behind the one at `last`, the next one last.
fn keys_behind(changes: &HashMap<Box<str>, Entry>, last: Option<u64>) -> Vec<Box<str>> {
    let mut rest: Vec<_> =
        changes.iter().filter(|(_, entry)| last.is_none_or(|last| entry.at > last)).collect();
    rest.sort_unstable_by_key(|(_, entry)| Reverse(entry.at));
    rest.into_iter().map(|(key, _)| key.clone()).collect()
}

/// Where the line ends that starts at `offset`.
fn line_end(base: &Base, directory: &Directory, offset: u64) -> Result<u64, StoreError> {
    let line = super::scan::read_line(base.file(), offset, Reading::Patient);
    let line = line.map_err(StoreError::io("read", &directory.base))?;
    Ok(offset + line.len() as u64)
}
