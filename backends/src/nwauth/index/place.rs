//! Where in a table a name belongs, and what a slot says.

use super::Header;
use super::page::hash;

const OFFSET_BITS: u32 = 40;

/// Offsets that a slot can hold.
pub(in super::super) const MAX_OFFSET: u64 = (1 << OFFSET_BITS) - 2;

/// Where in a table a name belongs.
pub(super) struct Place {
    first_page: u64,
    pages: u64,
    fragment: u64,
}

impl Place {
    pub(super) fn of(key: &str, header: &Header) -> Self {
        let hash = hash(key.as_bytes(), header.seed);
        // The upper half times the number of pages: a fair share for each page.
        let first_page = ((hash >> 32) * header.pages) >> 32;
        Self { first_page, pages: header.pages, fragment: hash & 0xff_ffff }
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, pages) = (self.first_page, self.pages);
        (0..pages).map(move |step| (first + step) % pages)
    }

    pub(super) fn slot(&self, offset: u64) -> u64 {
        self.fragment << OFFSET_BITS | (offset + 1)
    }

    pub(super) fn fits(&self, slot: u64) -> bool {
        slot >> OFFSET_BITS == self.fragment
    }
}

/// The offset in a slot that is not empty.
pub(super) fn offset_of(slot: u64) -> u64 {
    (slot & ((1 << OFFSET_BITS) - 1)) - 1
}
