//! The making of an index.

use super::page::{SLOTS, Table};
use super::place::{Place, offset_of};
use super::{Header, Index, Pages};
use crate::nwauth::directory::Stamp;

/// Slots of a page that are filled when the table is new, about two thirds.
const FILLED: u64 = 42;

/// A table while it is filled.
pub(in super::super) struct Builder {
    header: Header,
    table: Table,
}

impl Builder {
    /// An empty table for about `users` users of the file with this stamp.
    pub(in super::super) fn new(stamp: Stamp, users: u64) -> Self {
        let pages = users / FILLED + 1;
        Self {
            header: Header {
                stamp,
                seed: rand::random(),
                pages,
                users: 0,
                unreadable: 0,
                regular: true,
            },
            table: Table::new(pages),
        }
    }

    /// Counts a line that is no record.
    pub(in super::super) fn note_unreadable(&mut self) {
        self.header.unreadable += 1;
    }

    /// Notes that not every record stands for a user.
    pub(in super::super) fn note_irregular(&mut self) {
        self.header.regular = false;
    }

    /// Enters the record of `key` at `offset`. `same_name` tells whether the
    /// record at an older offset is of the same name: then the later one wins.
    pub(in super::super) fn insert<E>(
        &mut self,
        key: &str,
        offset: u64,
        mut same_name: impl FnMut(u64) -> Result<bool, E>,
    ) -> Result<(), E> {
        let place = Place::of(key, &self.header);
        for number in place.pages() {
            let Some(page) = self.table.page_mut(number) else {
                break;
            };
            for slot in &mut page[..SLOTS] {
                if *slot == 0 {
                    *slot = place.slot(offset);
                    self.header.users += 1;
                    return Ok(());
                }
                if place.fits(*slot) && same_name(offset_of(*slot))? {
                    *slot = place.slot(offset);
                    self.header.regular = false;
                    return Ok(());
                }
            }
        }
        // Every page is full: more lines came than were counted, so the file
        // changed meanwhile and the caller starts over.
        Ok(())
    }

    /// The finished table, in memory.
    pub(in super::super) fn finish(self) -> Index {
        Index { header: self.header, pages: Pages::Memory(self.table) }
    }
}
