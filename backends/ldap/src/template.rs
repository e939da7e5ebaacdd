//! Templates: a user's name put into a distinguished name or a filter, so that
//! nothing in the name can be taken for syntax.

use std::borrow::Cow;
use std::ops::Range;

use dmail_core::{Domain, Username};

/// A text with places for a user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Full,
    Local,
    Domain,
}

/// The parts of a name that templates can ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    full: &'a str,
    local: &'a str,
    domain: Option<&'a str>,
}

/// A name as the directory is asked for it, with the usual domain if it came
/// with none.
#[derive(Debug)]
pub(crate) struct AskedName<'a>(Cow<'a, str>);

impl<'a> AskedName<'a> {
    pub(crate) fn new(user: &'a Username, usual: Option<&Domain>) -> Self {
        match (user.split_domain(), usual) {
            ((local, None), Some(domain)) => Self(Cow::Owned(format!("{local}@{domain}"))),
            _ => Self(Cow::Borrowed(user.as_str())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn names(&self) -> Names<'_> {
        let full = self.as_str();
        let (local, domain) = match full.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (full, None),
        };
        Names { full, local, domain }
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// Which part of it is none, and why.
    pub(crate) fn parse(text: &str) -> Result<Self, (Range<usize>, &'static str)> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut characters = text.char_indices();
        while let Some((at, c)) = characters.next() {
            if c != '%' {
                plain.push(c);
                continue;
            }
            let piece = match characters.next() {
                Some((_, '%')) => {
                    plain.push('%');
                    continue;
                }
                Some((_, 'u')) => Piece::Full,
                Some((_, 'n')) => Piece::Local,
                Some((_, 'd')) => Piece::Domain,
                Some((_, c)) => {
                    let end = at + 1 + c.len_utf8();
                    return Err((at..end, "only %u, %n, %d and %% are known"));
                }
                None => return Err((at..at + 1, "a percent sign alone is written %%")),
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The filter that is used if the file has none.
    pub(crate) fn usual_filter(objectclass: &str, attribute: &str) -> Self {
        let before = format!("(&(objectClass={objectclass})({attribute}=");
        Self(vec![Piece::Text(before), Piece::Full, Piece::Text("))".to_owned())])
    }

    /// Whether it differs from user to user.
    pub(crate) fn names_the_user(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Full | Piece::Local))
    }

    /// Whether it makes a distinguished name, and not one of the other names
    /// that Active Directory takes in a bind.
    pub(crate) fn is_dn(&self) -> bool {
        matches!(self.0.first(), Some(Piece::Text(text)) if text.contains('='))
    }

    /// The distinguished name of a user (RFC 4514). `None` if the name has no
    /// domain where one is needed or cannot be written: outside of a
    /// distinguished name there is no way to quote.
    pub(crate) fn dn(&self, names: Names<'_>) -> Option<String> {
        let quotes = self.is_dn();
        let full = self.fill(names, ldap3::dn_escape)?;
        if quotes || self.fill(names, Cow::Borrowed)? == full { Some(full) } else { None }
    }

    /// The filter for a user (RFC 4515); `None` without a domain where one is
    /// needed.
    pub(crate) fn filter(&self, names: Names<'_>) -> Option<String> {
        self.fill(names, ldap3::ldap_escape)
    }

    /// The filter for a name that is escaped from its first letter to its last,
    /// so that it can only stand where a value can.
    pub(crate) fn sample_filter(&self) -> String {
        let names = Names { full: "*", local: "*", domain: Some("*") };
        self.filter(names).expect("a name with a domain")
    }

    /// The text for a user, as it is.
    pub(crate) fn text(&self, names: Names<'_>) -> Option<String> {
        self.fill(names, Cow::Borrowed)
    }

    /// The attribute and the value that the first part of a distinguished name
    /// is made of.
    pub(crate) fn first_pair(&self, names: Names<'_>) -> Option<(String, String)> {
        let plain = self.text(names)?;
        let attribute = plain.split_once('=')?.0.trim().to_owned();
        // The pieces up to the comma, not the text: a name may hold commas.
        let mut value = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => match text.split_once(',') {
                    Some((before, _)) => {
                        value.push_str(before);
                        break;
                    }
                    None => value.push_str(text),
                },
                Piece::Full => value.push_str(names.full),
                Piece::Local => value.push_str(names.local),
                Piece::Domain => value.push_str(names.domain?),
            }
        }
        let value = value.split_once('=')?.1.to_owned();
        Some((attribute, value))
    }

    fn fill<'n>(
        &self,
        names: Names<'n>,
        escape: impl Fn(&'n str) -> Cow<'n, str>,
    ) -> Option<String> {
        let mut text = String::with_capacity(64);
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Full => text.push_str(&escape(names.full)),
                Piece::Local => text.push_str(&escape(names.local)),
                Piece::Domain => text.push_str(&escape(names.domain?)),
            }
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect(text)
    }

