//! Listing users: the base in its order, then those that only the journal has.
//! The order stays the same when the journal is merged.

use std::collections::HashMap;
use std::sync::Arc;

use super::StoreError;
use super::base::Base;
use super::directory::Directory;
use super::journal::Entry;
use super::reading::Reading;
use super::record::{Line, Record, key};
use super::scan::Scanner;
use super::view::View;

/// Which users to list.
pub(super) struct Query<'a> {
    /// Whether a user is wanted.
    pub(super) wanted: &'a dyn Fn(Line<'_>) -> bool,
    /// How many hits to skip.
    pub(super) from: usize,
    /// How many hits to return at most.
    pub(super) max: usize,
}

/// The users found.
#[derive(Default)]
pub(super) struct Listing {
    /// The hits after `from`, up to `max`.
    pub(super) hits: Vec<Record>,
    /// All hits, those skipped or cut off counted.
    matched: usize,
    /// All users of the base.
    pub(super) scanned: usize,
}

impl Listing {
    fn take(&mut self, query: &Query<'_>, user: Line<'_>) {
        self.scanned += 1;
        if !(query.wanted)(user) {
            return;
        }
        self.matched += 1;
        if self.matched > query.from && self.hits.len() < query.max {
            self.hits.extend(Record::of(user));
        }
    }
}

/// The users at one moment, free of the store's locks.
pub(super) struct Snapshot {
    pub(super) base: Option<Arc<Base>>,
    /// What the journal says over it, by key.
    pub(super) changes: HashMap<Box<str>, Entry>,
}

impl Snapshot {
    pub(super) fn of(view: &View) -> Self {
        Self { base: view.base.clone(), changes: view.journal.entries().clone() }
    }

    /// Reads the whole base, as the number of all users is part of the answer.
    pub(super) fn list(
        mut self,
        directory: &Directory,
        query: &Query<'_>,
    ) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        if let Some(base) = self.base.take() {
            self.list_base(directory, &base, query, &mut listing)?;
        }
        let mut additions: Vec<Entry> = self.changes.into_values().collect();
        additions.sort_unstable_by_key(|entry| entry.at);
        for record in additions.into_iter().filter_map(|entry| entry.record) {
            listing.take(query, record.as_line());
        }
        Ok(listing)
    }

    fn list_base(
        &mut self,
        directory: &Directory,
        base: &Base,
        query: &Query<'_>,
        listing: &mut Listing,
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("read", &directory.base)(error);
        let mut scanner = Scanner::new(base.file(), 0);
        while let Some(piece) = scanner.next().map_err(failed)? {
            let line = piece.whole().map_or(Line::Unreadable, Line::parse);
            let Some(name) = line.name() else {
                continue;
            };
            let key = key(name);
            if let Some(entry) = self.changes.get_mut(key.as_str()) {
                // Listed here, where a merge will put it, and not again.
                if let Some(record) = entry.record.take() {
                    listing.take(query, record.as_line());
                }
                continue;
            }
            let is_last = base.is_regular()
                || base
                    .locate(directory, &key, Reading::Patient)?
                    .is_some_and(|last| last.offset == piece.offset);
            if is_last && matches!(line, Line::User { .. }) {
                listing.take(query, line);
            }
        }
        Ok(())
    }
}
