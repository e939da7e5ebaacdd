//! The lines of a file, without holding more of it than one piece.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much is read at a time, and so the longest line that is seen whole.
pub(crate) const READ_BYTES: usize = if cfg!(test) { 2048 } else { 128 * 1024 };

/// A line, or a piece of one.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// Where it begins in the file.
    pub(crate) at: u64,
    /// Its bytes, with the line end.
    pub(crate) bytes: &'a [u8],
    /// Whether these are all its bytes. Lines longer than [`READ_BYTES`] come
    /// in pieces. The last line of a file may have no line end.
    pub(crate) is_whole: bool,
}

/// Calls `each` with every line of the first `size` bytes of `file`.
///
/// # Errors
///
/// What `each` says; what the system says; `UnexpectedEof` if the file is
/// shorter.
pub(crate) fn for_each<E: From<io::Error>>(
    file: &File,
    size: u64,
    mut each: impl FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = vec![0; size.min(READ_BYTES as u64) as usize];
    // `buffer[..filled]` is the file from `at` on.
    let (mut at, mut filled) = (0, 0);
    let mut at_line_start = true;
    while at + (filled as u64) < size {
        let left = size - at - filled as u64;
        let room = left.min((buffer.len() - filled) as u64) as usize;
        filled += read_some(file, &mut buffer[filled..filled + room], at + filled as u64)?;
        let mut used = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[used..filled]) {
            let bytes = &buffer[used..=used + length];
            each(Line { at: at + used as u64, bytes, is_whole: at_line_start })?;
            used += bytes.len();
            at_line_start = true;
        }
        let is_last = at + filled as u64 == size;
        let is_too_long = used == 0 && filled == buffer.len();
        if used < filled && (is_last || is_too_long) {
            let bytes = &buffer[used..filled];
            each(Line { at: at + used as u64, bytes, is_whole: at_line_start && is_last })?;
            used = filled;
            at_line_start = false;
        }
        buffer.copy_within(used..filled, 0);
        at += used as u64;
        filled -= used;
    }
    Ok(())
}

fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    match file.read_at(buffer, at)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of all lines; those of pieces are negative.
    fn lengths(content: &str) -> Vec<i64> {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(content.as_bytes(), 0).expect("content");
        let (mut lengths, mut joined) = (Vec::new(), Vec::new());
        let size = content.len() as u64;
        let done = for_each::<io::Error>(&file, size, |line| {
            assert_eq!(line.at, joined.len() as u64);
            joined.extend_from_slice(line.bytes);
            let length = line.bytes.len() as i64;
            lengths.push(if line.is_whole { length } else { -length });
            Ok(())
        });
        done.expect("all of it");
        assert!(joined == content.as_bytes());
        lengths
    }

    #[test]
    fn lines_are_whole_unless_they_are_longer_than_a_read() {
        let most = READ_BYTES as i64;
        let x = |count: usize| "x".repeat(count);
        for (content, expected) in [
            (String::new(), vec![]),
            ("\n".into(), vec![1]),
            ("a\n\nbc".into(), vec![2, 1, 2]),
            (x(READ_BYTES), vec![most]),
            (format!("{}\n", x(READ_BYTES - 1)), vec![most]),
            (format!("{}\n", x(READ_BYTES)), vec![-most, -1]),
            (format!("a\n{}\nb\n", x(READ_BYTES)), vec![2, -most, -1, 2]),
            (format!("{}\n{}\n", x(1500), x(1500)), vec![1501, 1501]),
            (x(READ_BYTES + 1), vec![-most, -1]),
        ] {
            assert_eq!(lengths(&content), expected, "{content:.20}");
        }
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"a\n", 0).expect("content");
        let error = for_each::<io::Error>(&file, 3, |_| Ok(())).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
