//! What delivery must know of a message's header, and nothing beyond: it does
//! not look at addresses, MIME, or the body.
//!
//! The scan is told the message piece by piece and says when it has seen
//! enough. It keeps the first bytes of one field name, so the largest header
//! costs no memory.

use memchr::memchr;

/// The longest field name that matters, in bytes.
const NAME_BYTES: usize = b"message-id".len();

/// What a header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// How many `Received` fields: how many servers the message came through.
    pub hops: u32,
    /// Whether there is a `Date`.
    pub date: bool,
    /// Whether there is a `Message-ID`.
    pub message_id: bool,
    /// What the first line is.
    pub start: Start,
}

/// What a message begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// A field, as it should, or nothing at all.
    #[default]
    Field,
    /// An empty line: there is no header.
    Empty,
    /// A line of some mailbox, `From sender date`, and then perhaps a header.
    FromLine,
    /// Text. The client forgot the empty line, or the header.
    Text,
}

/// Reads the header of one message.
#[derive(Debug, Clone)]
pub struct HeaderScan {
    found: Header,
    state: State,
    is_first_line: bool,
    /// The field name in lower case, if it is short enough to matter.
    name: [u8; NAME_BYTES],
    /// How long it is.
    length: usize,
}

/// What the bytes before this one were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    /// The start of a line, perhaps a field name.
    Name,
    /// Blanks behind it (RFC 5322 section 4.5 allows them).
    AfterName,
    /// The body of a field.
    Skip,
    /// The header is over.
    Ended,
}

impl Default for HeaderScan {
    fn default() -> Self {
        Self {
            found: Header::default(),
            state: State::LineStart,
            is_first_line: true,
            name: [0; NAME_BYTES],
            length: 0,
        }
    }
}

impl HeaderScan {
    /// Takes the next piece of the message, with LF line ends. Returns whether
    /// the header is over, so that no further piece is needed.
    pub fn push(&mut self, mut piece: &[u8]) -> bool {
        while self.state != State::Ended {
            if self.state == State::Skip {
                let Some(end) = memchr(b'\n', piece) else { return false };
                piece = &piece[end + 1..];
                (self.state, self.is_first_line) = (State::LineStart, false);
            }
            let Some((byte, rest)) = piece.split_first() else { return false };
            self.state = self.next(*byte);
            piece = rest;
        }
        true
    }

    /// What was found, when the header or the message is over.
    #[must_use]
    pub fn finish(mut self) -> Header {
        if matches!(self.state, State::Name | State::AfterName) {
            self.not_a_field();
        }
        self.found
    }

    /// The state after a byte that is not in the body of a field.
    fn next(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::LineStart, b'\n') => {
                if self.is_first_line {
                    self.found.start = Start::Empty;
                }
                State::Ended
            }
            (State::LineStart, b' ' | b'\t') if !self.is_first_line => State::Skip,
            (State::LineStart, b'!'..=b'~') if byte != b':' => {
                self.length = 0;
                self.name_byte(byte)
            }
            (State::Name | State::AfterName, b':') => self.field(),
            (State::Name | State::AfterName, b' ' | b'\t') => State::AfterName,
            (State::Name, b'!'..=b'~') => self.name_byte(byte),
            // A line without a colon. Nothing of it is left to skip.
            (_, b'\n') => {
                self.not_a_field();
                State::Ended
            }
            _ => self.not_a_field(),
        }
    }

    fn name_byte(&mut self, byte: u8) -> State {
        if let Some(place) = self.name.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
        }
        self.length += 1;
        State::Name
    }

    fn name(&self) -> &[u8] {
        self.name.get(..self.length).unwrap_or_default()
    }

    fn field(&mut self) -> State {
        match self.name() {
            b"received" => self.found.hops += 1,
            b"date" => self.found.date = true,
            b"message-id" => self.found.message_id = true,
            _ => {}
        }
        State::Skip
    }

    /// A line that is no field ends the header, unless it came with the file
    /// that the message was taken from.
    fn not_a_field(&mut self) -> State {
        if !self.is_first_line {
            return State::Ended;
        }
        if self.state == State::AfterName && matches!(self.name(), b"from" | b">from") {
            self.found.start = Start::FromLine;
            return State::Skip;
        }
        self.found.start = Start::Text;
        State::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(message: &[u8], step: usize) -> Header {
        let mut scan = HeaderScan::default();
        let _ = message.chunks(step).any(|piece| scan.push(piece));
        scan.finish()
    }

    #[test]
    fn a_header_is_read_up_to_its_end_and_whatever_it_looks_like() {
        let header = |hops, date, message_id, start| Header { hops, date, message_id, start };
        let rows = [
            ("", header(0, false, false, Start::Field)),
            ("\n", header(0, false, false, Start::Empty)),
            ("\nDate: x\n", header(0, false, false, Start::Empty)),
            ("Subject: x\n\nDate: x\n", header(0, false, false, Start::Field)),
            ("Date: x\nMessage-ID: y\n\nz\n", header(0, true, true, Start::Field)),
            ("DATE:x\nmessage-id:y", header(0, true, true, Start::Field)),
            ("Date : x\nMessage-Id \t: y\n", header(0, true, true, Start::Field)),
            ("Received: a\n\tDate: b\nReceived: c\n", header(2, false, false, Start::Field)),
            ("X: a\n Received: b\n \nDate: c\n", header(0, true, false, Start::Field)),
            ("Dates: x\nDat: x\nX-Date: x\n", header(0, false, false, Start::Field)),
            ("Message-ID-Two: x\n", header(0, false, false, Start::Field)),
            // A header that just stops being one.
            ("X: a\nHello, Bob.\nDate: x\n", header(0, false, false, Start::Field)),
            ("X: a\n: b\nDate: x\n", header(0, false, false, Start::Field)),
            ("X: a\nname\nDate: x\n", header(0, false, false, Start::Field)),
            // No header at all.
            ("Hello, Bob: see below\nDate: x\n", header(0, false, false, Start::Text)),
            (" Date: x\n", header(0, false, false, Start::Text)),
            ("hello", header(0, false, false, Start::Text)),
            ("hello\n", header(0, false, false, Start::Text)),
            ("gr\u{fc}\u{df}e: x\n", header(0, false, false, Start::Text)),
            // A message out of a mailbox.
            ("From a@b Sat Dec 26\nDate: x\n", header(0, true, false, Start::FromLine)),
            (">From a@b Sat Dec 26\nDate: x\n", header(0, true, false, Start::FromLine)),
            ("X: a\nFrom a@b Sat\nDate: x\n", header(0, false, false, Start::Field)),
            ("From: a@b\nDate: x\n", header(0, true, false, Start::Field)),
        ];
        for (message, expected) in rows {
            for step in [1, 2, 7, 100] {
                assert_eq!(scan(message.as_bytes(), step), expected, "{message:?} by {step}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn pieces_do_not_matter(message in "[Date: \t\nx]{0,40}", step in 1_usize..9) {
            proptest::prop_assert_eq!(scan(message.as_bytes(), step), scan(message.as_bytes(), 99));
        }
    }
}
