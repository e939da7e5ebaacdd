//! What a journal file holds:
//!
//! ```text
//!  8 bytes  "DMAILJN1"
//!  8        from       where the drop file changes          (big endian)
//!  8        old size   of the drop file, all kept mail included
//!  8        kept size
//! 32        SHA-256 of the drop file from the new size to the old size
//!  …        what is kept
//! 32        SHA-256 of everything above
//! ```

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::drop_file::options;
use crate::steps;

const MAGIC: &[u8; 8] = b"DMAILJN1";
const DIGEST_BYTES: usize = 32;
const HEAD_BYTES: usize = 8 + 3 * 8 + DIGEST_BYTES;

/// How much is copied at a time. In tests there are many pieces, and a crash
/// is tried after each.
const PIECE_BYTES: usize = if cfg!(test) { 64 } else { 256 * 1024 };

/// What is to be done to a drop file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Where the kept bytes go.
    pub(super) from: u64,
    /// The size of the drop file before.
    pub(super) old_size: u64,
    kept_size: u64,
    /// Digest of what is cut off.
    cut_digest: [u8; DIGEST_BYTES],
}

impl Plan {
    pub(super) fn new(
        file: &File,
        from: u64,
        old_size: u64,
        kept: &[Stretch<'_>],
    ) -> io::Result<Self> {
        let kept_size = kept.iter().map(Stretch::size).sum();
        let mut plan = Self { from, old_size, kept_size, cut_digest: [0; DIGEST_BYTES] };
        plan.cut_digest = plan.digest_of_cut(file)?;
        Ok(plan)
    }

    /// The size of the drop file afterwards.
    pub(super) fn new_size(&self) -> u64 {
        self.from + self.kept_size
    }

    /// Whether what is to be cut off is still there. The file is at least as
    /// long as it was.
    pub(super) fn is_uncut(&self, file: &File) -> io::Result<bool> {
        Ok(self.digest_of_cut(file)? == self.cut_digest)
    }

    fn digest_of_cut(&self, file: &File) -> io::Result<[u8; DIGEST_BYTES]> {
        digest(&Stretch::of(file, self.new_size()..self.old_size))
    }

    fn head(&self) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        for number in [self.from, self.old_size, self.kept_size] {
            head.extend_from_slice(&number.to_be_bytes());
        }
        head.extend_from_slice(&self.cut_digest);
        head
    }

    /// Reads a head; none if it cannot be one.
    fn parse(head: &[u8; HEAD_BYTES]) -> Option<Self> {
        let rest = head.strip_prefix(MAGIC)?;
        let (from, rest) = rest.split_first_chunk()?;
        let (old_size, rest) = rest.split_first_chunk()?;
        let (kept_size, rest) = rest.split_first_chunk()?;
        let plan = Self {
            from: u64::from_be_bytes(*from),
            old_size: u64::from_be_bytes(*old_size),
            kept_size: u64::from_be_bytes(*kept_size),
            cut_digest: rest.try_into().ok()?,
        };
        let shrinks = plan.from.checked_add(plan.kept_size)? < plan.old_size;
        shrinks.then_some(plan)
    }
}

/// A part of a file.
pub(super) struct Stretch<'a> {
    file: &'a File,
    range: Range<u64>,
}

impl<'a> Stretch<'a> {
    pub(super) fn of(file: &'a File, range: Range<u64>) -> Self {
        Self { file, range }
    }

    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Reads it piece by piece.
    pub(super) fn for_each_piece(
        &self,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; self.size().min(PIECE_BYTES as u64) as usize];
        let mut at = self.range.start;
        while at < self.range.end {
            let length = (self.range.end - at).min(buffer.len() as u64) as usize;
            let piece = &mut buffer[..length];
            self.file.read_exact_at(piece, at)?;
            each(piece)?;
            at += length as u64;
        }
        Ok(())
    }
}

/// The part of a valid journal that is kept.
pub(super) fn kept_stretch<'a>(journal: &'a File, plan: &Plan) -> Stretch<'a> {
    let start = HEAD_BYTES as u64;
    Stretch::of(journal, start..start + plan.kept_size)
}

/// Writes a journal to a new file, and flushes it.
pub(super) fn write(path: &Path, plan: &Plan, kept: &[Stretch<'_>]) -> io::Result<File> {
    let journal = options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let mut hasher = Sha256::new();
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        hasher.update(bytes);
        journal.write_all_at(bytes, at)?;
        at += bytes.len() as u64;
        steps::taken();
        Ok(())
    };
    put(&plan.head())?;
    kept.iter().try_for_each(|stretch| stretch.for_each_piece(&mut put))?;
    journal.write_all_at(&hasher.finalize(), at)?;
    steps::taken();
    journal.sync_all()?;
    Ok(journal)
}

/// Reads a journal; none if it is not complete and sound.
pub(super) fn read(journal: &File) -> io::Result<Option<Plan>> {
    let size = journal.metadata()?.len();
    let Some(body_size) = size.checked_sub(DIGEST_BYTES as u64) else {
        return Ok(None);
    };
    let mut expected = [0; DIGEST_BYTES];
    journal.read_exact_at(&mut expected, body_size)?;
    if body_size < HEAD_BYTES as u64 || digest(&Stretch::of(journal, 0..body_size))? != expected {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    journal.read_exact_at(&mut head, 0)?;
    Ok(Plan::parse(&head).filter(|plan| plan.kept_size == body_size - HEAD_BYTES as u64))
}

fn digest(stretch: &Stretch<'_>) -> io::Result<[u8; DIGEST_BYTES]> {
    let mut hasher = Sha256::new();
    stretch.for_each_piece(|piece| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(home: &tempfile::TempDir) -> (File, Plan) {
        let mailbox = tempfile::tempfile().expect("a file");
        mailbox.write_all_at(b"0123456789", 0).expect("content");
        let kept = [Stretch::of(&mailbox, 4..6), Stretch::of(&mailbox, 8..9)];
        let plan = Plan::new(&mailbox, 2, 10, &kept).expect("a plan");
        let journal = write(&home.path().join("journal"), &plan, &kept).expect("a journal");
        (journal, plan)
    }

    #[test]
    fn a_journal_is_read_as_it_was_written() {
        let home = tempfile::tempdir().expect("a directory");
        let (journal, plan) = journal(&home);
        assert_eq!(plan.new_size(), 5);
        assert_eq!(read(&journal).expect("no error"), Some(Plan { ..plan }));
    }

    #[test]
    fn a_journal_with_any_damage_is_no_journal() {
        let home = tempfile::tempdir().expect("a directory");
        let (journal, _) = journal(&home);
        let size = journal.metadata().expect("metadata").len();
        for at in 0..size {
            let mut byte = [0];
            journal.read_exact_at(&mut byte, at).expect("a byte");
            journal.write_all_at(&[!byte[0]], at).expect("damage");
            assert_eq!(read(&journal).expect("no error"), None, "{at}");
            journal.write_all_at(&byte, at).expect("repair");
        }
        assert!(read(&journal).expect("no error").is_some());
        for length in (0..size).rev() {
            journal.set_len(length).expect("a cut");
            assert_eq!(read(&journal).expect("no error"), None, "{length}");
        }
    }
}
