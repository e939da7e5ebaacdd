//! Base and journal become a new base.
//!
//! ```text
//!   write nwauth.txt.new, fsync ─▶ its index ─▶ rename ─▶ fsync directory ─▶ remove nwauth.add
//! ```
//!
//! Wherever this stops, the files hold every change: up to the rename the old
//! base with its journal, after it the new base, over which the old journal may
//! lie once more without changing anything. A user keeps the place in the file;
//! new users come last. Lines that are no records are copied as they are.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use super::StoreError;
use super::base::{build_index, save_index};
use super::directory::{Directory, WriteLock};
use super::journal::{Entry, Journal};
use super::reading::Reading;
use super::record::{Line, MAX_LINE, key};
use super::scan::{Piece, Scanner, read_line};
use super::view::View;

/// What a merge has just done. A test stops it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// `nwauth.txt.new` is complete and flushed.
    Written,
    /// The index of the new base is in place.
    IndexInstalled,
    /// The new base has its name.
    BaseInstalled,
    /// The name is durable.
    BaseDurable,
    /// The journal is gone.
    JournalRemoved,
}

/// Merges what `view` holds, which was refreshed after the lock was taken.
pub(super) fn merge(
    directory: &Directory,
    _held: &WriteLock,
    view: &View,
    mut done: impl FnMut(Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let file = directory.create_successor(&directory.base)?;
    write_merged(&file, view)
        .and_then(|()| file.sync_all())
        .map_err(StoreError::io("write the successor of", &directory.base))?;
    done(Step::Written)?;
    let mut index = build_index(directory, &file)?;
    save_index(directory, &mut index);
    done(Step::IndexInstalled)?;
    directory.install_successor(&directory.base)?;
    done(Step::BaseInstalled)?;
    directory.sync()?;
    done(Step::BaseDurable)?;
    directory.remove_journal()?;
    done(Step::JournalRemoved)
}

fn write_merged(file: &File, view: &View) -> io::Result<()> {
    let mut merger = Merger::new(file, &view.journal)?;
    if let Some(base) = &view.base {
        let mut scanner = Scanner::new(base.file(), 0);
        while let Some(piece) = scanner.next()? {
            merger.base_piece(&piece)?;
        }
        merger.end_line()?;
    }
    merger.finish()
}

struct Merger<'a> {
    out: BufWriter<&'a File>,
    journal: &'a Journal,
    /// Keys whose journal entry is in the new base already.
    placed: HashSet<&'a str>,
    /// Lines that are no records, which the journal brings. After a merge that
    /// did not end they are in the base as well.
    kept: HashSet<Vec<u8>>,
    /// The last bytes written do not end a line.
    in_line: bool,
}

impl<'a> Merger<'a> {
    fn new(file: &'a File, journal: &'a Journal) -> io::Result<Self> {
        let mut kept = HashSet::new();
        if let Some(journal_file) = journal.file() {
            for range in journal.unreadable() {
                if range.end - range.start < MAX_LINE as u64 {
                    kept.insert(read_line(journal_file, range.start, Reading::Patient)?);
                }
            }
        }
        Ok(Self {
            out: BufWriter::with_capacity(1 << 18, file),
            journal,
            placed: HashSet::new(),
            kept,
            in_line: false,
        })
    }

    /// One piece of the old base: kept, replaced or dropped.
    fn base_piece(&mut self, piece: &Piece<'_>) -> io::Result<()> {
        let line = piece.whole().map_or(Line::Unreadable, Line::parse);
        let Some(name) = line.name() else {
            let dropped = line == Line::Blank || self.kept.contains(piece.bytes);
            return if dropped { Ok(()) } else { self.write(piece.bytes) };
        };
        let Some((key, entry)) = self.journal.entries().get_key_value(key(name).as_str()) else {
            return self.write(piece.bytes);
        };
        if self.placed.insert(key) {
            self.place(entry)?;
        }
        Ok(())
    }

    /// Writes the line of the journal that `entry` was read from.
    fn place(&mut self, entry: &Entry) -> io::Result<()> {
        match self.journal.file() {
            Some(file) if entry.record.is_some() => {
                let line = read_line(file, entry.at, Reading::Patient)?;
                self.write(&line)
            }
            _ => Ok(()),
        }
    }

    /// What only the journal has.
    fn finish(mut self) -> io::Result<()> {
        for (key, entry) in self.journal.in_order() {
            if !self.placed.contains(key) {
                self.place(entry)?;
            }
        }
        if let Some(file) = self.journal.file() {
            for range in self.journal.unreadable() {
                copy(file, range.start, range.end, &mut self.out)?;
            }
        }
        self.out.flush()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.in_line = !bytes.ends_with(b"\n");
        self.out.write_all(bytes)
    }

    /// Ends the last line of a base that an editor left without LF.
    fn end_line(&mut self) -> io::Result<()> {
        if self.in_line { self.write(b"\n") } else { Ok(()) }
    }
}

fn copy(file: &File, mut from: u64, to: u64, out: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while from < to {
        let wanted = usize::try_from(to - from).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        file.read_exact_at(&mut buffer[..wanted], from)?;
        out.write_all(&buffer[..wanted])?;
        from += wanted as u64;
    }
    Ok(())
}
