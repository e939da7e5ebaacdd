//! Where each message of a drop file begins and ends, found in one pass.
//!
//! A message begins with a [`From ` line](crate::from_line) at the start of the
//! file or behind an empty line, and ends before the empty line that separates
//! it from the next one. Nothing else is kept: 24 bytes for a message.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::os::unix::fs::FileExt;

use crate::from_line::{FROM, is_from_line};
use crate::lines::{self, Line};
use crate::reader::WireText;

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where its `From ` line begins.
    start: u64,
    /// How long it is on disk, without the `From ` line and the empty line at
    /// its end.
    content_bytes: u64,
    /// How many bytes more it has on the wire: line ends grow by one, quoted
    /// lines shrink by one.
    wire_growth: i32,
    /// How long its `From ` line is, with its line end.
    head_bytes: u16,
}

impl Entry {
    /// Where the message begins, with its `From ` line.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// How long the `From ` line is, with its line end.
    pub(crate) fn head_bytes(&self) -> usize {
        self.head_bytes.into()
    }

    /// Where its content begins.
    pub(crate) fn content_start(&self) -> u64 {
        self.start + u64::from(self.head_bytes)
    }

    /// Where its content ends.
    pub(crate) fn content_end(&self) -> u64 {
        self.content_start() + self.content_bytes
    }

    /// How long it is on the wire, in bytes.
    pub(crate) fn wire_bytes(&self) -> u64 {
        self.content_bytes.strict_add_signed(self.wire_growth.into())
    }
}

/// All messages of a drop file, as they were when it was read.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Box<[Entry]>,
    /// Up to where the file was read.
    end: u64,
    /// Over all `From ` lines.
    fingerprint: u64,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("it does not begin with a \"From \" line")]
    NotAMailbox,
    #[error("a message has too many lines")]
    TooLarge,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Index {
    /// Reads the first `size` bytes of `file`.
    pub(crate) fn build(file: &File, size: u64) -> Result<Self, IndexError> {
        let mut scanner = Scanner::default();
        lines::for_each(file, size, |line| scanner.line(&line))?;
        scanner.finish(size)
    }

    /// The messages in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Up to where the file was read.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether the indexed part of `file`, which is now `size` bytes long,
    /// still consists of the same messages, so that it can be cut at their
    /// borders. What stands in them may have changed.
    pub(crate) fn still_describes(&self, file: &File, size: u64) -> io::Result<bool> {
        if size < self.end {
            return Ok(false);
        }
        let mut hasher = DefaultHasher::new();
        let mut line = Vec::new();
        for entry in &self.entries {
            line.resize(entry.head_bytes(), 0);
            file.read_exact_at(&mut line, entry.start)?;
            hasher.write(&line);
        }
        Ok(hasher.finish() == self.fingerprint && self.ends_at_border(file, size)?)
    }

    /// Whether a new message begins where the index ends, if anything does.
    fn ends_at_border(&self, file: &File, size: u64) -> io::Result<bool> {
        let mut next = [0; 2 + FROM.len()];
        let length = (size - self.end).min(next.len() as u64) as usize;
        let next = &mut next[..length];
        file.read_exact_at(next, self.end)?;
        // Two line feeds at most end a message that had lost its end.
        let newlines = next.iter().take(2).take_while(|byte| **byte == b'\n').count();
        Ok(size == self.end || next[newlines..].starts_with(FROM))
    }
}

/// Builds the index line by line.
#[derive(Default)]
struct Scanner {
    entries: Vec<Entry>,
    current: Option<Current>,
    /// How long the last line is, if it is an empty one.
    empty_line: Option<usize>,
    from_lines: DefaultHasher,
}

/// The message that is being read.
struct Current {
    start: u64,
    head_bytes: u16,
    text: WireText,
    wire_bytes: u64,
}

impl Scanner {
    fn line(&mut self, line: &Line<'_>) -> Result<(), IndexError> {
        let may_begin = line.is_whole && (self.current.is_none() || self.empty_line.is_some());
        if may_begin && is_from_line(line.bytes) {
            self.close(line.at)?;
            self.begin(line);
            return Ok(());
        }
        let is_empty = line.is_whole && matches!(line.bytes, b"\n" | b"\r\n");
        self.empty_line = is_empty.then_some(line.bytes.len());
        match &mut self.current {
            Some(current) => current.text.push(line.bytes, &mut current.wire_bytes),
            None if is_empty => {}
            None => return Err(IndexError::NotAMailbox),
        }
        Ok(())
    }

    fn begin(&mut self, from_line: &Line<'_>) {
        self.from_lines.write(from_line.bytes);
        self.empty_line = None;
        self.current = Some(Current {
            start: from_line.at,
            head_bytes: u16::try_from(from_line.bytes.len()).expect("a From_ line is short"),
            text: WireText::default(),
            wire_bytes: 0,
        });
    }

