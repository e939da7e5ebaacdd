//! Requests that are lines: the next one off what arrived, or what to do
//! instead.

use bytes::{Buf, BytesMut};
use dmail_core::framing::{Ending, Frame, LineFramer};

use crate::Step;

/// The lines of one connection. They end in LF, with or without CR before it,
/// and none is longer than a limit.
pub(crate) struct Lines {
    framer: LineFramer,
}

/// A line that makes the connection worthless, and why.
pub(crate) struct Broken(pub(crate) &'static str);

/// Why there is no line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoLine {
    /// It has not arrived yet.
    More,
    /// What arrived is none, so the connection is worthless.
    Broken(&'static str),
}

impl From<NoLine> for Step {
    fn from(none: NoLine) -> Self {
        match none {
            NoLine::More => Self::More,
            NoLine::Broken(why) => Self::Close(why),
        }
    }
}

impl From<Broken> for Step {
    fn from(Broken(why): Broken) -> Self {
        Self::Close(why)
    }
}

impl Lines {
    /// Lines of at most `limit` bytes, their ends not counted.
    pub(crate) fn new(limit: usize) -> Self {
        Self { framer: LineFramer::new(limit, Ending::LfOrCrLf) }
    }

    /// The line that `input` begins with, without its end, and how many bytes
    /// it takes with it.
    ///
    /// # Errors
    ///
    /// What the session wants if there is none: more bytes, or the end of the
    /// connection if the line is none. After one that is too long nobody can
    /// tell what the client believes to have asked, so its end is not awaited.
    pub(crate) fn next<'a>(&mut self, input: &'a [u8]) -> Result<(&'a [u8], usize), NoLine> {
        let taken = self.framer.take(input);
        match taken.frame {
            Some(Frame::Line(line)) => Ok((line, taken.consumed)),
            Some(Frame::Refused(_)) => Err(NoLine::Broken("a line that is none")),
            None if self.framer.is_overlong() => Err(NoLine::Broken("a line that is too long")),
            None => Err(NoLine::More),
        }
    }
}

/// A session whose requests are lines, or made of them.
pub(crate) trait LineSession {
    /// Its lines.
    fn lines(&mut self) -> &mut Lines;

    /// Takes one line, without its end. If the session wants nothing for it,
    /// it takes the next one.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken>;

    /// Takes lines off `input` until the session wants something.
    fn take_lines(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        loop {
            let (line, used) = match self.lines().next(input) {
                Ok(found) => found,
                Err(none) => return none.into(),
            };
            let outcome = self.line(line, out);
            input.advance(used);
            match outcome {
                Ok(None) => {}
                Ok(Some(step)) => return step,
                Err(broken) => return broken.into(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_one_by_one_and_a_bad_one_ends_the_connection() {
        for (stream, expected) in [
            (&b"a\nb\r\n\nc"[..], "a|b||[more]"),
            (b"12345678\nx", "12345678|[more]"),
            (b"123456789\nx\n", "[a line that is none]"),
            (b"a\n1234567890", "a|[a line that is too long]"),
            (b"a\0b\nx\n", "[a line that is none]"),
            (b"a\rb\nx\n", "[a line that is none]"),
        ] {
            let (mut lines, mut input) = (Lines::new(8), stream);
            let mut found = String::new();
            let end = loop {
                match lines.next(input) {
                    Ok((line, used)) => {
                        found.push_str(&format!("{}|", String::from_utf8_lossy(line)));
                        input = &input[used..];
                    }
                    Err(NoLine::Broken(why)) => break why,
                    Err(NoLine::More) => break "more",
                }
            };
            let shown = String::from_utf8_lossy(stream);
            assert_eq!(format!("{found}[{end}]"), expected, "{shown:?}");
        }
    }
}
