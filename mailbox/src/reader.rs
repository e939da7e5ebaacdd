//! One message as it goes over the wire: CRLF line ends, quoting undone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::MailboxError;
use crate::from_scan::{FromScan, Token};
use crate::index::Entry;

/// Least and most that is read from disk at a time.
const READ_BYTES: std::ops::RangeInclusive<usize> = 512..=64 * 1024;

/// Reads one message of a [`Mailbox`](crate::Mailbox), piece by piece. It owns
/// what it needs, so it can live in another task than the mailbox.
#[derive(Debug)]
pub struct MessageReader {
    file: Arc<File>,
    path: Arc<Path>,
    at: u64,
    end: u64,
    text: WireText,
    finished: bool,
}

impl MessageReader {
    pub(crate) fn new(file: Arc<File>, path: Arc<Path>, entry: &Entry) -> Self {
        Self {
            file,
            path,
            at: entry.content_start(),
            end: entry.content_end(),
            text: WireText::default(),
            finished: false,
        }
    }

    /// Appends the next piece of the message to `out`, and says whether there
    /// is more.
    ///
    /// Lines end in CRLF, quoting is undone, dots are not doubled. A piece
    /// consists of whole lines, unless one line is longer than a piece. It has
    /// about `at_most` bytes, but always room for some hundred.
    ///
    /// # Errors
    ///
    /// If the system fails, or if the file ends earlier than it did.
    pub fn next_chunk(&mut self, out: &mut Vec<u8>, at_most: usize) -> Result<bool, MailboxError> {
        if self.at < self.end {
            self.read_piece(out, at_most)?;
        }
        if self.at == self.end && !self.finished {
            self.finished = true;
            self.text.finish(out);
        }
        Ok(!self.finished)
    }

    fn read_piece(&mut self, out: &mut Vec<u8>, at_most: usize) -> Result<(), MailboxError> {
        // In the worst case every byte is a line end and becomes two.
        let most = (at_most / 2).clamp(*READ_BYTES.start(), *READ_BYTES.end());
        let left = self.end - self.at;
        let mut piece = vec![0; left.min(most as u64) as usize];
        self.file.read_exact_at(&mut piece, self.at).map_err(|error| self.cannot_read(error))?;
        if (piece.len() as u64) < left
            && let Some(last) = memchr::memrchr(b'\n', &piece)
        {
            piece.truncate(last + 1);
        }
        out.reserve(piece.len() + piece.len() / 16);
        self.text.push(&piece, out);
        self.at += piece.len() as u64;
        Ok(())
    }

    fn cannot_read(&self, error: std::io::Error) -> MailboxError {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            let path: PathBuf = self.path.to_path_buf();
            return MailboxError::Changed { path };
        }
        MailboxError::io("read", &self.path)(error)
    }
}

/// Where wire text goes.
pub(crate) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Only counts.
impl Sink for u64 {
    fn put(&mut self, bytes: &[u8]) {
        *self += bytes.len() as u64;
    }
}

/// Turns the stored form of a message into the wire form.
///
/// A line feed becomes CRLF, unless a carriage return stands before it already:
/// some programs leave CRLF in drop files. Text without a line end at its end
/// gets one.
#[derive(Debug, Default)]
pub(crate) struct WireText {
    scan: FromScan,
    after_cr: bool,
}

impl WireText {
    /// Feeds the next stored bytes.
    pub(crate) fn push(&mut self, stored: &[u8], out: &mut impl Sink) {
        let after_cr = &mut self.after_cr;
        self.scan.push(stored, |token| put(token, after_cr, out));
    }

    /// Says that the message is over.
    pub(crate) fn finish(&mut self, out: &mut impl Sink) {
        let after_cr = &mut self.after_cr;
        self.scan.finish(|token| put(token, after_cr, out));
        if !self.scan.is_at_line_start() {
            put(Token::LineEnd, after_cr, out);
        }
    }
}

fn put(token: Token<'_>, after_cr: &mut bool, out: &mut impl Sink) {
    let ends_in_cr = matches!(token, Token::Text([.., b'\r']));
    match token {
        Token::Text(text) => out.put(text),
        // The `>` that was kept back is the one that quoting had added.
        Token::From { .. } => out.put(b"From "),
        Token::LineEnd if *after_cr => out.put(b"\n"),
        Token::LineEnd => out.put(b"\r\n"),
    }
    *after_cr = ends_in_cr;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(stored: &[u8], piece: usize) -> String {
        let (mut text, mut out, mut count) = (WireText::default(), Vec::new(), 0_u64);
        let mut counter = WireText::default();
        for piece in stored.chunks(piece) {
            text.push(piece, &mut out);
            counter.push(piece, &mut count);
        }
        text.finish(&mut out);
        counter.finish(&mut count);
        assert_eq!(count, out.len() as u64, "counting and reading agree");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn stored_text_becomes_wire_text_wherever_it_is_cut() {
        for (stored, expected) in [
            ("", ""),
            ("\n", "\r\n"),
            ("a", "a\r\n"),
            ("a\n\nb\n", "a\r\n\r\nb\r\n"),
            ("a\r\nb\n", "a\r\nb\r\n"),
            ("a\rb\n\r\n", "a\rb\r\n\r\n"),
            ("a\r", "a\r\n"),
            (">From a\n>>From b\n", "From a\r\n>From b\r\n"),
            ("From a\n", "From a\r\n"),
            ("> From a\n>F\n>", "> From a\r\n>F\r\n>\r\n"),
        ] {
            for piece in [1, 2, 3, 100] {
                assert_eq!(wire(stored.as_bytes(), piece), expected, "{stored:?}");
            }
        }
    }

    fn pieces(content: &[u8], at_most: usize) -> Vec<Vec<u8>> {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(content, 0).expect("content");
        let mut reader = MessageReader {
            file: Arc::new(file),
            path: Path::new("bob").into(),
            at: 0,
            end: content.len() as u64,
            text: WireText::default(),
            finished: false,
        };
        let mut pieces = Vec::new();
        loop {
            let mut piece = Vec::new();
            let more = reader.next_chunk(&mut piece, at_most).expect("a piece");
            pieces.push(piece);
            if !more {
                return pieces;
            }
        }
    }

    #[test]
    fn pieces_are_bounded_and_consist_of_whole_lines() {
        let content = "a line of text\n".repeat(5000);
        let pieces = pieces(content.as_bytes(), 8192);
        assert!(pieces.len() > 9);
        for piece in &pieces {
            assert!(piece.len() <= 8192 && piece.ends_with(b"\r\n"));
        }
        let whole = String::from_utf8(pieces.concat()).expect("text");
        assert!(whole == content.replace('\n', "\r\n"));
    }

    #[test]
    fn a_line_longer_than_a_piece_comes_in_several() {
        let content = "x".repeat(300_000);
        let pieces = pieces(content.as_bytes(), 8192);
        assert!(pieces.iter().all(|piece| piece.len() <= 8194));
        assert!(pieces.concat() == format!("{content}\r\n").into_bytes());
        assert_eq!(super::tests::pieces(b"", 1), vec![Vec::<u8>::new()]);
    }
}
