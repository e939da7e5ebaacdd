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
mod tests;
