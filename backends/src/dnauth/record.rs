//! One line of `users.dat`:
//! `user:password:dnews3:dnews4:dnews5:dnews6:info`.
//!
//! Only the last field may hold colons. Fields at the end may be missing. The
//! fifth is presented as `name`, the sixth as `usergroups`; the third and the
//! fourth are for DNews itself.

use dmail_core::{Info, Search, Username};
use zeroize::Zeroizing;

/// Longest line, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// A user. It has no `Debug`: the password is nobody's business.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) name: Username,
    pub(super) password: Zeroizing<String>,
    pub(super) info: Info,
    /// What a search looks at beside the name: fields five and six, and info.
    searched: [Box<str>; 3],
}

/// Why a line is no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineFault {
    #[error("it has no password field")]
    Fields,
    #[error("the name is empty, or holds a blank or a control character")]
    Name,
    #[error("it is longer than 65,536 bytes")]
    TooLong,
}

impl Record {
    /// Reads a line, without its end; `None` if there is nothing in it.
    pub(super) fn parse(line: &[u8]) -> Result<Option<Self>, LineFault> {
        if line.len() > MAX_LINE {
            return Err(LineFault::TooLong);
        }
        let line = Zeroizing::new(text(line));
        let line = line.trim_end_matches(['\r', '\0']);
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let mut fields = line.splitn(7, ':');
        let name = fields.next().unwrap_or_default().trim();
        let password = fields.next().ok_or(LineFault::Fields)?.trim();
        let name = Username::parse(name.as_bytes()).map_err(|_| LineFault::Name)?;
        let mut rest = fields.skip(2).map(str::trim).chain(std::iter::repeat(""));
        let mut next = || rest.next().unwrap_or_default();
        let (full_name, groups, info) = (next(), next(), next());
        Ok(Some(Self {
            name,
            password: Zeroizing::new(password.to_owned()),
            info: collected(full_name, groups, info),
            searched: [full_name, groups, info].map(Into::into),
        }))
    }

    /// Whether a search means this user.
    pub(super) fn is_hit(&self, search: &Search) -> bool {
        search.matches(self.name.as_str()) || self.searched.iter().any(|text| search.matches(text))
    }
}

/// The line as text: UTF-8, or else the Latin-1 of old files.
fn text(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The info fields, with two more behind them. Info that is not written as
/// `label="value"` says nothing about the account.
fn collected(full_name: &str, groups: &str, info: &str) -> Info {
    let mut info: Info = info.parse().unwrap_or_default();
    // A quote could begin a field that the file does not have.
    let harmless = |text: &str| -> String {
        let visible = text.chars().filter(|c| !c.is_control());
        visible.map(|c| if c == '"' { '\'' } else { c }).collect()
    };
    for (label, value) in [("name", full_name), ("usergroups", groups)] {
        if !value.is_empty() {
            info.set(label, &harmless(value)).expect("a label, and a value of one line");
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use dmail_core::{Origin, Service};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn lines_are_read_as_dnews_writes_them() {
        type Row<'a> = (&'a [u8], Result<Option<(&'a str, &'a str, &'a str)>, LineFault>);
        let rows: &[Row<'_>] = &[
            (
                b"bob:s3cret:Full:*:Bob Jones:staff,all:quota=\"5M\" fwd=\"a:b\"",
                Ok(Some((
                    "bob",
                    "s3cret",
                    "quota=\"5M\" fwd=\"a:b\" name=\"Bob Jones\" usergroups=\"staff,all\"",
                ))),
            ),
            (b"bob:s3cret", Ok(Some(("bob", "s3cret", "")))),
            (b" bob : two words : Full\r", Ok(Some(("bob", "two words", "")))),
            (b"bob::Full", Ok(Some(("bob", "", "")))),
            (b"bob:x:::::bare words", Ok(Some(("bob", "x", "")))),
            (b"bob:x:::B\xf6b", Ok(Some(("bob", "x", "name=\"B\u{f6}b\"")))),
            (b"bob:x:::B\" fwd=\"|sh", Ok(Some(("bob", "x", "name=\"B' fwd='|sh\"")))),
            (b"", Ok(None)),
            (b"  \r", Ok(None)),
            (b"# bob:x", Ok(None)),
            (b"bob", Err(LineFault::Fields)),
            (b":x:", Err(LineFault::Name)),
            (b"bob jones:x", Err(LineFault::Name)),
        ];
        for (line, expected) in rows {
            let record = Record::parse(line);
            let shown = record.map(|record| {
                record.map(|r| (r.name.to_string(), r.password.to_string(), r.info.to_string()))
            });
            let expected =
                expected.map(|row| row.map(|(n, p, i)| (n.to_owned(), p.to_owned(), i.to_owned())));
            assert_eq!(shown, expected, "{}", line.escape_ascii());
        }
        assert_eq!(Record::parse(&[b'a'; MAX_LINE + 1]).err(), Some(LineFault::TooLong));
    }

    #[test]
    fn a_search_looks_at_four_fields() {
        let line = b"bob:s3cret:Full:everything:Robert Jones:staff:room=\"5\"";
        let record = Record::parse(line).expect("a line").expect("a user");
        let rows = [
            ("bob", true),
            ("b*", true),
            ("jones", true),
            ("Robert*", true),
            ("staff", true),
            ("room", true),
            ("s3cret", false),
            ("Full", false),
            ("everything", false),
        ];
        for (pattern, expected) in rows {
            let origin = Origin::local(Service::Admin);
            let search = Search { pattern: pattern.into(), from: 0, max: None, origin };
            assert_eq!(record.is_hit(&search), expected, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(line in any::<Vec<u8>>()) {
            if let Ok(Some(record)) = Record::parse(&line) {
                let name = record.name.as_str();
                prop_assert_eq!(name, name.trim());
            }
        }

        /// What comes out as info must come out the same at the other end of
        /// the line protocol, whatever the two fields hold.
        #[test]
        fn the_two_fields_begin_no_others(name in "[^:\n]*", groups in "[^:\n]*") {
            let line = format!("bob:x:::{name}:{groups}:");
            let record = Record::parse(line.as_bytes()).expect("a line").expect("a user");
            let labels: Vec<&str> = record.info.iter().map(|(label, _)| label).collect();
            prop_assert_eq!(labels.iter().all(|l| ["name", "usergroups"].contains(l)), true);
            let again: Info = record.info.to_string().parse().expect("info");
            prop_assert_eq!(again, record.info);
        }
    }
}