    /// The current message, if any, ends at `at` or at the empty line before.
    fn close(&mut self, at: u64) -> Result<(), IndexError> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        current.text.finish(&mut current.wire_bytes);
        let mut content_bytes = at - current.start - u64::from(current.head_bytes);
        if let Some(empty_line) = self.empty_line {
            content_bytes -= empty_line as u64;
            current.wire_bytes -= 2;
        }
        let growth =
            current.wire_bytes.checked_signed_diff(content_bytes).ok_or(IndexError::TooLarge)?;
        self.entries.push(Entry {
            start: current.start,
            content_bytes,
            wire_growth: i32::try_from(growth).map_err(|_| IndexError::TooLarge)?,
            head_bytes: current.head_bytes,
        });
        Ok(())
    }

    fn finish(mut self, end: u64) -> Result<Index, IndexError> {
        self.close(end)?;
        Ok(Index { entries: self.entries.into(), end, fingerprint: self.from_lines.finish() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::READ_BYTES;

    const F: &str = "From a@b Sat Dec 26 09:37:48 1998\n";

    fn file(content: &str) -> File {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(content.as_bytes(), 0).expect("content");
        file
    }

    /// Content and wire size of each message.
    fn messages(content: &str) -> Option<Vec<(String, u64)>> {
        let index = match Index::build(&file(content), content.len() as u64) {
            Ok(index) => index,
            Err(IndexError::NotAMailbox) => return None,
            Err(other) => panic!("{other}"),
        };
        let text = |entry: &Entry| {
            content[entry.content_start() as usize..entry.content_end() as usize].to_owned()
        };
        Some(index.entries().iter().map(|entry| (text(entry), entry.wire_bytes())).collect())
    }

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn messages_are_found_between_from_lines() {
        let long = "x".repeat(3 * READ_BYTES);
        let crlf = F.replace('\n', "\r\n");
        let rows: &[(String, &[(&str, u64)])] = &[
            (String::new(), &[]),
            ("\n\n".into(), &[]),
            (F.into(), &[("", 0)]),
            (F.trim_end().into(), &[("", 0)]),
            (format!("{F}\n"), &[("", 0)]),
            (format!("{F}a\n\n"), &[("a\n", 3)]),
            (format!("{F}a"), &[("a", 3)]),
            (format!("{F}a\n"), &[("a\n", 3)]),
            (format!("{F}a\n\n\n"), &[("a\n\n", 5)]),
            (format!("\n{F}a\n\n"), &[("a\n", 3)]),
            (format!("{F}a\n\n{F}b\n\n"), &[("a\n", 3), ("b\n", 3)]),
            (format!("{F}\n{F}\n"), &[("", 0), ("", 0)]),
            (format!("{F}a\n{F}b\n\n"), &[(&format!("a\n{F}b\n"), 41)]),
            (format!("{F}a\n\nFrom b\n"), &[("a\n\nFrom b\n", 13)]),
            (format!("{F}>{F}\n"), &[(&format!(">{F}"), 35)]),
            (format!("{crlf}>From x\r\n\r\n"), &[(">From x\r\n", 8)]),
            (format!("{crlf}a\r\n\r\n{crlf}b\r\n"), &[("a\r\n", 3), ("b\r\n", 3)]),
            (
                format!("{F}{long}\n\n{F}b\n"),
                &[(&format!("{long}\n"), long.len() as u64 + 2), ("b\n", 3)],
            ),
            (format!("{F}\n{long}"), &[(&format!("\n{long}"), long.len() as u64 + 4)]),
        ];
        for (content, expected) in rows {
            let expected: Vec<(String, u64)> =
                expected.iter().map(|(text, wire)| ((*text).to_owned(), *wire)).collect();
            assert_eq!(messages(content), Some(expected), "{content:.80}");
        }
    }

    #[test]
    fn what_begins_otherwise_is_no_mailbox() {
        for content in ["root:x:0:0\n", "From \n", "From a@b\n\nhi\n", "x\n\nFrom", "\nx"] {
            assert_eq!(messages(content), None, "{content:?}");
        }
    }

    #[test]
    fn lines_may_lie_across_the_borders_of_reads() {
        for shift in 0..F.len() + 4 {
            let filler = format!("{}\n", "y".repeat(READ_BYTES - 2 * F.len() - shift));
            let content = format!("{F}{filler}\n{F}b\n\n");
            let found = messages(&content).expect("a mailbox");
            let wire = filler.len() as u64 + 1;
            assert_eq!(found, [(filler, wire), ("b\n".to_owned(), 3)], "{shift}");
        }
    }

    #[test]
    fn a_rewritten_file_is_noticed() {
        let before = format!("{F}Status: O\n\na\n\n{F}b\n\n");
        let index = Index::build(&file(&before), before.len() as u64).expect("an index");
        for (now, same) in [
            (before.clone(), true),
            (format!("{before}{F}c\n\n"), true),
            (format!("{before}\n{F}c\n\n"), true),
            (before.replace("Status: O", "Status: R"), true),
            (before.replace("Status: O", "Status: RO"), false),
            (before.replace("a@b", "a@c"), false),
            (before.replace("b\n\n", "bbb\n\n"), false),
            (format!("{F}b\n\n"), false),
            (format!("{before}x"), false),
            (String::new(), false),
        ] {
            let found = index.still_describes(&file(&now), now.len() as u64);
            assert_eq!(found.expect("no error"), same, "{now:?}");
        }
    }
}
