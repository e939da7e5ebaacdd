//! `nwauth.txt` and the index beside it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memchr_iter;

use super::StoreError;
use super::directory::{Directory, Stamp, WriteLock};
use super::index::{Builder, Index, MAX_OFFSET};
use super::reading::{Reading, is_local};
use super::record::{Line, Record, key};
use super::scan::{Scanner, read_line};

/// How often to start over when the file changes under the index scan.
const INDEX_TRIES: usize = 3;

/// One state of `nwauth.txt`. Its file stays open, so it can be read to the
/// end even when a merge has put another one in its place.
pub(super) struct Base {
    file: File,
    index: Index,
    /// Whether it can be read without asking another machine.
    local: bool,
}

/// Whether to believe the index that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IndexUse {
    /// It was found damaged.
    Rebuild,
    /// If it is sound and of this very file.
    Trust,
}

/// A record of the base, and where it stands.
pub(super) struct Located {
    pub(super) offset: u64,
    /// `None` for a deletion, which only a hand-made base holds.
    pub(super) record: Option<Record>,
}

impl Base {
    /// Opens the file that is there now, if there is one.
    pub(super) fn open(
        directory: &Directory,
        index: IndexUse,
        held: Option<&WriteLock>,
    ) -> Result<Option<Self>, StoreError> {
        let file = match File::open(&directory.base) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", &directory.base)(error)),
        };
        let index = open_index(directory, &file, index, held)?;
        let local = is_local(&file);
        Ok(Some(Self { file, index, local }))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.index.header().stamp
    }

    pub(super) fn unreadable(&self) -> u64 {
        self.index.header().unreadable
    }

    /// Whether each record is the only one of its name.
    pub(super) fn is_regular(&self) -> bool {
        self.index.header().regular
    }

    /// The last record of `key`, a name in lower case.
    pub(super) fn locate(
        &self,
        directory: &Directory,
        key: &str,
        reading: Reading,
    ) -> Result<Option<Located>, StoreError> {
        let damaged = || StoreError::IndexDamaged { path: directory.index.clone() };
        for offset in self.index.candidates(key, reading).map_err(|_| damaged())? {
            let bytes = read_line(&self.file, offset, reading)
                .map_err(StoreError::io("read", &directory.base))?;
            let line = Line::parse(&bytes);
            // Another name with the same bits of hash is no damage; no record is.
            let name = line.name().ok_or_else(damaged)?;
            if name.eq_ignore_ascii_case(key) {
                return Ok(Some(Located { offset, record: Record::of(line) }));
            }
        }
        Ok(None)
    }
}

/// The index on disk if it fits, else a new one, left on disk if possible.
fn open_index(
    directory: &Directory,
    file: &File,
    index: IndexUse,
    held: Option<&WriteLock>,
) -> Result<Index, StoreError> {
    let stamp = Stamp::of_file(file).map_err(StoreError::io("look at", &directory.base))?;
    if index == IndexUse::Trust {
        let present = File::open(&directory.index).ok();
        if let Some(index) = present.and_then(|present| Index::open(present, stamp)) {
            return Ok(index);
        }
    }
    let mut index = build_index(directory, file)?;
    let taken = if held.is_none() { directory.try_lock() } else { None };
    if held.is_some() || taken.is_some() {
        save_index(directory, &mut index);
    }
    Ok(index)
}

/// Leaves the index on disk. If that cannot be, it stays in memory.
pub(super) fn save_index(directory: &Directory, index: &mut Index) {
    let saved = directory.create_successor(&directory.index).and_then(|file| {
        index.write_to(file).map_err(StoreError::io("write", &directory.index))?;
        directory.install_successor(&directory.index)
    });
    if let Err(error) = saved {
        tracing::warn!(%error, "the nwauth index stays in memory");
    }
}

/// Reads the whole file once, as long as it stays the same.
pub(super) fn build_index(directory: &Directory, file: &File) -> Result<Index, StoreError> {
    let failed = |error| StoreError::io("read", &directory.base)(error);
    for _ in 0..INDEX_TRIES {
        let before = Stamp::of_file(file).map_err(failed)?;
        if before.size > MAX_OFFSET {
            return Err(StoreError::TooLarge { path: directory.base.clone() });
        }
        let index = scan_into_index(file, before).map_err(failed)?;
        if Stamp::of_file(file).map_err(failed)? == before {
            return Ok(index);
        }
    }
    Err(failed(io::Error::other("it is being rewritten")))
}

fn scan_into_index(file: &File, stamp: Stamp) -> io::Result<Index> {
    let mut builder = Builder::new(stamp, count_lines(file)?);
    let mut scanner = Scanner::new(file, 0);
    while let Some(piece) = scanner.next()? {
        let line = piece.whole().map_or(Line::Unreadable, Line::parse);
        let offset = piece.offset;
        match line {
            Line::Blank => {}
            // One count for all pieces of an overlong line.
            Line::Unreadable if !piece.at_start => {}
            Line::Unreadable => builder.note_unreadable(),
            Line::Deleted { name } | Line::User { name, .. } => {
                if matches!(line, Line::Deleted { .. }) {
                    builder.note_irregular();
                }
                let key = key(name);
                builder.insert(&key, offset, |older| {
                    let bytes = read_line(file, older, Reading::Patient)?;
                    let older = Line::parse(&bytes).name();
                    Ok::<_, io::Error>(older.is_some_and(|name| name.eq_ignore_ascii_case(&key)))
                })?;
            }
        }
    }
    Ok(builder.finish())
}

fn count_lines(file: &File) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let (mut at, mut lines) = (0, 1);
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += memchr_iter(b'\n', &buffer[..read]).count() as u64;
        at += read as u64;
    }
}
