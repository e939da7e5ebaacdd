//! How a message travels: dot-stuffed, and for TOP only its beginning.
//!
//! Both work on pieces of any size, as they come from the mailbox.

use memchr::{memchr, memchr_iter};

/// Dot-stuffs one message (RFC 1939 section 3): a line that begins with a dot
/// gets one more, and a line with nothing but a dot ends it all.
#[derive(Debug)]
pub struct DotStuffer {
    at_line_start: bool,
}

impl DotStuffer {
    /// At the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self { at_line_start: true }
    }

    /// Appends the next piece of the message to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        if self.at_line_start && piece[0] == b'.' {
            out.push(b'.');
        }
        let mut copied = 0;
        for at in memchr_iter(b'\n', piece) {
            if piece.get(at + 1) == Some(&b'.') {
                out.extend_from_slice(&piece[copied..=at]);
                out.push(b'.');
                copied = at + 1;
            }
        }
        out.extend_from_slice(&piece[copied..]);
        self.at_line_start = piece.ends_with(b"\n");
    }

    /// Appends the end to `out`. A last line without an end gets one first.
    pub fn finish(&self, out: &mut Vec<u8>) {
        if !self.at_line_start {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(crate::reply::LAST_LINE);
    }
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets the header, the empty line and some lines of the body pass (TOP,
/// RFC 1939 section 7).
#[derive(Debug)]
pub struct Top {
    part: Part,
    line: SoFar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// In the header; the number of body lines to come.
    Header(u32),
    /// In the body; the number of lines still to come, at least one.
    Body(u32),
    /// Nothing more passes.
    Done,
}

/// What the present line holds so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SoFar {
    Nothing,
    OnlyCr,
    Text,
}

impl Top {
    /// Lets `lines` lines of the body pass.
    #[must_use]
    pub fn new(lines: u32) -> Self {
        Self { part: Part::Header(lines), line: SoFar::Nothing }
    }

    /// The part of the next piece that passes.
    pub fn admit<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut passed = 0;
        while self.part != Part::Done && passed < piece.len() {
            let rest = &piece[passed..];
            if let Some(end) = memchr(b'\n', rest) {
                self.see(&rest[..end]);
                self.end_line();
                passed += end + 1;
            } else {
                self.see(rest);
                passed = piece.len();
            }
        }
        &piece[..passed]
    }

    /// Whether the rest of the message need not be read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.part == Part::Done
    }

    fn see(&mut self, text: &[u8]) {
        self.line = match (self.line, text) {
            (line, b"") => line,
            (SoFar::Nothing, b"\r") => SoFar::OnlyCr,
            _ => SoFar::Text,
        };
    }

    fn end_line(&mut self) {
        let empty = self.line != SoFar::Text;
        self.line = SoFar::Nothing;
        self.part = match self.part {
            Part::Header(0) if empty => Part::Done,
            Part::Header(lines) if empty => Part::Body(lines),
            Part::Body(1) => Part::Done,
            Part::Body(lines) => Part::Body(lines - 1),
            part => part,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Stuffs `message` in pieces of `step` bytes.
    fn stuffed(message: &[u8], step: usize) -> Vec<u8> {
        let mut stuffer = DotStuffer::new();
        let mut out = Vec::new();
        for piece in message.chunks(step) {
            stuffer.push(piece, &mut out);
        }
        stuffer.finish(&mut out);
        out
    }

    /// What a client makes of it: the lines up to the dot, one dot less each.
    fn received(wire: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        let mut rest = wire;
        loop {
            let end = memchr::memmem::find(rest, b"\r\n").expect("every line ends") + 2;
            let (line, tail) = rest.split_at(end);
            if line == b".\r\n" {
                assert!(tail.is_empty(), "nothing follows the end");
                return message;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = tail;
        }
    }

    #[test]
    fn dots_are_stuffed_whole_and_byte_by_byte() {
        let rows: &[(&str, &str)] = &[
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("..\r\n.a\r\n", "...\r\n..a\r\n.\r\n"),
            ("a.\r\n", "a.\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("\r\n\r\n.x", "\r\n\r\n..x\r\n.\r\n"),
        ];
        for (message, expected) in rows {
            for step in [1, 2, 3, 64] {
                let found = stuffed(message.as_bytes(), step);
                assert_eq!(String::from_utf8_lossy(&found), *expected, "by {step}");
            }
        }
    }

    #[test]
    fn top_lets_the_header_and_some_lines_pass() {
        let message = "A: 1\r\n B\r\n\r\none\r\n\r\ntwo\r\nlast";
        let rows: &[(&str, u32, &str)] = &[
            (message, 0, "A: 1\r\n B\r\n\r\n"),
            (message, 1, "A: 1\r\n B\r\n\r\none\r\n"),
            (message, 2, "A: 1\r\n B\r\n\r\none\r\n\r\n"),
            (message, 9, message),
            (message, u32::MAX, message),
            ("A: 1\r\nno body\r\n", 3, "A: 1\r\nno body\r\n"),
            ("\r\nonly body\r\nx\r\n", 1, "\r\nonly body\r\n"),
            ("A: 1\r\n\r\r\nB: 2\r\n\r\nx", 0, "A: 1\r\n\r\r\nB: 2\r\n\r\n"),
        ];
        for (message, lines, expected) in rows {
            for step in [1, 2, 3, 64] {
                let mut top = Top::new(*lines);
                let passed: Vec<u8> = message
                    .as_bytes()
                    .chunks(step)
                    .flat_map(|piece| top.admit(piece).to_vec())
                    .collect();
                let found = String::from_utf8_lossy(&passed);
                assert_eq!(found, *expected, "{lines} lines by {step}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_stuffed_is_received(
            lines in proptest::collection::vec("[.a\r]{0,4}", 0..20),
            step in 1_usize..9,
        ) {
            // A CR at the end of a line would make its CR LF ambiguous only
            // for the reader above.
            let message: String = lines
                .iter()
                .map(|line| format!("{}\r\n", line.trim_end_matches('\r')))
                .collect();
            prop_assert_eq!(received(&stuffed(message.as_bytes(), step)), message.into_bytes());
        }
    }
}