    fn user(name: &str) -> Username {
        Username::parse(name.as_bytes()).expect(name)
    }

    #[test]
    fn a_name_is_filled_in() {
        let usual = Domain::parse("corp.example").expect("a domain");
        let rows: [(&str, &str, Option<&Domain>, Option<&str>); 7] = [
            ("uid=%n,dc=x", "ann@a.b", None, Some("uid=ann,dc=x")),
            ("uid=%n,ou=%d,dc=x", "ann@a.b", None, Some("uid=ann,ou=a.b,dc=x")),
            ("mail=%u,dc=x", "ann", Some(&usual), Some("mail=ann@corp.example,dc=x")),
            ("mail=%u,dc=x", "ann@a.b", Some(&usual), Some("mail=ann@a.b,dc=x")),
            ("uid=%n,ou=%d,dc=x", "ann", None, None),
            ("%n@corp.example", "ann", None, Some("ann@corp.example")),
            ("%n@corp.example", "a,b", None, None),
        ];
        for (text, name, usual, expected) in rows {
            let (template, user) = (template(text), user(name));
            let asked = AskedName::new(&user, usual);
            assert_eq!(template.dn(asked.names()).as_deref(), expected, "{text} {name}");
        }
    }

    #[test]
    fn a_name_is_never_syntax() {
        let (dn, filter) = (template("uid=%u,dc=x"), template("(uid=%u)"));
        let rows = [
            ("*)(uid=*", r"uid=*)(uid\3d*,dc=x", r"(uid=\2a\29\28uid=\2a)"),
            ("a,dc=y", r"uid=a\2cdc\3dy,dc=x", "(uid=a,dc=y)"),
            ("#a+b", r"uid=\23a\2bb,dc=x", "(uid=#a+b)"),
            (r"a\2a", r"uid=a\5c2a,dc=x", r"(uid=a\5c2a)"),
            ("a\"<;>", r"uid=a\22\3c\3b\3e,dc=x", "(uid=a\"<;>)"),
        ];
        for (name, expected_dn, expected_filter) in rows {
            let user = user(name);
            let asked = AskedName::new(&user, None);
            assert_eq!(dn.dn(asked.names()).as_deref(), Some(expected_dn), "{name}");
            assert_eq!(filter.filter(asked.names()).as_deref(), Some(expected_filter), "{name}");
        }
    }

    #[test]
    fn a_new_entry_has_the_first_attribute_of_its_name() {
        let rows = [
            ("uid=%n,ou=p,dc=x", "ann@a.b", ("uid", "ann")),
            ("cn=Mr %n of %d,dc=x", "ann@a.b", ("cn", "Mr ann of a.b")),
            ("uid=%n,dc=x", "a,b=c", ("uid", "a,b=c")),
        ];
        for (text, name, (attribute, value)) in rows {
            let user = user(name);
            let asked = AskedName::new(&user, None);
            let pair = template(text).first_pair(asked.names());
            assert_eq!(pair, Some((attribute.to_owned(), value.to_owned())), "{text}");
        }
    }
}
