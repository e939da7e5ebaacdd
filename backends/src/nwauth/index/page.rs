//! Pages of the index: words, checksums, and the hash that picks one.

use std::fs::File;
use std::io::{self, Write};

use super::super::reading::Reading;

/// Words of 8 bytes in a page.
pub(super) const WORDS: usize = 64;
pub(super) const PAGE_BYTES: usize = WORDS * 8;
/// All words but the checksum.
pub(super) const SLOTS: usize = WORDS - 1;

pub(super) type Page = [u64; WORDS];

/// Pages in one allocation. In one piece, a table of many megabytes would stay
/// with the allocator after it was written out and dropped.
const CHUNK: usize = 64;

/// A table in memory.
pub(super) struct Table(Vec<Box<[Page]>>);

impl Table {
    /// Empty pages, `pages` of them or a few more.
    pub(super) fn new(pages: u64) -> Self {
        let chunks = pages.div_ceil(CHUNK as u64);
        Self((0..chunks).map(|_| vec![[0; WORDS]; CHUNK].into()).collect())
    }

    pub(super) fn page(&self, number: u64) -> Option<&Page> {
        let number = usize::try_from(number).ok()?;
        self.0.get(number / CHUNK)?.get(number % CHUNK)
    }

    pub(super) fn page_mut(&mut self, number: u64) -> Option<&mut Page> {
        let number = usize::try_from(number).ok()?;
        self.0.get_mut(number / CHUNK)?.get_mut(number % CHUNK)
    }
}

/// FNV-1a from a secret start, then a finishing mix, as a table on disk needs
/// one that no release of a library changes.
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let folded = bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(folded ^ seed.rotate_left(32))
}

/// The finisher of MurmurHash3: every bit of the input moves every bit.
fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ value >> 33
}

fn checksum(page: &Page, seed: u64, number: u64) -> u64 {
    page[..SLOTS].iter().fold(mix(seed ^ number), |sum, word| {
        (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    })
}

pub(super) fn seal(page: &mut Page, seed: u64, number: u64) {
    page[SLOTS] = checksum(page, seed, number);
}

pub(super) fn is_sealed(page: &Page, seed: u64, number: u64) -> bool {
    page[SLOTS] == checksum(page, seed, number)
}

pub(super) fn read_page(file: &File, number: u64, reading: Reading) -> io::Result<Page> {
    let mut bytes = [0; PAGE_BYTES];
    let mut filled = 0;
    while filled < PAGE_BYTES {
        let offset = number * PAGE_BYTES as u64 + filled as u64;
        match reading.read_at(file, &mut bytes[filled..], offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    let mut page = [0; WORDS];
    for (word, bytes) in page.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(page)
}

pub(super) fn write_page(out: &mut impl Write, page: &Page) -> io::Result<()> {
    page.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))
}
