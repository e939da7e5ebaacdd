//! A file as lines, from any offset, in bounded memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memchr;

use super::reading::Reading;
use super::record::MAX_LINE;

/// Bytes read at a time. Holds the longest line.
const BUFFER: usize = 4 * MAX_LINE;

/// Bytes read for a single record at first; most are shorter.
const FIRST_READ: usize = 512;

/// A piece of the file: a line, or a part of one that is too long to be one.
pub(super) struct Piece<'a> {
    /// Where in the file it starts.
    pub(super) offset: u64,
    /// Its bytes, with the LF if there is one.
    pub(super) bytes: &'a [u8],
    /// Whether it starts where a line starts.
    pub(super) at_start: bool,
}

impl Piece<'_> {
    /// Whether the line ends here.
    pub(super) fn ended(&self) -> bool {
        self.bytes.ends_with(b"\n")
    }

    /// The bytes as a line to parse; a part of an overlong one is none.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (self.at_start && (self.ended() || self.bytes.len() < MAX_LINE)).then_some(self.bytes)
    }
}

/// Reads a file line by line without moving its file position.
pub(super) struct Scanner<'a> {
    file: &'a File,
    buffer: Vec<u8>,
    /// The unread part of `buffer`: `start <= filled <= BUFFER`.
    start: usize,
    filled: usize,
    /// Offset in the file of `buffer[start]`.
    offset: u64,
    at_start: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at `offset`, which is the start of a line.
    pub(super) fn new(file: &'a File, offset: u64) -> Self {
        Self { file, buffer: vec![0; BUFFER], start: 0, filled: 0, offset, at_start: true }
    }

    /// The next piece; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        let mut end = self.line_end();
        if end.is_none() {
            self.refill()?;
            end = self.line_end();
        }
        // Without an end it is the file's last line or a piece of a long one.
        let len = end.unwrap_or(self.filled - self.start);
        if len == 0 {
            return Ok(None);
        }
        let from = self.start;
        let offset = self.offset;
        let at_start = std::mem::replace(&mut self.at_start, end.is_some());
        self.start += len;
        self.offset += len as u64;
        Ok(Some(Piece { offset, bytes: &self.buffer[from..from + len], at_start }))
    }

    fn line_end(&self) -> Option<usize> {
        memchr(b'\n', &self.buffer[self.start..self.filled]).map(|at| at + 1)
    }

    /// Moves the rest to the front and reads until the buffer is full or the
    /// file ends.
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        while self.filled < BUFFER {
            let at = self.offset + self.filled as u64;
            match self.file.read_at(&mut self.buffer[self.filled..], at) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The line at `offset`, its LF counted; cut at [`MAX_LINE`].
pub(super) fn read_line(file: &File, offset: u64, reading: Reading) -> io::Result<Vec<u8>> {
    let mut line = vec![0; FIRST_READ];
    let mut filled = 0;
    loop {
        let read = reading.read_at(file, &mut line[filled..], offset + filled as u64)?;
        if let Some(end) = memchr(b'\n', &line[filled..filled + read]) {
            line.truncate(filled + end + 1);
            return Ok(line);
        }
        filled += read;
        if read == 0 || filled >= MAX_LINE {
            line.truncate(filled);
            return Ok(line);
        }
        if filled == line.len() {
            line.resize(MAX_LINE, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_come_out_whole_whatever_the_buffer_cuts() {
        let mut lines: Vec<Vec<u8>> = (0..40_000)
            .map(|index| format!("user{index}:{}\n", "x".repeat(index % 50)).into_bytes())
            .collect();
        lines.push(b"no end".to_vec());
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&lines.concat()).expect("written");
        let mut scanner = Scanner::new(&file, 0);
        let mut offset = 0;
        for line in &lines {
            let piece = scanner.next().expect("readable").expect("a piece");
            assert_eq!(piece.offset, offset);
            assert_eq!(piece.whole(), Some(&line[..]));
            offset += line.len() as u64;
        }
        assert!(scanner.next().expect("readable").is_none());
    }

    #[test]
    fn an_overlong_line_comes_in_pieces_and_the_next_one_is_in_step() {
        let mut file = tempfile::tempfile().expect("a file");
        let long = vec![b'x'; 3 * BUFFER + 5];
        file.write_all(&long).expect("written");
        file.write_all(b"\nbob:h:\n").expect("written");
        let mut scanner = Scanner::new(&file, 0);
        let mut before = 0;
        loop {
            let piece = scanner.next().expect("readable").expect("a piece");
            if piece.offset == long.len() as u64 + 1 {
                assert_eq!(piece.whole(), Some(&b"bob:h:\n"[..]));
                break;
            }
            assert!(piece.whole().is_none_or(|line| line.len() > MAX_LINE));
            before += piece.bytes.len();
        }
        assert_eq!(before, long.len() + 1);
    }
}
