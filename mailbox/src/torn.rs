//! Cuts off what a process of ours left when it was killed in mid-append.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::from_line::FROM;

const READ_BYTES: usize = 64 * 1024;

/// Cuts `file` back to `from`, where an append began that nobody finished;
/// whether it did.
///
/// It does so only if everything behind `from` can be ours. Our messages hold
/// no line that begins with `From ` but their first, so a second one means that
/// another program appended since, and its mail is worth more than a tidy end.
///
/// # Errors
///
/// If the file cannot be read or cut.
pub(crate) fn cut(file: &File, from: u64) -> io::Result<bool> {
    if file.metadata()?.len() <= from || !is_one_message(file, from)? {
        return Ok(false);
    }
    file.set_len(from)?;
    file.sync_all()?;
    Ok(true)
}

/// Whether `from` is followed by a part of one message and nothing else.
fn is_one_message(file: &File, mut at: u64) -> io::Result<bool> {
    // A window slides over the file, keeping enough of its end for the word
    // that a read may have cut.
    let mut window = vec![b'\n'];
    let mut piece = vec![0; READ_BYTES];
    let mut starts = 0;
    let mut first = true;
    loop {
        let count = file.read_at(&mut piece, at)?;
        if count == 0 {
            return Ok(starts == 1 || (starts == 0 && is_cut_in_first_line(&window)));
        }
        window.extend_from_slice(&piece[..count]);
        if first && !begins_like_ours(&window[1..]) {
            return Ok(false);
        }
        first = false;
        starts += memchr::memmem::find_iter(&window, b"\nFrom ").count();
        if starts > 1 {
            return Ok(false);
        }
        let keep = window.len().min(FROM.len());
        window.drain(..window.len() - keep);
        at += count as u64;
    }
}

/// Up to two line feeds that end what was there before, then our first line.
fn begins_like_ours(tail: &[u8]) -> bool {
    let newlines = tail.iter().take(2).take_while(|byte| **byte == b'\n').count();
    let line = &tail[newlines..];
    line.starts_with(FROM) || FROM.starts_with(line)
}

/// Whether so little was written that the first word is not complete.
fn is_cut_in_first_line(window: &[u8]) -> bool {
    let last = window.iter().rposition(|byte| *byte == b'\n');
    last.is_some_and(|last| FROM.starts_with(&window[last + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tail_that_can_be_ours_is_cut() {
        let long = format!("From a date\n{}", "x".repeat(3 * READ_BYTES));
        let two = format!("{long}\n\nFrom b date\n");
        let border = format!("From a\n{}\nFrom b\n", "x".repeat(READ_BYTES - 10));
        let rows = [
            ("From a date\n\nbo", true),
            ("\nFrom a date\nx\n>From y\n", true),
            ("\n\nFrom a", true),
            ("\n", true),
            ("\n\n", true),
            ("\nFr", true),
            ("F", true),
            ("From ", true),
            ("\n\n\nFrom a", false),
            ("bo", false),
            ("x\nFrom a date\n", false),
            ("From a date\nboFrom b\n\nFrom c date\n", false),
            ("From a date\n\nFrom b", false),
            (&long, true),
            (&two, false),
            (&border, false),
        ];
        for (tail, expected) in rows {
            let file = tempfile::tempfile().expect("a file");
            file.write_all_at(b"From z\n\n", 0).expect("mail");
            file.write_all_at(tail.as_bytes(), 8).expect("a tail");
            assert_eq!(cut(&file, 8).expect("no error"), expected, "{:.40}", tail);
            let size = file.metadata().expect("a size").len();
            assert_eq!(size == 8, expected);
        }
    }

    #[test]
    fn a_file_that_is_no_longer_than_before_stays() {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(b"From z\n\n", 0).expect("mail");
        for from in [8, 9, 1000] {
            cut(&file, from).expect("no error");
            assert_eq!(file.metadata().expect("a size").len(), 8);
        }
    }
}
