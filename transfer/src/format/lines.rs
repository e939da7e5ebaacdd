//! A byte stream as numbered lines of bounded length.

use std::io::{self, BufRead};

use memchr::memchr;
use zeroize::Zeroize;

use super::MAX_LINE;

/// A line of more than [`MAX_LINE`] bytes, which was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {MAX_LINE} bytes")]
pub struct Overlong;

/// A line and its number, from 1.
pub type Numbered<'a> = (u64, Result<&'a [u8], Overlong>);

/// The lines of a file. What it read is wiped when it goes.
pub struct Lines<R> {
    input: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// From the first line.
    pub fn new(input: R) -> Self {
        Self { input, number: 0, line: Vec::new() }
    }

    /// The next line without its end (LF or CR LF), and its number from 1.
    /// `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn read(&mut self) -> io::Result<Option<Numbered<'_>>> {
        self.line.clear();
        let (mut any, mut overlong) = (false, false);
        loop {
            let arrived = match self.input.fill_buf() {
                Ok(arrived) => arrived,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if arrived.is_empty() {
                break;
            }
            any = true;
            let end = memchr(b'\n', arrived);
            let piece = &arrived[..end.unwrap_or(arrived.len())];
            overlong |= self.line.len() + piece.len() > MAX_LINE;
            if !overlong {
                self.line.extend_from_slice(piece);
            }
            let used = end.map_or(piece.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        Ok(Some((self.number, if overlong { Err(Overlong) } else { Ok(line) })))
    }
}

impl<R> Drop for Lines<R> {
    fn drop(&mut self) {
        self.line.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_are_numbered_and_bounded() {
        let mut text = b"one\r\n\ntwo\n".to_vec();
        text.resize(text.len() + MAX_LINE + 1, b'x');
        text.extend_from_slice(b"\nlast");
        for capacity in [1, 7, 4096] {
            let mut lines = Lines::new(BufReader::with_capacity(capacity, &text[..]));
            let mut found = Vec::new();
            while let Some((number, line)) = lines.read().expect("readable") {
                found.push((number, line.map(<[u8]>::to_vec)));
            }
            let expected = [
                (1, Ok(b"one".to_vec())),
                (2, Ok(Vec::new())),
                (3, Ok(b"two".to_vec())),
                (4, Err(Overlong)),
                (5, Ok(b"last".to_vec())),
            ];
            assert_eq!(found, expected);
        }
    }
}
