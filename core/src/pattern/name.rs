//! Patterns for user names and mail addresses.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{PatternError, parse_list, wildcard_match, write_list};

/// One item of a list of names: text with `*` and `?`, and `!` for "not".
/// Upper and lower case (ASCII) are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    negated: bool,
    /// In lower case.
    text: Box<str>,
}

impl NamePattern {
    /// Parses one pattern.
    ///
    /// # Errors
    ///
    /// Names have no blanks, commas or control characters, and are not empty.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (negated, body) = match text.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let offset = text.len() - body.len();
        if body.is_empty() {
            return Err(PatternError::new(offset..offset, "a name is missing here"));
        }
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == ',' || c == '!';
        if let Some((at, c)) = body.char_indices().find(|(_, c)| forbidden(*c)) {
            let at = offset + at..offset + at + c.len_utf8();
            return Err(PatternError::new(at, "not part of a name"));
        }
        Ok(Self { negated, text: body.to_ascii_lowercase().into() })
    }

    /// Whether `name` is one that the pattern stands for, `!` included.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.holds(&lowercase(name)) != self.negated
    }

    fn holds(&self, lowercase_name: &str) -> bool {
        wildcard_match(self.text.as_bytes(), lowercase_name.as_bytes())
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "!" } else { "" };
        write!(f, "{not}{}", self.text)
    }
}

impl FromStr for NamePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

/// A comma list of [`NamePattern`]s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameList(Box<[NamePattern]>);

impl NameList {
    /// Parses a list; it has at least one item.
    ///
    /// # Errors
    ///
    /// That of the first item that is not a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse_list(text, NamePattern::parse).map(Self)
    }

    /// Whether an item without `!` matches `name`, and none with `!` excepts
    /// it. A list of exceptions only includes everybody else.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        let name = lowercase(name);
        let excepted = self.0.iter().any(|item| item.negated && item.holds(&name));
        let mut named = self.0.iter().filter(|item| !item.negated).peekable();
        !excepted && (named.peek().is_none() || named.any(|item| item.holds(&name)))
    }
}

impl fmt::Display for NameList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(&self.0, f)
    }
}

impl FromStr for NameList {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

fn lowercase(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_whatever_their_case() {
        let rows: &[(&str, &str, bool)] = &[
            ("bob", "BOB", true),
            ("Bob", "bob", true),
            ("bob,ann", "ann", true),
            ("*@Corp.example", "ann@corp.EXAMPLE", true),
            ("*,!root", "root", false),
            ("*,!root", "bob", true),
            ("!root", "bob", true),
            ("!root", "ROOT", false),
            ("test?", "test1", true),
            ("test?", "test", false),
        ];
        for (list, name, expected) in rows {
            let parsed = NameList::parse(list).expect(list);
            assert_eq!(parsed.includes(name), *expected, "{list} {name}");
        }
    }

    #[test]
    fn one_pattern_may_stand_for_everybody_else() {
        let pattern = NamePattern::parse("!test*").expect("a pattern");
        assert!(pattern.matches("bob"));
        assert!(!pattern.matches("TEST1"));
    }

    #[test]
    fn a_name_has_no_blank_in_it() {
        for (text, at) in [("", 0..0), ("a,", 2..2), ("a,b c", 3..4), ("!", 1..1), ("a,!!b", 3..4)]
        {
            let error = NameList::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_list_prints_as_it_was_written(text in "\\PC{0,40}") {
            if let Ok(list) = NameList::parse(&text) {
                prop_assert_eq!(NameList::parse(&list.to_string()), Ok(list));
            }
        }
    }
}
