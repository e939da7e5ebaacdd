//! Requests and replies as lines, and back.
//!
//! ```text
//!   request = word *( SP word ) LF            at most 4,096 bytes
//!   reply   = *( "+DATA" SP text LF ) ( "+OK" / "-ERR" ) SP text LF
//!   word    = 1*( printable ASCII but SP and "%" / "%" two hex digits )
//! ```
//!
//! A word can carry any text: what is not printable ASCII, a blank or a `%` is
//! written as `%XX`, byte by byte. An empty word is written `%`. The text of a
//! reply is printable ASCII; anything else becomes `?` on the way out.

use std::fmt::Write;

/// Longest line, in bytes, without its end.
pub const MAX_LINE_BYTES: usize = 4096;
/// Most `+DATA` lines of a reply.
pub const MAX_DATA_LINES: usize = 100_000;
/// The greeting begins so; the number is the version of the protocol.
pub const GREETING: &str = "+OK dmail control 1";

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What was asked for, one line each.
    pub data: Vec<String>,
    /// What came of it: the last line.
    pub result: Result<String, String>,
}

impl Reply {
    /// It was done.
    pub fn ok(text: impl Into<String>) -> Self {
        Self { data: Vec::new(), result: Ok(text.into()) }
    }

    /// It was not.
    pub fn err(text: impl Into<String>) -> Self {
        Self { data: Vec::new(), result: Err(text.into()) }
    }

    /// These lines, and how many there are.
    #[must_use]
    pub fn list(data: Vec<String>, what: &str) -> Self {
        let text = format!("{} {what}", data.len());
        Self { data, result: Ok(text) }
    }

    /// Appends the lines to `out`. Of more than [`MAX_DATA_LINES`], the rest is
    /// left out, which the last line says.
    pub fn write(&self, out: &mut Vec<u8>) {
        for line in self.data.iter().take(MAX_DATA_LINES) {
            write_line(out, "+DATA", line);
        }
        match &self.result {
            Ok(text) if self.data.len() > MAX_DATA_LINES => {
                write_line(out, "+OK", &format!("{text}, the first {MAX_DATA_LINES} are shown"));
            }
            Ok(text) => write_line(out, "+OK", text),
            Err(text) => write_line(out, "-ERR", text),
        }
    }
}

/// Why a line is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Two blanks together, or one at an end.
    #[error("words are separated by one blank")]
    Blank,
    /// A byte that must be written as `%XX`.
    #[error("a byte that is not printable ASCII, at position {}", .0 + 1)]
    Byte(usize),
    /// A `%` without two hex digits.
    #[error("% needs two hex digits")]
    Escape,
    /// Bytes that are no UTF-8.
    #[error("a word is not UTF-8")]
    Utf8,
}

/// The line of a request, with its end.
#[must_use]
pub fn request(words: &[impl AsRef<str>]) -> String {
    let mut line = String::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        escape(word.as_ref(), &mut line);
    }
    line.push('\n');
    line
}

/// The words of a request, without its end.
///
/// # Errors
///
/// If the line is not written as it has to be. Nothing is guessed.
pub fn parse_request(line: &[u8]) -> Result<Vec<String>, Malformed> {
    if let Some(at) = line.iter().position(|byte| !(b' '..=b'~').contains(byte)) {
        return Err(Malformed::Byte(at));
    }
    line.split(|byte| *byte == b' ').map(unescape).collect()
}

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyLine {
    /// One of several.
    Data(String),
    /// The last one.
    Last(Result<String, String>),
}

/// Reads one line of a reply, without its end; `None` if it is none.
#[must_use]
pub fn parse_reply_line(line: &str) -> Option<ReplyLine> {
    let (status, text) = line.split_once(' ').unwrap_or((line, ""));
    match status {
        "+DATA" => Some(ReplyLine::Data(text.to_owned())),
        "+OK" => Some(ReplyLine::Last(Ok(text.to_owned()))),
        "-ERR" => Some(ReplyLine::Last(Err(text.to_owned()))),
        _ => None,
    }
}

fn write_line(out: &mut Vec<u8>, status: &str, text: &str) {
    out.extend_from_slice(status.as_bytes());
    out.push(b' ');
    let room = MAX_LINE_BYTES - status.len() - 1;
    let printable = |c: char| if matches!(c, ' '..='~') { c as u8 } else { b'?' };
    out.extend(text.chars().take(room).map(printable));
    out.push(b'\n');
}

fn escape(word: &str, line: &mut String) {
    if word.is_empty() {
        line.push('%');
    }
    for byte in word.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            line.push(char::from(byte));
        } else {
            write!(line, "%{byte:02X}").expect("a String takes everything");
        }
    }
}

fn unescape(word: &[u8]) -> Result<String, Malformed> {
    match word {
        b"" => return Err(Malformed::Blank),
        b"%" => return Ok(String::new()),
        _ => {}
    }
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digit = |at: usize| {
            let digit = after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            digit.map(|digit| digit as u8).ok_or(Malformed::Escape)
        };
        bytes.push(digit(0)? << 4 | digit(1)?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_was() {
        let rows: &[&[&str]] = &[
            &["throttle", "list"],
            &["throttle", "clear", "ann@corp.example"],
            &["x", "two words", "", "100 %", "gr\u{fc}n\r\n\0", "%41"],
        ];
        for words in rows {
            let line = request(words);
            let (line, end) = line.split_at(line.len() - 1);
            assert_eq!((end, line.is_ascii()), ("\n", true));
            let back = parse_request(line.as_bytes());
            assert_eq!(back, Ok(words.iter().map(|word| (*word).to_owned()).collect()));
        }
    }

    #[test]
    fn a_request_is_written_in_one_way_only() {
        let rows: &[(&[u8], Malformed)] = &[
            (b"", Malformed::Blank),
            (b" a", Malformed::Blank),
            (b"a  b", Malformed::Blank),
            (b"a\tb", Malformed::Byte(1)),
            (b"a b\r", Malformed::Byte(3)),
            (b"gr\xc3\xbcn", Malformed::Byte(2)),
            (b"100%", Malformed::Escape),
            (b"%4", Malformed::Escape),
            (b"%4g", Malformed::Escape),
            (b"%ff", Malformed::Utf8),
        ];
        for (line, expected) in rows {
            assert_eq!(parse_request(line), Err(*expected), "{line:?}");
        }
    }

    #[test]
    fn a_reply_is_lines_that_nothing_can_break() {
        let reply = Reply::list(vec!["user bob 3".into(), "evil\r\n+OK gr\u{fc}n".into()], "items");
        let mut out = Vec::new();
        reply.write(&mut out);
        let out = String::from_utf8(out).expect("ASCII");
        assert_eq!(out, "+DATA user bob 3\n+DATA evil??+OK gr?n\n+OK 2 items\n");
        let lines: Option<Vec<_>> = out.lines().map(parse_reply_line).collect();
        assert_eq!(lines.expect("lines").last(), Some(&ReplyLine::Last(Ok("2 items".into()))));
        assert_eq!(parse_reply_line("-ERR no"), Some(ReplyLine::Last(Err("no".into()))));
        assert_eq!(parse_reply_line("+OKAY"), None);

        let mut out = Vec::new();
        Reply::ok("x".repeat(5000)).write(&mut out);
        assert_eq!(out.len(), MAX_LINE_BYTES + 1);
    }
}
