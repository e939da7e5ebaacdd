//! Where in `nwauth.txt` each user is: a hash table on disk.
//!
//! A million users take 12 MB in `nwauth.idx` and nothing in memory: a lookup
//! reads one page of 512 bytes, which the kernel has cached, and then the
//! record. Opening reads one page. Where nothing may be written the same table
//! is kept in memory.
//!
//! ```text
//!   page 0     magic, stamp of nwauth.txt, seed, number of pages, counts  | checksum
//!   page 1…n   63 slots of 8 bytes, 0 if empty                             | checksum
//!   slot       24 bits of the name's hash, 40 bits of offset + 1
//! ```
//!
//! The hash picks a page; a full page overflows into the next one. Each page
//! carries a checksum over its number, the seed and its words, so a page that
//! was torn, zeroed or taken from another index is noticed when it is read, and
//! nothing needs to be flushed. The table only proposes: whoever asks reads the
//! record at the offset and believes the name that stands there.

mod builder;
mod page;
mod place;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::directory::Stamp;
use super::reading::Reading;
pub(super) use builder::Builder;
use page::{PAGE_BYTES, Page, SLOTS, Table, WORDS, is_sealed, read_page, seal, write_page};
pub(super) use place::MAX_OFFSET;
use place::{Place, offset_of};

const MAGIC: u64 = u64::from_le_bytes(*b"NWIDX\0\0\x01");

/// What the whole table is about; page 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The `nwauth.txt` that was indexed.
    pub(super) stamp: Stamp,
    /// Unknown to whoever makes names up, so that they cannot pile up one page.
    seed: u64,
    /// Pages with slots, 1 or more.
    pages: u64,
    /// Users found.
    pub(super) users: u64,
    /// Lines that are no records.
    pub(super) unreadable: u64,
    /// Whether each record is the only one of its name, and none is a deletion.
    pub(super) regular: bool,
}

impl Header {
    fn to_page(self) -> Page {
        let mut page = [0; WORDS];
        page[..9].copy_from_slice(&[
            MAGIC,
            self.stamp.inode,
            self.stamp.size,
            self.stamp.modified.cast_unsigned(),
            self.seed,
            self.pages,
            self.users,
            self.unreadable,
            u64::from(self.regular),
        ]);
        seal(&mut page, self.seed, 0);
        page
    }

    fn of_page(page: &Page) -> Option<Self> {
        let header = Self {
            stamp: Stamp { inode: page[1], size: page[2], modified: page[3].cast_signed() },
            seed: page[4],
            pages: page[5],
            users: page[6],
            unreadable: page[7],
            regular: page[8] == 1,
        };
        (page[0] == MAGIC && is_sealed(page, header.seed, 0)).then_some(header)
    }
}

enum Pages {
    File(File),
    Memory(Table),
}

/// A table to look names up in.
pub(super) struct Index {
    header: Header,
    pages: Pages,
}

/// A page that is not what was written, or cannot be read in this way.
#[derive(Debug)]
pub(super) struct Damaged;

