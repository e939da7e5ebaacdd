//! The content of a message, from DATA to the end of data.
//!
//! The decoder is told what has arrived, and writes the message: line ends
//! become LF, and the dot that a client puts before a line that begins with
//! one is taken off (RFC 5321 section 4.5.2).
//!
//! CR LF `.` CR LF ends the data and nothing else does. A message with any
//! other use of CR or LF is refused, since some other server would find an end
//! of data there and run the rest as commands. It is refused at its end, so
//! that the connection stays in step:
//!
//! ```text
//!   "Hi\r\n..x\r\n.\r\nQUIT" ──▶ "Hi\n.x\n", 12 bytes used, ended
//!   "Hi\n.\r\nQUIT\r\n.\r\n" ──▶ BareLineEnd, all used, ended
//! ```

use memchr::memchr3;

/// Longest line in bytes, the line end not counted. RFC 5321 section
/// 4.5.3.1.6 allows 998, but many programs send a whole paragraph in one.
pub const MAX_LINE_BYTES: usize = 65_536;

/// Decodes the content of one message.
#[derive(Debug, Clone)]
pub struct Decoder {
    max_octets: u64,
    state: State,
    /// Bytes of the present line, without its end.
    line: usize,
    /// Size of the message as SIZE counts it (RFC 1870 section 3): with CR LF,
    /// without the added dots.
    octets: u64,
    fault: Option<ContentFault>,
}

/// What the bytes before this one were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A CR LF, or the DATA command's own.
    LineStart,
    /// A dot at the start of a line.
    Dot,
    /// A dot at the start of a line, and CR.
    DotCr,
    /// Anything within a line.
    Text,
    /// A CR within a line.
    Cr,
    /// The end of data.
    Ended,
}

/// Why the content cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentFault {
    /// A CR without LF, or an LF without CR.
    #[error("message holds a CR or LF that is not part of a CR LF")]
    BareLineEnd,
    /// A line of more than [`MAX_LINE_BYTES`].
    #[error("message holds a line that is too long")]
    LineTooLong,
    /// A NUL, which programs behind us would take for the end.
    #[error("message holds a NUL byte")]
    Nul,
    /// More than the largest message.
    #[error("message exceeds the maximum size")]
    TooLarge,
}

impl Decoder {
    /// A decoder for a message of up to `max_octets`, which starts right after
    /// the DATA command's line.
    #[must_use]
    pub fn new(max_octets: u64) -> Self {
        Self { max_octets, state: State::LineStart, line: 0, octets: 0, fault: None }
    }

