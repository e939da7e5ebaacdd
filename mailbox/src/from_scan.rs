//! Finds `^>*From ` in a stream of bytes, wherever the stream is cut.
//!
//! mboxrd puts one more `>` before such lines when a message is stored and
//! takes one away when it is read, so that no text is ever mistaken for the
//! start of a message and every text comes back as it was. Writing, reading
//! and counting all use this one scanner, so they cannot disagree.

use crate::from_line::FROM;

/// What the stream consists of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Bytes without a line end.
    Text(&'a [u8]),
    /// `From ` behind nothing but `>`s at the start of a line. If it is
    /// `marked`, one of these `>`s was kept back and belongs before it.
    From {
        /// Whether there was at least one `>`.
        marked: bool,
    },
    /// A line feed.
    LineEnd,
}

/// The scanner. It keeps back at most one `>` and four letters, never memory
/// in proportion to the text.
#[derive(Debug, Default)]
pub(crate) struct FromScan {
    at: At,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Nothing of the line was seen.
    #[default]
    LineStart,
    /// Only `>`s were seen. The last one is kept back: they are all alike, so
    /// it does not matter which one goes out first.
    Marks,
    /// `matched` letters of `From ` were seen, after `>`s if `marked`.
    Word { marked: bool, matched: usize },
    /// The rest of the line cannot matter.
    Inside,
}

impl FromScan {
    /// Whether the last byte was a line end, or there was none yet.
    pub(crate) fn is_at_line_start(&self) -> bool {
        self.at == At::LineStart
    }

    /// Feeds the next bytes of the stream.
    pub(crate) fn push(&mut self, mut input: &[u8], mut emit: impl FnMut(Token<'_>)) {
        while let Some(&byte) = input.first() {
            let used = match self.at {
                At::LineStart => self.line_start(byte),
                At::Marks => self.marks(byte, &mut emit),
                At::Word { marked, matched } => self.word(byte, marked, matched, &mut emit),
                At::Inside => self.inside(input, &mut emit),
            };
            input = &input[used..];
        }
    }

    /// Says that the stream is over, and gives out what was kept back.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(Token<'_>)) {
        match self.at {
            At::LineStart | At::Inside => {}
            At::Marks => self.release(true, 0, &mut emit),
            At::Word { marked, matched } => self.release(marked, matched, &mut emit),
        }
    }

    fn line_start(&mut self, byte: u8) -> usize {
        match byte {
            b'>' => self.at = At::Marks,
            b'F' => self.at = At::Word { marked: false, matched: 1 },
            _ => {
                self.at = At::Inside;
                return 0;
            }
        }
        1
    }

    fn marks(&mut self, byte: u8, emit: &mut impl FnMut(Token<'_>)) -> usize {
        match byte {
            b'>' => emit(Token::Text(b">")),
            b'F' => self.at = At::Word { marked: true, matched: 1 },
            _ => {
                self.release(true, 0, emit);
                return 0;
            }
        }
        1
    }

    fn word(
        &mut self,
        byte: u8,
        marked: bool,
        matched: usize,
        emit: &mut impl FnMut(Token<'_>),
    ) -> usize {
        if byte != FROM[matched] {
            self.release(marked, matched, emit);
            return 0;
        }
        if matched + 1 == FROM.len() {
            self.at = At::Inside;
            emit(Token::From { marked });
        } else {
            self.at = At::Word { marked, matched: matched + 1 };
        }
        1
    }

    /// It was not the word after all.
    fn release(&mut self, marked: bool, matched: usize, emit: &mut impl FnMut(Token<'_>)) {
        self.at = At::Inside;
        if marked {
            emit(Token::Text(b">"));
        }
        if matched > 0 {
            emit(Token::Text(&FROM[..matched]));
        }
    }

    fn inside(&mut self, input: &[u8], emit: &mut impl FnMut(Token<'_>)) -> usize {
        let end = memchr::memchr(b'\n', input);
        let text = &input[..end.unwrap_or(input.len())];
        if !text.is_empty() {
            emit(Token::Text(text));
        }
        if end.is_none() {
            return text.len();
        }
        self.at = At::LineStart;
        emit(Token::LineEnd);
        text.len() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks each token, so that a row can be read.
    fn show(pieces: &[&[u8]]) -> String {
        let mut shown = String::new();
        let mut emit = |token: Token<'_>| match token {
            Token::Text(text) => shown.push_str(&text.escape_ascii().to_string()),
            Token::From { marked: false } => shown.push_str("[From]"),
            Token::From { marked: true } => shown.push_str("[>From]"),
            Token::LineEnd => shown.push('/'),
        };
        let mut scan = FromScan::default();
        for piece in pieces {
            scan.push(piece, &mut emit);
        }
        scan.finish(&mut emit);
        shown
    }

    #[test]
    fn the_word_is_found_at_line_starts_only() {
        for (text, expected) in [
            ("", ""),
            ("From a\n", "[From]a/"),
            ("From \n", "[From]/"),
            (">From a\n", "[>From]a/"),
            (">>>From a\n", ">>[>From]a/"),
            ("a From b\n", "a From b/"),
            (" From b\n", " From b/"),
            ("From\n", "From/"),
            ("Fro\nFrom \n", "Fro/[From]/"),
            (">Fro\n>\n>>\n", ">Fro/>/>>/"),
            (">\n\n>F", ">//>F"),
            ("> From \n", "> From /"),
            ("FFrom \n", "FFrom /"),
            (">>", ">>"),
            ("From: a\n\nFrom b", "From: a//[From]b"),
        ] {
            let whole = show(&[text.as_bytes()]);
            assert_eq!(whole, expected, "{text:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(show(&bytes), expected, "{text:?}, byte by byte");
        }
    }
}
