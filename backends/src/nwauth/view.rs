//! What the files say at one moment: the base, with the journal over it.
//!
//! Readers take no lock. A merge puts the new base in place before it removes
//! the journal, and applying a journal to a base that has it already changes
//! nothing. So "journal first, then base" is always a true state, as long as it
//! is still the same journal afterwards.

use std::sync::Arc;

use super::StoreError;
use super::base::{Base, IndexUse};
use super::directory::{Directory, Stamp, WriteLock};
use super::journal::Journal;
use super::reading::Reading;
use super::record::{Record, key};

/// The users, as last read.
#[derive(Default)]
pub(super) struct View {
    pub(super) base: Option<Arc<Base>>,
    pub(super) journal: Journal,
}

impl View {
    /// Whether the files are still those that were read: two calls of stat(2).
    pub(super) fn is_current(&self, directory: &Directory) -> Result<bool, StoreError> {
        Ok(self.journal.is_current(directory)? && self.base_is_current(directory)?)
    }

    fn base_is_current(&self, directory: &Directory) -> Result<bool, StoreError> {
        let known = self.base.as_ref().map(|base| base.stamp());
        Ok(known == Stamp::of_path(&directory.base)?)
    }

    /// Reads what is new.
    pub(super) fn refresh(
        &mut self,
        directory: &Directory,
        held: Option<&WriteLock>,
    ) -> Result<(), StoreError> {
        loop {
            self.journal.catch_up(directory)?;
            if self.base_is_current(directory)? {
                return Ok(());
            }
            self.base = Base::open(directory, IndexUse::Trust, held)?.map(Arc::new);
            self.report_unreadable(directory);
            // Two merges may have passed between the two reads.
            if self.journal.is_same_file(directory)? {
                return Ok(());
            }
        }
    }

    fn report_unreadable(&self, directory: &Directory) {
        let lines = self.base.as_ref().map_or(0, |base| base.unreadable());
        if lines > 0 {
            let path = directory.base.display();
            tracing::warn!(%path, lines, "lines that are no records; they are kept as they are");
        }
    }

    /// Makes a damaged index again.
    pub(super) fn rebuild_index(&mut self, directory: &Directory) -> Result<(), StoreError> {
        tracing::warn!(path = %directory.index.display(), "the index is damaged; rebuilding it");
        self.base = Base::open(directory, IndexUse::Rebuild, None)?.map(Arc::new);
        Ok(())
    }

    /// The record of this name, whatever its case.
    pub(super) fn find(
        &self,
        directory: &Directory,
        name: &str,
        reading: Reading,
    ) -> Result<Option<Record>, StoreError> {
        let key = key(name);
        if let Some(entry) = self.journal.entry(&key) {
            return Ok(entry.record.clone());
        }
        match &self.base {
            Some(base) => {
                Ok(base.locate(directory, &key, reading)?.and_then(|located| located.record))
            }
            None => Ok(None),
        }
    }
}