    /// Decodes `input`, which follows what was decoded before, and appends the
    /// message to `out`. Returns how many bytes were used: all of them, unless
    /// the data ended.
    ///
    /// After a fault nothing more is written, and the end is still found.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while at < input.len() && self.state != State::Ended {
            if matches!(self.state, State::LineStart | State::Text) {
                let run = memchr3(b'\r', b'\n', 0, &input[at..]).unwrap_or(input.len() - at);
                self.text(&input[at..at + run], out);
                at += run;
            }
            if input.get(at).is_some_and(|byte| self.special(*byte, out)) {
                at += 1;
            }
        }
        at
    }

    /// Whether the end of data has been found.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether nothing is written any more, because the message is refused.
    #[must_use]
    pub fn is_faulty(&self) -> bool {
        self.fault.is_some()
    }

    /// The size of the message as SIZE counts it, in octets; also of one that
    /// is refused.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether the content may be taken.
    ///
    /// # Errors
    ///
    /// The first fault that was found.
    pub fn check(&self) -> Result<(), ContentFault> {
        self.fault.map_or(Ok(()), Err)
    }

    /// Takes bytes without CR, LF and NUL.
    fn text(&mut self, run: &[u8], out: &mut Vec<u8>) {
        let run = match (self.state, run) {
            (_, []) => return,
            (State::LineStart, [b'.', rest @ ..]) => {
                self.state = if rest.is_empty() { State::Dot } else { State::Text };
                rest
            }
            (_, run) => {
                self.state = State::Text;
                run
            }
        };
        self.line += run.len();
        if self.line > MAX_LINE_BYTES {
            self.refuse(ContentFault::LineTooLong);
        }
        self.put(run, run.len(), out);
    }

    /// Takes one byte that is special, or that follows something special.
    /// Returns whether it is used: if not, it is to be seen again as text.
    fn special(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match (self.state, byte) {
            (State::Dot, b'\r') => self.state = State::DotCr,
            (State::DotCr, b'\n') => self.state = State::Ended,
            (State::Cr, b'\n') => {
                self.state = State::LineStart;
                self.line = 0;
                self.put(b"\n", 2, out);
            }
            (State::Cr | State::DotCr, b'\r') => {
                self.refuse(ContentFault::BareLineEnd);
                self.state = State::Cr;
            }
            (State::Cr | State::DotCr, _) => {
                self.refuse(ContentFault::BareLineEnd);
                self.state = State::Text;
                return false;
            }
            (_, b'\r') => self.state = State::Cr,
            (_, b'\n') => {
                // Not a line end: what follows is still the same line.
                self.refuse(ContentFault::BareLineEnd);
                self.state = State::Text;
            }
            (_, 0) => {
                self.refuse(ContentFault::Nul);
                self.state = State::Text;
            }
            (_, _) => {
                self.state = State::Text;
                return false;
            }
        }
        true
    }

    /// Writes bytes of the message that count as `octets`.
    fn put(&mut self, bytes: &[u8], octets: usize, out: &mut Vec<u8>) {
        self.octets += octets as u64;
        if self.octets > self.max_octets {
            self.refuse(ContentFault::TooLarge);
        }
        if self.fault.is_none() {
            out.extend_from_slice(bytes);
        }
    }

    fn refuse(&mut self, fault: ContentFault) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = 1_000_000;

    /// What comes out when `input` arrives in pieces of `step` bytes: how many
    /// of its bytes were used, if the data ended, and the message.
    fn decode(input: &[u8], step: usize) -> (Option<usize>, Result<Vec<u8>, ContentFault>) {
        let mut decoder = Decoder::new(MAX);
        let (mut out, mut used) = (Vec::new(), 0);
        for piece in input.chunks(step) {
            let taken = decoder.decode(piece, &mut out);
            used += taken;
            if decoder.is_ended() {
                return (Some(used), decoder.check().map(|()| out));
            }
            assert_eq!(taken, piece.len(), "all is used before the end");
        }
        (None, decoder.check().map(|()| out))
    }

    fn check(input: &str, used: Option<usize>, expected: Result<&str, ContentFault>) {
        for step in [input.len().max(1), 1, 2, 3] {
            let (found, message) = decode(input.as_bytes(), step);
            let message = message.map(|text| String::from_utf8(text).expect("text"));
            assert_eq!(found, used, "end of {input:?} by {step}");
            assert_eq!(message.as_deref().map_err(|fault| *fault), expected, "{input:?} by {step}");
        }
    }

    #[test]
    fn a_message_ends_at_a_dot_alone_and_loses_added_dots() {
        let rows = [
            (".\r\n", 3, ""),
            ("\r\n.\r\n", 5, "\n"),
            ("a\r\n.\r\n", 6, "a\n"),
            ("a\r\nb\r\n.\r\nQUIT\r\n", 9, "a\nb\n"),
            ("..\r\n.\r\n", 7, ".\n"),
            ("..a\r\n...\r\n.\r\n", 13, ".a\n..\n"),
            (".a\r\n.\r\n", 7, "a\n"),
            ("a.\r\n.\r\n", 7, "a.\n"),
            ("a\r\n. \r\n.\r\n", 10, "a\n \n"),
            (". \r\n.\r\n", 7, " \n"),
            ("\u{fc}\r\n.\r\n", 7, "\u{fc}\n"),
        ];
        for (input, used, expected) in rows {
            check(input, Some(used), Ok(expected));
        }
        for unfinished in ["", ".", ".\r", "a\r\n.\r"] {
            assert_eq!(decode(unfinished.as_bytes(), 1).0, None, "{unfinished:?}");
        }
    }

    #[test]
    fn no_other_sequence_ends_the_data() {
        // Everything that some server has taken for CR LF, before and after
        // the dot. The message ends at the real end only, and is refused.
        let ends = ["\n", "\r", "\r\n", "\r\r\n", "\n\r", "\0\n", "\r\0\n"];
        let mut forms = 0;
        for before in ends {
            for after in ends {
                let dot = format!("{before}.{after}");
                if dot.contains("\r\n.\r\n") {
                    continue;
                }
                let smuggled = format!("a{dot}MAIL FROM:<x@y>\r\n.\r\n");
                let fault = match (before, after) {
                    ("\0\n", _) | ("\r\n", "\0\n") => ContentFault::Nul,
                    _ => ContentFault::BareLineEnd,
                };
                check(&smuggled, Some(smuggled.len()), Err(fault));
                forms += 1;
            }
        }
        assert_eq!(forms, 47);
    }

    #[test]
    fn a_line_with_anything_bare_is_refused_wherever_it_is() {
        use ContentFault::{BareLineEnd, Nul};
        let rows = [
            ("\n.\r\n.\r\n", BareLineEnd),
            ("\r.\r\n.\r\n", BareLineEnd),
            (".\n.\r\n\r\n.\r\n", BareLineEnd),
            (".\r.\r\n.\r\n", BareLineEnd),
            (".\r\r\n.\r\n", BareLineEnd),
            ("..\r.\r\n.\r\n", BareLineEnd),
            ("a\r\rb\r\n.\r\n", BareLineEnd),
            ("a\r\r\n.\r\n", BareLineEnd),
            ("a\nb\r\n.\r\n", BareLineEnd),
            ("a\0b\r\n.\r\n", Nul),
            (".\0\r\n.\r\n", Nul),
            // The first fault counts.
            ("a\0b\nc\r\n.\r\n", Nul),
        ];
        for (input, fault) in rows {
            check(input, Some(input.len()), Err(fault));
        }
    }

    #[test]
    fn sizes_are_bounded_and_the_end_is_still_found() {
        let mut out = Vec::new();
        let mut decoder = Decoder::new(5);
        assert_eq!(decoder.decode(b"abc\r\n.\r\n", &mut out), 8);
        assert_eq!((decoder.octets(), decoder.check(), &*out), (5, Ok(()), b"abc\n".as_slice()));

        let mut decoder = Decoder::new(5);
        assert_eq!(decoder.decode(b"abcd\r\n.\r\nQUIT", &mut out), 9);
        assert!(decoder.is_ended());
        assert_eq!(decoder.check(), Err(ContentFault::TooLarge));

        for (length, expected) in [(65_536, Ok(())), (65_537, Err(ContentFault::LineTooLong))] {
            let line = [vec![b'x'; length], b"\r\n.\r\n".to_vec()].concat();
            let found = decode(&line, 1000);
            assert_eq!((found.0, found.1.map(drop)), (Some(line.len()), expected));
        }
    }

    /// What a client makes of a message whose lines end in LF.
    fn stuffed(message: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }

    /// A line of any bytes that a line may have, with many dots.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let byte = any::<u8>().prop_map(|byte| match byte {
            0 | b'\r' | b'\n' | 128..=191 => b'.',
            other => other,
        });
        prop::collection::vec(byte, 0..6).prop_map(|line| [&*line, b"\n"].concat())
    }

    proptest! {
        #[test]
        fn what_a_client_stuffs_comes_out_as_it_was(
            lines in prop::collection::vec(line(), 0..12),
            rest in "[A-Z\r\n]{0,9}",
            step in 1_usize..9,
        ) {
            let message: Vec<u8> = lines.concat();
            let wire = stuffed(&message);
            let (used, decoded) = decode(&[&*wire, rest.as_bytes()].concat(), step);
            prop_assert_eq!(used, Some(wire.len()));
            prop_assert_eq!(decoded, Ok(message));
        }

        #[test]
        fn pieces_do_not_matter(input in "[.a\r\n\0]{0,24}", step in 1_usize..5) {
            prop_assert_eq!(decode(input.as_bytes(), step), decode(input.as_bytes(), 99));
        }

        #[test]
        fn only_the_one_sequence_ends_the_data(input in "[.a\r\n]{0,24}") {
            let wire = format!("\r\n{input}");
            let end = wire.find("\r\n.\r\n").map(|at| at + 5 - 2);
            prop_assert_eq!(decode(input.as_bytes(), 99).0, end);
        }
    }
}
