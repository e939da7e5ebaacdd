//! Info fields: what a source says about an account beside its mailbox.

use std::fmt;
use std::str::FromStr;

/// The info fields of an account, `label="value"`, in the source's order.
///
/// A label has no blank, `=` or `"`; a value has no line end or NUL. A value may
/// hold quotes, as a `fwd` that names a robot with arguments does: a value ends
/// at a quote that is followed by the end of the text or by the next label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info(Vec<(Box<str>, Box<str>)>);

impl Info {
    /// Adds a field, or replaces the one with this label.
    ///
    /// # Errors
    ///
    /// If the label or the value cannot be written as `label="value"`.
    pub fn set(&mut self, label: &str, value: &str) -> Result<(), InfoError> {
        let bad_label = |c: char| c.is_whitespace() || c.is_control() || c == '=' || c == '"';
        if label.is_empty() || label.contains(bad_label) {
            return Err(InfoError::Label);
        }
        if value.contains(['\r', '\n', '\0']) {
            return Err(InfoError::Value);
        }
        match self.0.iter_mut().find(|(known, _)| &**known == label) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((label.into(), value.into())),
        }
        Ok(())
    }

    /// The value of this label.
    #[must_use]
    pub fn get(&self, label: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == label).map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(label, value)| (&**label, &**value))
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The word for the account's state (`mailstatus`), if there is one.
    #[must_use]
    pub fn account_state(&self) -> Option<&str> {
        self.get("mailstatus").map(str::trim).filter(|state| !state.is_empty())
    }

    /// The access groups and rules that limit the account's logins
    /// (`mailaccess`), if any do.
    #[must_use]
    pub fn access(&self) -> Option<&str> {
        self.get("mailaccess").map(str::trim).filter(|access| !access.is_empty())
    }

    /// Where mail goes instead of the mailbox (`fwd`), if anywhere.
    #[must_use]
    pub fn forward(&self) -> Option<&str> {
        self.get("fwd").filter(|forward| !forward.is_empty())
    }
}

impl FromStr for Info {
    type Err = InfoError;

    /// Parses `label="value" label="value"`. Blanks around the fields do not
    /// matter, and neither does anything about the values but their end.
    fn from_str(text: &str) -> Result<Self, InfoError> {
        let mut info = Self::default();
        let mut rest = text.trim_matches(' ');
        while !rest.is_empty() {
            let (label, after) = rest.split_once("=\"").ok_or(InfoError::Label)?;
            let end = value_end(after).ok_or(InfoError::Value)?;
            info.set(label, &after[..end])?;
            rest = after[end + 1..].trim_start_matches(' ');
        }
        Ok(info)
    }
}

/// Where the value that `text` starts with ends: at its closing quote.
fn value_end(text: &str) -> Option<usize> {
    text.match_indices('"').map(|(at, _)| at).find(|at| {
        let after = &text[at + 1..];
        let next = after.trim_start_matches(' ');
        next.is_empty() || (next.len() < after.len() && starts_with_label(next))
    })
}

/// Whether `text` starts with `label="`.
fn starts_with_label(text: &str) -> bool {
    match text.split_once('=') {
        Some((label, after)) => {
            after.starts_with('"') && !label.is_empty() && !label.contains([' ', '"'])
        }
        None => false,
    }
}

impl fmt::Display for Info {
    /// Writes `label="value" label="value"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (label, value)) in self.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{label}=\"{value}\"")?;
        }
        Ok(())
    }
}

/// Why an info field cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// A label with a blank, `=`, a quote, or nothing at all.
    #[error("info is written label=\"value\", the label without blank, '=' and quote")]
    Label,
    /// A value with a line end or NUL, or without its closing quote.
    #[error("an info value is one line between two quotes")]
    Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_the_original_wrote_them() {
        type Row<'a> = (&'a str, Result<&'a [(&'a str, &'a str)], InfoError>);
        let rows: &[Row<'_>] = &[
            ("", Ok(&[])),
            (r#"name="Ann Lee" quota="5000000""#, Ok(&[("name", "Ann Lee"), ("quota", "5000000")])),
            (r#"  a=""   b="x y"  "#, Ok(&[("a", ""), ("b", "x y")])),
            (
                r#"fwd="|prog "more words" arg2" name="Bob""#,
                Ok(&[("fwd", r#"|prog "more words" arg2"#), ("name", "Bob")]),
            ),
            (r#"a="1=2" b="3""#, Ok(&[("a", "1=2"), ("b", "3")])),
            // The last one of a label wins, as in the files.
            (r#"a="1" a="2""#, Ok(&[("a", "2")])),
            (r#"a="1"#, Err(InfoError::Value)),
            ("bare", Err(InfoError::Label)),
            (r#"a b="1""#, Err(InfoError::Label)),
            (r#"="1""#, Err(InfoError::Label)),
        ];
        for (text, expected) in rows {
            let info = text.parse::<Info>();
            let fields = info.as_ref().map(|info| info.iter().collect::<Vec<_>>());
            assert_eq!(fields, expected.as_ref().map(|fields| fields.to_vec()), "{text}");
            if let Ok(info) = &info {
                assert_eq!(info.to_string().parse().as_ref(), Ok(info), "{text} read back");
            }
        }
    }
}
