//! `nwauth.add`: what changed since `nwauth.txt` was written.
//!
//! Its latest line about each user is kept in memory, which the size limit of
//! the journal bounds. Other processes append to the same file, so it is looked
//! at before every answer and only the new tail is read. A last line without LF
//! is an append that never finished: nobody was told that it was made, so
//! readers pass over it and the next writer cuts it off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;

use super::StoreError;
use super::directory::{Directory, Stamp, WriteLock};
use super::record::{Line, Record, key};
use super::scan::Scanner;

/// The journal as far as it was read.
#[derive(Default)]
pub(super) struct Journal {
    /// Kept open, so that no other file can get its inode number.
    file: Option<File>,
    stamp: Option<Stamp>,
    /// Bytes read: up to behind the last LF.
    consumed: u64,
    entries: HashMap<Box<str>, Entry>,
    unreadable: Vec<Range<u64>>,
}

/// The latest line about one user.
#[derive(Clone)]
pub(super) struct Entry {
    /// Offset of the line: the order of the changes.
    pub(super) at: u64,
    /// `None` if the user was deleted.
    pub(super) record: Option<Record>,
}

impl Journal {
    /// Whether the file is still what was read.
    pub(super) fn is_current(&self, directory: &Directory) -> Result<bool, StoreError> {
        Ok(self.stamp == Stamp::of_path(&directory.journal)?)
    }

    /// Whether the same file still has the journal's name.
    pub(super) fn is_same_file(&self, directory: &Directory) -> Result<bool, StoreError> {
        let inode = |stamp: Stamp| stamp.inode;
        Ok(self.stamp.map(inode) == Stamp::of_path(&directory.journal)?.map(inode))
    }

    /// Reads what is new: the tail, or another file from its start.
    pub(super) fn catch_up(&mut self, directory: &Directory) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("read", &directory.journal)(error);
        let present = Stamp::of_path(&directory.journal)?;
        if present == self.stamp {
            return Ok(());
        }
        let grew = |old: Stamp, new: Stamp| old.inode == new.inode && old.size < new.size;
        let tail = matches!((self.stamp, present), (Some(old), Some(new)) if grew(old, new));
        if !tail {
            *self = Self::default();
            self.file = match File::open(&directory.journal) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(failed(error)),
            };
        }
        if let Some(file) = self.file.take() {
            // Stamped first: what is appended meanwhile is seen next time.
            self.stamp = Some(Stamp::of_file(&file).map_err(failed)?);
            let read = self.read_tail(&file);
            self.file = Some(file);
            read.map_err(failed)?;
        }
        Ok(())
    }

    fn read_tail(&mut self, file: &File) -> io::Result<()> {
        let mut scanner = Scanner::new(file, self.consumed);
        let mut line_start = self.consumed;
        while let Some(piece) = scanner.next()? {
            if piece.at_start {
                line_start = piece.offset;
            }
            if !piece.ended() {
                continue;
            }
            self.consumed = piece.offset + piece.bytes.len() as u64;
            let line = piece.whole().map_or(Line::Unreadable, Line::parse);
            match line.name() {
                Some(name) => {
                    let entry = Entry { at: piece.offset, record: Record::of(line) };
                    self.entries.insert(key(name).into(), entry);
                }
                None if line == Line::Blank => {}
                None => self.unreadable.push(line_start..self.consumed),
            }
        }
        Ok(())
    }

    /// What the journal says about `key`, a name in lower case.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// All users that the journal says something about, by key.
    pub(super) fn entries(&self) -> &HashMap<Box<str>, Entry> {
        &self.entries
    }

    /// The same in the order of the latest changes.
    pub(super) fn in_order(&self) -> Vec<(&str, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(key, entry)| (&**key, entry)).collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.at);
        entries
    }

    /// Where in the file the lines are that are no records.
    pub(super) fn unreadable(&self) -> &[Range<u64>] {
        &self.unreadable
    }

    /// The file that was read.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Size of the file when it was read, in bytes.
    pub(super) fn size(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.size)
    }

    /// Appends whole lines: one write, one flush. Durable when it returns. The
    /// journal was caught up with after the lock was taken.
    pub(super) fn append(
        &self,
        directory: &Directory,
        _held: &WriteLock,
        lines: &[u8],
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("append to", &directory.journal)(error);
        let mut options = OpenOptions::new();
        options.append(true);
        let (mut file, is_new) = directory.open_or_create(&directory.journal, &options)?;
        if file.metadata().map_err(failed)?.len() != self.consumed {
            file.set_len(self.consumed).map_err(failed)?;
        }
        let written = file.write_all(lines).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // The page that the flush lost begins here again with the next
            // append, so that one cannot be durable behind a hole.
            if let Err(error) = file.set_len(self.consumed) {
                tracing::error!(%error, "nwauth.add keeps a change that was not acknowledged");
            }
            return Err(failed(error));
        }
        if is_new { directory.sync() } else { Ok(()) }
    }
}