impl Index {
    /// Opens a table, if it is a sound one for the file with this stamp.
    pub(super) fn open(file: File, stamp: Stamp) -> Option<Self> {
        let header = Header::of_page(&read_page(&file, 0, Reading::Patient).ok()?)?;
        let bytes = header.pages.checked_add(1)?.checked_mul(PAGE_BYTES as u64)?;
        let fits = header.stamp == stamp && header.pages > 0;
        (fits && file.metadata().ok()?.len() == bytes)
            .then_some(Self { header, pages: Pages::File(file) })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// The offsets at which the record of `key`, a name in lower case, may be.
    pub(super) fn candidates(&self, key: &str, reading: Reading) -> Result<Vec<u64>, Damaged> {
        let place = Place::of(key, &self.header);
        let mut found = Vec::new();
        for number in place.pages() {
            let page = self.page(number, reading)?;
            for slot in &page[..SLOTS] {
                if *slot == 0 {
                    return Ok(found);
                }
                if place.fits(*slot) {
                    found.push(offset_of(*slot));
                }
            }
        }
        Ok(found)
    }

    fn page(&self, number: u64, reading: Reading) -> Result<Page, Damaged> {
        match &self.pages {
            Pages::Memory(table) => table.page(number).copied().ok_or(Damaged),
            Pages::File(file) => {
                let page = read_page(file, number + 1, reading).map_err(|_| Damaged)?;
                let sealed = is_sealed(&page, self.header.seed, number + 1);
                sealed.then_some(page).ok_or(Damaged)
            }
        }
    }

    /// Writes a table that is in memory to `file`, and goes on with that.
    pub(super) fn write_to(&mut self, file: File) -> io::Result<()> {
        let Pages::Memory(table) = &self.pages else {
            return Ok(());
        };
        let mut out = BufWriter::with_capacity(1 << 18, &file);
        write_page(&mut out, &self.header.to_page())?;
        for number in 0..self.header.pages {
            let mut page = *table.page(number).unwrap_or(&[0; WORDS]);
            seal(&mut page, self.header.seed, number + 1);
            write_page(&mut out, &page)?;
        }
        out.flush()?;
        drop(out);
        self.pages = Pages::File(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::os::unix::fs::FileExt;

    use super::*;

    const STAMP: Stamp = Stamp { inode: 7, size: 1 << 30, modified: -5 };

    /// A table of `users` users, user n at offset 10 n, sized for `room`.
    fn table(users: u64, room: u64) -> Index {
        let mut builder = Builder::new(STAMP, room);
        for user in 0..users {
            let never = |_| Ok::<_, Infallible>(false);
            let Ok(()) = builder.insert(&format!("user{user}"), user * 10, never);
        }
        builder.finish()
    }

    fn check_all(index: &Index, users: u64) {
        for user in 0..users {
            let found = index.candidates(&format!("user{user}"), Reading::Patient).expect("sound");
            assert!(found.contains(&(user * 10)), "user{user}");
            assert!(found.len() <= 2, "fragments seldom collide");
        }
        assert!(index.candidates("nobody", Reading::Patient).expect("sound").len() < 2);
    }

    #[test]
    fn names_are_found_in_memory_and_on_disk() {
        for (users, room) in [(0, 0), (1, 1), (62, 0), (5000, 5000), (5000, 3400)] {
            let mut index = table(users, room);
            check_all(&index, users);
            let path = tempfile::NamedTempFile::new().expect("a file");
            index.write_to(path.reopen().expect("open")).expect("written");
            check_all(&index, users);
            let file = path.reopen().expect("open");
            let reopened = Index::open(file, STAMP).expect("a sound table");
            assert_eq!(reopened.header().users, users);
            check_all(&reopened, users);
        }
    }

    #[test]
    fn the_later_record_of_a_name_wins() {
        let mut builder = Builder::new(STAMP, 10);
        for offset in [0, 100, 200] {
            let same = |_| Ok::<_, Infallible>(true);
            let Ok(()) = builder.insert("bob", offset, same);
        }
        let index = builder.finish();
        assert_eq!(index.candidates("bob", Reading::Patient).expect("sound"), [200]);
        assert_eq!(index.header().users, 1);
        assert!(!index.header().regular);
    }

    #[test]
    fn a_table_for_another_file_or_with_a_flipped_bit_is_not_believed() {
        let path = tempfile::NamedTempFile::new().expect("a file");
        let open = || path.reopen().expect("open");
        table(1000, 1000).write_to(open()).expect("written");
        let other = Stamp { size: 1, ..STAMP };
        assert!(Index::open(open(), other).is_none());
        assert!(Index::open(open(), STAMP).is_some());

        let len = open().metadata().expect("metadata").len();
        for at in (0..len).step_by(97) {
            let mut byte = [0];
            open().read_exact_at(&mut byte, at).expect("read");
            open().write_all_at(&[byte[0] ^ 4], at).expect("written");
            let noticed = match Index::open(open(), STAMP) {
                None => true,
                Some(index) => {
                    (0..index.header.pages).any(|page| index.page(page, Reading::Patient).is_err())
                }
            };
            assert!(noticed, "a flip at {at}");
            open().write_all_at(&byte, at).expect("restored");
        }
        open().set_len(len - 1).expect("cut");
        assert!(Index::open(open(), STAMP).is_none());
    }
}
