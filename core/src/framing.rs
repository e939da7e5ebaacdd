//! Bytes into bounded lines: the one framing of every line protocol here.
//!
//! The framer is told what has arrived and says how much of it to drop. It
//! keeps no bytes itself, so an idle connection costs nothing, and it stays in
//! step: a line that is too long, or that ends in the wrong way, is one
//! refused line, and the next one is read as if nothing had happened. The tail
//! of an overlong line is never taken for a command.
//!
//! ```text
//!   "NOOP\r\nQU"  ──take──▶ consumed 6, Frame::Line("NOOP")
//!   "QU"          ──take──▶ consumed 0, no frame yet
//! ```

use memchr::memchr;

/// How a line must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// CR LF only, as SMTP and POP3 demand (RFC 5321 section 2.3.8). A bare LF
    /// ends the line for resynchronisation, but the line is refused.
    CrLf,
    /// LF, with or without CR before it: modules and files.
    LfOrCrLf,
}

/// One line, or why there is none in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole line, without its end.
    Line(&'a [u8]),
    /// A line that must not be acted on. The stream is past it.
    Refused(LineFault),
}

/// Why a line must not be acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A CR that is not followed by LF, or an LF without CR.
    #[error("line does not end in CR LF")]
    BareEnding,
    /// A NUL byte, which C programs behind us would take for the end.
    #[error("line holds a NUL byte")]
    Nul,
    /// More bytes than allowed.
    #[error("line too long")]
    TooLong,
}

/// What [`LineFramer::take`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken<'a> {
    /// How many bytes of the input to drop now.
    pub consumed: usize,
    /// The line, if one is complete.
    pub frame: Option<Frame<'a>>,
}

/// Splits a byte stream into lines of at most `limit` bytes, the line end not
/// counted.
#[derive(Debug, Clone)]
pub struct LineFramer {
    limit: usize,
    ending: Ending,
    /// Bytes at the start of the input that are known to hold no LF.
    scanned: usize,
    /// The last byte of what was dropped of the present line, because the line
    /// was too long.
    dropped: Option<u8>,
}

