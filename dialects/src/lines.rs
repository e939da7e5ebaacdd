//! Requests that are lines: the next one off what arrived, or what to do
//! instead.

use bytes::BytesMut;
use dmail_core::framing::{Ending, Frame, LineFramer};

use crate::Step;

/// The lines of one connection. They end in LF, with or without CR before it,
/// and none is longer than a limit.
pub(crate) struct Lines {
    framer: LineFramer,
}

/// A line that makes the connection worthless, and why.
pub(crate) struct Broken(pub(crate) &'static str);

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

    /// Takes the next line off `input`, without its end.
    ///
    /// # Errors
    ///
    /// What the session wants if there is none: more bytes, or the end of the
    /// connection if the line is none. After one that is too long nobody can
    /// tell what the client believes to have asked, so its end is not awaited.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<BytesMut, Step> {
        let taken = self.framer.take(input);
        let consumed = taken.consumed;
        let length = match taken.frame {
            Some(Frame::Line(line)) => line.len(),
            Some(Frame::Refused(_)) => return Err(Step::Close("a line that is none")),
            None if self.framer.is_overlong() => {
                return Err(Step::Close("a line that is too long"));
            }
            None => return Err(Step::More),
        };
        let mut line = input.split_to(consumed);
        line.truncate(length);
        Ok(line)
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
            let (mut lines, mut input) = (Lines::new(8), BytesMut::from(stream));
            let mut found = String::new();
            let end = loop {
                match lines.next(&mut input) {
                    Ok(line) => found.push_str(&format!("{}|", String::from_utf8_lossy(&line))),
                    Err(Step::Close(why)) => break why,
                    Err(_) => break "more",
                }
            };
            let shown = String::from_utf8_lossy(stream);
            assert_eq!(format!("{found}[{end}]"), expected, "{shown:?}");
        }
    }
}
