//! Names as the chain and as a member know them (`strip_prefix`,
//! `strip_suffix`).

use dmail_core::Username;

/// What is taken off a name before a member is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Affix {
    /// At the front; empty if nothing is.
    pub prefix: Box<str>,
    /// At the end; empty if nothing is.
    pub suffix: Box<str>,
}

impl Affix {
    /// Whether nothing is ever taken off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }

    /// `user` as the member knows him. A part that is not there, or that would
    /// leave nothing, is not taken off.
    pub(super) fn strip(&self, user: &Username) -> Username {
        let name = user.as_str();
        let rest = without_prefix(name, &self.prefix);
        let rest = without_suffix(rest, &self.suffix);
        if rest.len() == name.len() {
            return user.clone();
        }
        Username::parse(rest.as_bytes()).unwrap_or_else(|_| user.clone())
    }

    /// A user of the member, as the chain knows him. `None` if that is longer
    /// than a name may be.
    pub(super) fn restore(&self, user: &Username) -> Option<Username> {
        if self.is_empty() {
            return Some(user.clone());
        }
        Username::parse(format!("{}{user}{}", self.prefix, self.suffix).as_bytes()).ok()
    }

    /// A name, or a mask of names, for the member; everybody if a part of the
    /// mask could stand for what is taken off.
    pub(super) fn strip_mask(&self, mask: &str) -> String {
        match Username::parse(mask.as_bytes()) {
            Ok(user) if !mask.contains(['*', '?']) => self.strip(&user).to_string(),
            _ => self.strip_pattern(mask),
        }
    }

    /// The pattern of a search, for the member; everybody if what is taken off
    /// does not stand in it as it is.
    pub(super) fn strip_pattern(&self, pattern: &str) -> String {
        let inner = pattern
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_suffix(&*self.suffix))
            .filter(|inner| !inner.is_empty() && inner.contains(['*', '?']));
        match inner {
            _ if self.is_empty() => pattern.to_owned(),
            Some(inner) => inner.to_owned(),
            None => "*".to_owned(),
        }
    }
}

fn without_prefix<'a>(name: &'a str, prefix: &str) -> &'a str {
    match name.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix) && !rest.is_empty() => rest,
        _ => name,
    }
}

fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    let at = name.len().saturating_sub(suffix.len());
    match name.split_at_checked(at) {
        Some((rest, end)) if end.eq_ignore_ascii_case(suffix) && !rest.is_empty() => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affix(prefix: &str, suffix: &str) -> Affix {
        Affix { prefix: prefix.into(), suffix: suffix.into() }
    }

    #[test]
    fn a_part_is_taken_off_if_it_is_there_and_something_is_left() {
        let rows = [
            ("", "", "bob", "bob"),
            ("", "@a.example", "bob@a.example", "bob"),
            ("", "@a.example", "bob@A.Example", "bob"),
            ("", "@a.example", "bob@b.example", "bob@b.example"),
            ("", "@a.example", "@a.example", "@a.example"),
            ("abc_", "", "abc_bob", "bob"),
            ("abc_", "", "ABC_bob", "bob"),
            ("abc_", "", "abc_", "abc_"),
            ("abc_", "@a", "abc_bob@a", "bob"),
            ("abc_", "@a", "bob", "bob"),
            ("\u{e9}", "", "\u{e9}x", "x"),
            ("a", "", "\u{e9}", "\u{e9}"),
        ];
        for (prefix, suffix, name, expected) in rows {
            let user = Username::parse(name.as_bytes()).expect("a name");
            let stripped = affix(prefix, suffix).strip(&user);
            assert_eq!(stripped.as_str(), expected, "{prefix} {suffix} {name}");
        }
        let bob = Username::parse(b"bob").expect("a name");
        let restored = affix("abc_", "@a").restore(&bob);
        assert_eq!(restored.as_ref().map(Username::as_str), Some("abc_bob@a"));
        assert!(affix(&"x".repeat(253), "").restore(&bob).is_none());
    }

    #[test]
    fn a_search_never_misses_a_user_for_what_is_taken_off() {
        let rows = [
            ("", "", "bob", "bob"),
            ("", "@a.example", "b*@a.example", "b*"),
            ("", "@a.example", "*@a*", "*"),
            ("", "@a.example", "bob", "*"),
            ("", "@a.example", "exam", "*"),
            ("abc_", "", "abc_b?b", "b?b"),
            ("abc_", "", "abc_", "*"),
        ];
        for (prefix, suffix, pattern, expected) in rows {
            assert_eq!(affix(prefix, suffix).strip_pattern(pattern), expected, "{pattern}");
        }
    }
}
