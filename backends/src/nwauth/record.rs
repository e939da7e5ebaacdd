//! One line of `nwauth.txt` or `nwauth.add`: `user:hash:info`.
//!
//! The line is split on its first two colons, so info may hold colons. The
//! hash `(DELETE)` takes the user out. Old files may end lines in CR LF and may
//! lack the info field; what is not a record at all is [`Line::Unreadable`],
//! which is kept as it is and never guessed at.

use dmail_core::Username;
use memchr::memchr;
use zeroize::Zeroizing;

/// Longest line, its LF counted, in bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The hash of a line that takes a user out.
const DELETED: &[u8] = b"(DELETE)";

/// What a line says. The bytes are the line's own: old files hold Latin-1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing.
    Blank,
    /// `user:(DELETE):`
    Deleted {
        /// The name, as spelt.
        name: &'a str,
    },
    /// Not a record: no colon, a name that cannot be asked for, too long.
    Unreadable,
    /// `user:hash:info`
    User {
        /// The name, as spelt.
        name: &'a str,
        /// The stored password text.
        hash: &'a [u8],
        /// The info field, unparsed.
        info: &'a [u8],
    },
}

impl<'a> Line<'a> {
    /// Reads a line, with or without its line end.
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Self::Blank;
        }
        let Some((name, rest)) = split(line) else {
            return Self::Unreadable;
        };
        let Some(name) = askable(name) else {
            return Self::Unreadable;
        };
        let (hash, info) = split(rest).unwrap_or((rest, b""));
        if line.len() >= MAX_LINE || memchr(0, rest).is_some() {
            Self::Unreadable
        } else if hash == DELETED {
            Self::Deleted { name }
        } else {
            Self::User { name, hash, info }
        }
    }

    /// The name, if the line is about somebody.
    pub(super) fn name(&self) -> Option<&'a str> {
        match self {
            Self::Deleted { name } | Self::User { name, .. } => Some(name),
            Self::Blank | Self::Unreadable => None,
        }
    }
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    Some((&line[..colon], &line[colon + 1..]))
}

/// The name, if a [`Username`] could be the same.
fn askable(name: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| (b'!'..=b'~').contains(byte);
    let fits = 1..=Username::MAX_BYTES;
    if !(fits.contains(&name.len()) && (name.iter().all(plain) || Username::parse(name).is_ok())) {
        return None;
    }
    std::str::from_utf8(name).ok()
}

/// The key under which a name is found: its lower case (ASCII).
pub(super) fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A user's record, apart from the file that it came from. It has no `Debug`:
/// the hash is nobody's business.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The name, as spelt.
    pub(super) name: String,
    /// The stored password text.
    pub(super) hash: Zeroizing<Vec<u8>>,
    /// The info field, unparsed.
    pub(super) info: Vec<u8>,
}

impl Record {
    /// The record of a line that is one.
    pub(super) fn of(line: Line<'_>) -> Option<Self> {
        match line {
            Line::User { name, hash, info } => Some(Self {
                name: name.to_owned(),
                hash: Zeroizing::new(hash.to_vec()),
                info: info.to_vec(),
            }),
            _ => None,
        }
    }

    /// The record as the line that it came from.
    pub(super) fn as_line(&self) -> Line<'_> {
        Line::User { name: &self.name, hash: &self.hash, info: &self.info }
    }

    /// The stored password as text. One that is no UTF-8 is in no known scheme.
    pub(super) fn stored(&self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.hash).into_owned())
    }

    /// The info field as text; what is no UTF-8 is Latin-1, as old files have it.
    pub(super) fn info_text(&self) -> String {
        match std::str::from_utf8(&self.info) {
            Ok(text) => text.to_owned(),
            Err(_) => self.info.iter().map(|byte| char::from(*byte)).collect(),
        }
    }

    /// Writes the line, or `None` if it would not read back as this record.
    pub(super) fn line(&self) -> Option<Vec<u8>> {
        let mut line = Vec::with_capacity(self.name.len() + self.hash.len() + self.info.len() + 3);
        line.extend_from_slice(self.name.as_bytes());
        line.push(b':');
        line.extend_from_slice(&self.hash);
        line.push(b':');
        line.extend_from_slice(&self.info);
        line.push(b'\n');
        let one_line = memchr::memchr_iter(b'\n', &line).count() == 1;
        let reads_back = Self::of(Line::parse(&line)).is_some_and(|record| record == *self);
        (one_line && reads_back).then_some(line)
    }
}

/// The line that takes a user out.
pub(super) fn deletion_line(name: &str) -> Vec<u8> {
    [name.as_bytes(), b":", DELETED, b":\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user<'a>(name: &'a str, hash: &'a str, info: &'a str) -> Line<'a> {
        Line::User { name, hash: hash.as_bytes(), info: info.as_bytes() }
    }

    #[test]
    fn a_line_splits_on_its_first_two_colons() {
        let long_name = format!("{}:h:\n", "a".repeat(256));
        let long_line = format!("bob:h:{}\n", "x".repeat(MAX_LINE));
        let rows: &[(&[u8], Line<'_>)] = &[
            (b"bob:h:name=\"B\"\n", user("bob", "h", "name=\"B\"")),
            (b"bob:h:a=\"x:y:z\"", user("bob", "h", "a=\"x:y:z\"")),
            (b"Bob:h:\r\n", user("Bob", "h", "")),
            (b"bob:h", user("bob", "h", "")),
            (b"bob::", user("bob", "", "")),
            (b"bob@corp.example:*x:", user("bob@corp.example", "*x", "")),
            ("jos\u{e9}:h:".as_bytes(), user("jos\u{e9}", "h", "")),
            (b"bob:(DELETE):\n", Line::Deleted { name: "bob" }),
            (b"bob:(DELETE)", Line::Deleted { name: "bob" }),
            (b"\n", Line::Blank),
            (b"\r\n", Line::Blank),
            (b"# a comment\n", Line::Unreadable),
            (b":h:\n", Line::Unreadable),
            (b"two words:h:\n", Line::Unreadable),
            (b"jos\xe9:h:\n", Line::Unreadable),
            (b"bob:h\0:\n", Line::Unreadable),
            (long_name.as_bytes(), Line::Unreadable),
            (long_line.as_bytes(), Line::Unreadable),
        ];
        for (bytes, expected) in rows {
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
            assert!(Line::parse(bytes) == *expected, "{text:?}");
        }
    }

    #[test]
    fn a_record_that_would_not_read_back_is_not_written() {
        let record = |name: &str, hash: &str, info: &str| Record {
            name: name.to_owned(),
            hash: Zeroizing::new(hash.into()),
            info: info.into(),
        };
        let good = record("bob", "{ssha}x", "a=\"b:c\"").line();
        assert_eq!(good.as_deref(), Some(&b"bob:{ssha}x:a=\"b:c\"\n"[..]));
        for (name, hash, info) in [
            ("a:b", "h", ""),
            ("", "h", ""),
            ("bob", "h:h", ""),
            ("bob", "(DELETE)", ""),
            ("bob", "h", "a=\"1\"\nroot:x:"),
            ("bob", "h", "a=\"1\"\r"),
            ("bob", "h\0", ""),
            ("bob", "h", &"x".repeat(MAX_LINE)),
        ] {
            assert!(record(name, hash, info).line().is_none(), "{name} {hash}");
        }
    }
}
