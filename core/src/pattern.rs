//! The pattern language of dmail.conf, for client addresses and for names.
//!
//! | written | matches |
//! |---|---|
//! | `*` | anything |
//! | `192.0.2.7`, `2001:db8::7` | that address |
//! | `192.0.2.0/24`, `2001:db8::/32` | that network |
//! | `161.29.*.24`, `161.29.20?.24` | the text of an IPv4 address; `*` any characters, `?` one |
//! | `161.29.3-5.0-255` | an IPv4 address by its four numbers, ranges inclusive |
//! | `!…` | whatever the rest does not match |
//!
//! Patterns stand in lists, with commas between them. What a list means
//! depends on who asks: see [`AddressList`]. Nothing here reads settings or
//! looks names up.

mod address;
mod name;

use std::ops::Range;

pub use address::{AddressList, AddressPattern};
pub use name::{NameList, NamePattern};

/// Why a text is not a pattern, or not a list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct PatternError {
    /// The bytes of the text that are to blame.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub why: String,
}

impl PatternError {
    fn new(at: Range<usize>, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { at, why }
    }

    /// The same error in a text in which this one starts at `offset`.
    fn moved(self, offset: usize) -> Self {
        Self { at: self.at.start + offset..self.at.end + offset, ..self }
    }
}

/// Parses each item of a comma list. Blanks around a comma are forgiven.
fn parse_list<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, PatternError>,
) -> Result<Box<[T]>, PatternError> {
    let mut offset = 0;
    let mut items = Vec::new();
    for piece in text.split(',') {
        let item = piece.trim();
        let start = offset + (piece.len() - piece.trim_start().len());
        items.push(parse(item).map_err(|error| error.moved(start))?);
        offset += piece.len() + 1;
    }
    Ok(items.into())
}

/// Writes `items` as a comma list.
fn write_list<T: std::fmt::Display>(
    items: &[T],
    f: &mut std::fmt::Formatter<'_>,
) -> std::fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// Whether `name` as a whole matches `pattern`, in which `*` stands for any
/// bytes and `?` for one. Costs at most the product of both lengths.
#[must_use]
pub fn wildcard_match(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // Let the last star swallow one byte more.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_the_whole_name() {
        let rows: &[(&str, &str, bool)] = &[
            ("*", "", true),
            ("*", "bob", true),
            ("bob", "bob", true),
            ("bob", "bobby", false),
            ("b?b", "bob", true),
            ("b?b", "bb", false),
            ("*@corp.example", "ann@corp.example", true),
            ("*@corp.example", "ann@corp.example.org", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, name, expected) in rows {
            let found = wildcard_match(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, *expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_a_friendly_one() {
        let pattern = "*a".repeat(2000) + "b";
        assert!(!wildcard_match(pattern.as_bytes(), &[b'a'; 4000]));
    }
}
