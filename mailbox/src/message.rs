//! A message on its way into drop files, and how it looks there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use crate::from_line;
use crate::from_scan::{FromScan, Token};

/// How much is written at a time. A message below this is one write call.
const WRITE_BYTES: usize = 64 * 1024;
/// How much is quoted at a time, which bounds what is held beyond
/// [`WRITE_BYTES`].
const PIECE_BYTES: usize = 32 * 1024;

/// A message for [`append`](crate::append): an envelope sender, a time, and
/// the content in parts.
///
/// The parts, one after the other, are the message with LF line ends and
/// without any quoting.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The envelope sender for the `From ` line; empty for the null sender.
    pub sender: &'a [u8],
    /// When it arrived.
    pub received_at: SystemTime,
    /// The content.
    pub parts: &'a [Part<'a>],
}

/// One piece of a message's content.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Bytes in memory, the same for all targets.
    Bytes(&'a [u8]),
    /// Bytes of their own for each target, in the order of the targets: a
    /// `Delivered-To` header, for instance. If a drop file is named twice, the
    /// first naming counts.
    PerTarget(&'a [Vec<u8>]),
    /// A stretch of a file, which is read piece by piece, once per target. The
    /// file's own position is neither used nor moved.
    File {
        /// The spooled message.
        file: &'a File,
        /// Where the stretch begins, in bytes.
        offset: u64,
        /// How many bytes it has. A shorter file is an error, and then nothing
        /// is delivered.
        length: u64,
    },
}

impl Message<'_> {
    /// Writes the message as it stands in a drop file: `From ` line, quoted
    /// content, and an empty line behind it. `target` picks the bytes of
    /// [`Part::PerTarget`].
    pub(crate) fn write_to(&self, target: usize, out: &mut FileWriter<'_>) -> io::Result<()> {
        from_line::write(self.sender, self.received_at, &mut out.pending);
        let mut scan = FromScan::default();
        for part in self.parts {
            match part {
                Part::Bytes(bytes) => out.quoted(&mut scan, bytes)?,
                Part::PerTarget(each) => out.quoted(&mut scan, &each[target])?,
                Part::File { file, offset, length } => {
                    out.quoted_file(&mut scan, file, *offset, *length)?;
                }
            }
        }
        scan.finish(|token| put(token, &mut out.pending));
        if !scan.is_at_line_start() {
            out.pending.push(b'\n');
        }
        out.pending.push(b'\n');
        out.flush()
    }

    /// Whether every [`Part::PerTarget`] has bytes for this many targets.
    pub(crate) fn has_parts_for(&self, targets: usize) -> bool {
        self.parts.iter().all(|part| match part {
            Part::PerTarget(each) => each.len() == targets,
            Part::Bytes(_) | Part::File { .. } => true,
        })
    }
}

/// Writes to a file from a given place on, in large pieces.
pub(crate) struct FileWriter<'a> {
    file: &'a File,
    at: u64,
    pending: Vec<u8>,
}

impl<'a> FileWriter<'a> {
    /// A writer that begins at offset `at`, with `newlines` line feeds.
    pub(crate) fn new(file: &'a File, at: u64, newlines: usize) -> Self {
        Self { file, at, pending: vec![b'\n'; newlines] }
    }

    fn quoted(&mut self, scan: &mut FromScan, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.pending.reserve(piece.len());
            scan.push(piece, |token| put(token, &mut self.pending));
            if self.pending.len() >= WRITE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn quoted_file(
        &mut self,
        scan: &mut FromScan,
        file: &File,
        mut offset: u64,
        mut length: u64,
    ) -> io::Result<()> {
        let mut piece = vec![0; length.min(PIECE_BYTES as u64) as usize];
        while length > 0 {
            let want = length.min(piece.len() as u64) as usize;
            file.read_exact_at(&mut piece[..want], offset)?;
            self.quoted(scan, &piece[..want])?;
            offset += want as u64;
            length -= want as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.pending, self.at)?;
        self.at += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// A token as mboxrd stores it: every `From ` gets one more `>`.
fn put(token: Token<'_>, out: &mut Vec<u8>) {
    match token {
        Token::Text(text) => out.extend_from_slice(text),
        Token::From { marked: false } => out.extend_from_slice(b">From "),
        Token::From { marked: true } => out.extend_from_slice(b">>From "),
        Token::LineEnd => out.push(b'\n'),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn stored(parts: &[Part<'_>]) -> String {
        let file = tempfile::tempfile().expect("a file");
        let message = Message { sender: b"", received_at: SystemTime::UNIX_EPOCH, parts };
        message.write_to(1, &mut FileWriter::new(&file, 0, 0)).expect("a message");
        let length = file.metadata().expect("its size").len() as usize;
        let mut text = vec![0; length];
        file.read_exact_at(&mut text, 0).expect("the text");
        let text = String::from_utf8(text).expect("text");
        let head = "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n";
        text.strip_prefix(head).expect("a From_ line").to_owned()
    }

    #[test]
    fn a_message_is_stored_quoted_and_ends_in_an_empty_line() {
        for (content, expected) in [
            ("", "\n"),
            ("a", "a\n\n"),
            ("a\n", "a\n\n"),
            ("a\n\n", "a\n\n\n"),
            ("a: b\n\nFrom c\n>From d\n", "a: b\n\n>From c\n>>From d\n\n"),
            ("From ", ">From \n\n"),
            ("Fro", "Fro\n\n"),
        ] {
            assert_eq!(stored(&[Part::Bytes(content.as_bytes())]), expected);
        }
    }

    #[test]
    fn parts_join_without_a_seam() {
        let mut spool = tempfile::tempfile().expect("a file");
        spool.write_all(b"envelope;om me\nlast").expect("a spool");
        let each = [b"first".to_vec(), b"second\nFr".to_vec()];
        let parts = [
            Part::Bytes(b"Received: by us\n"),
            Part::PerTarget(&each),
            Part::File { file: &spool, offset: 9, length: 9 },
            Part::Bytes(b"!"),
        ];
        assert_eq!(stored(&parts), "Received: by us\nsecond\n>From me\nlas!\n\n");
    }

    #[test]
    fn a_large_message_is_stored_whole() {
        let line = "From the start to the end of a long text, line after line.\n";
        let content = line.repeat(10_000);
        let expected = format!("{}\n", format!(">{line}").repeat(10_000));
        assert!(stored(&[Part::Bytes(content.as_bytes())]) == expected);
    }
}