impl LineFramer {
    /// A framer for lines of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize, ending: Ending) -> Self {
        Self { limit, ending, scanned: 0, dropped: None }
    }

    /// Whether the middle of a line has been seen, so that the end of the
    /// stream here would cut it.
    #[must_use]
    pub fn in_line(&self) -> bool {
        self.scanned > 0 || self.dropped.is_some()
    }

    /// Whether the present line is too long already, although its end is not
    /// here yet. Readers that give up on the stream then need not wait for it.
    #[must_use]
    pub fn is_overlong(&self) -> bool {
        self.dropped.is_some()
    }

    /// Takes the first line off `input`, which starts where the last call's
    /// `consumed` left off.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> Taken<'a> {
        match memchr(b'\n', &input[self.scanned.min(input.len())..]) {
            Some(found) => {
                let end = self.scanned + found;
                self.scanned = 0;
                let frame = match self.dropped.take() {
                    None => self.judge(&input[..end]),
                    Some(dropped) => {
                        let last = input[..end].last().unwrap_or(&dropped);
                        Frame::Refused(self.judge_overlong(*last == b'\r'))
                    }
                };
                Taken { consumed: end + 1, frame: Some(frame) }
            }
            // The CR of a line that is just long enough may be here already.
            None if self.dropped.is_some() || input.len() > self.limit + 1 => {
                self.scanned = 0;
                self.dropped = input.last().copied().or(self.dropped);
                Taken { consumed: input.len(), frame: None }
            }
            None => {
                self.scanned = input.len();
                Taken { consumed: 0, frame: None }
            }
        }
    }

    /// Judges a line that lost its LF already.
    fn judge<'a>(&self, raw: &'a [u8]) -> Frame<'a> {
        let (line, had_cr) = match raw {
            [line @ .., b'\r'] => (line, true),
            line => (line, false),
        };
        let fault = if line.len() > self.limit {
            self.judge_overlong(had_cr)
        } else if memchr(b'\r', line).is_some() || (!had_cr && self.ending == Ending::CrLf) {
            LineFault::BareEnding
        } else if memchr(0, line).is_some() {
            LineFault::Nul
        } else {
            return Frame::Line(line);
        };
        Frame::Refused(fault)
    }

    /// What is wrong with a line that is too long. A bare LF at its end is
    /// worse: what follows it may be a line to us and content to others.
    fn judge_overlong(&self, had_cr: bool) -> LineFault {
        match self.ending {
            Ending::CrLf if !had_cr => LineFault::BareEnding,
            Ending::CrLf | Ending::LfOrCrLf => LineFault::TooLong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `stream` when it arrives in pieces of `step` bytes.
    fn lines(stream: &[u8], ending: Ending, step: usize) -> Vec<Result<Vec<u8>, LineFault>> {
        let mut framer = LineFramer::new(8, ending);
        let mut buffer = Vec::new();
        let mut out = Vec::new();
        for piece in stream.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                let taken = framer.take(&buffer);
                let consumed = taken.consumed;
                let done = taken.frame.is_none();
                match taken.frame {
                    Some(Frame::Line(line)) => out.push(Ok(line.to_vec())),
                    Some(Frame::Refused(fault)) => out.push(Err(fault)),
                    None => {}
                }
                buffer.drain(..consumed);
                if done {
                    break;
                }
            }
            assert!(buffer.len() <= 9, "an unfinished line is bounded");
        }
        out
    }

    #[test]
    fn every_stream_gives_the_same_lines_whole_and_byte_by_byte() {
        use Ending::{CrLf, LfOrCrLf};
        use LineFault::{BareEnding, Nul, TooLong};
        type Row<'a> = (&'a [u8], Ending, &'a [Result<&'a [u8], LineFault>]);
        let rows: &[Row<'_>] = &[
            (b"NOOP\r\nQUIT\r\n", CrLf, &[Ok(b"NOOP"), Ok(b"QUIT")]),
            (b"\r\n", CrLf, &[Ok(b"")]),
            (b"12345678\r\nx\r\n", CrLf, &[Ok(b"12345678"), Ok(b"x")]),
            // The tail of a line that is too long is not a command.
            (b"123456789\r\nx\r\n", CrLf, &[Err(TooLong), Ok(b"x")]),
            (b"12345678901234567890 QUIT\r\nx\r\n", CrLf, &[Err(TooLong), Ok(b"x")]),
            // One that ends in a bare LF is the greater fault: what follows it
            // may be a line to us and content to somebody else.
            (b"123456789\nNOOP\r\n", CrLf, &[Err(BareEnding), Ok(b"NOOP")]),
            (b"12345678901234567890\nNOOP\r\n", CrLf, &[Err(BareEnding), Ok(b"NOOP")]),
            (b"1234567890123\r4567890\nNOOP\r\n", CrLf, &[Err(BareEnding), Ok(b"NOOP")]),
            (b"123456789\nx\n", LfOrCrLf, &[Err(TooLong), Ok(b"x")]),
            // Bare line ends are refused, and the stream stays in step.
            (b"QUIT\nNOOP\r\n", CrLf, &[Err(BareEnding), Ok(b"NOOP")]),
            (b"a\rb\r\nNOOP\r\n", CrLf, &[Err(BareEnding), Ok(b"NOOP")]),
            (b"a\r\r\nNOOP\r\n", CrLf, &[Err(BareEnding), Ok(b"NOOP")]),
            (b"a\0b\r\nNOOP\r\n", CrLf, &[Err(Nul), Ok(b"NOOP")]),
            // Modules may send either ending.
            (b"+OK\n-ERR\r\n", LfOrCrLf, &[Ok(b"+OK"), Ok(b"-ERR")]),
            (b"a\rb\n", LfOrCrLf, &[Err(BareEnding)]),
            // A line without an end is no line.
            (b"+OK x", LfOrCrLf, &[]),
        ];
        for (stream, ending, expected) in rows {
            let expected: Vec<_> = expected.iter().map(|line| line.map(<[u8]>::to_vec)).collect();
            for step in [1, 2, 3, stream.len()] {
                let text = String::from_utf8_lossy(stream);
                assert_eq!(lines(stream, *ending, step), expected, "{text:?} by {step}");
            }
        }
    }
}
