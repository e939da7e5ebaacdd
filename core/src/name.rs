//! Names that were parsed: a value that exists is sound.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

/// A user name as it travels, from the login command down to the source.
///
/// Copies share one text, or have it in themselves if it is as short as most
/// names are. It holds 1 to [`Username::MAX_BYTES`] bytes of UTF-8 without blanks,
/// control characters or DEL, so it is one token in every line protocol. It
/// may still hold `/`, which a suffix `vdomain` needs; only a [`DropName`]
/// becomes part of a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Username(SmolStr);

impl Username {
    /// Longest name that any protocol may bring. POP logins are held to 78
    /// (the original's limit) by DPOP itself.
    pub const MAX_BYTES: usize = 255;

    /// Parses a name as a client or a module sent it.
    ///
    /// # Errors
    ///
    /// Says what is wrong and where; the bytes themselves are not repeated.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { max: Self::MAX_BYTES });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| NameError::ForbiddenByte { at: error.valid_up_to() })?;
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        match text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
            Some((at, _)) => Err(NameError::ForbiddenByte { at }),
            None => Ok(Self(text.into())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the last `@`, and the part after it.
    #[must_use]
    pub fn split_domain(&self) -> (&str, Option<&str>) {
        match self.0.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (&self.0, None),
        }
    }

    /// Whether this and `other` differ by ASCII case at most.
    #[must_use]
    pub fn same_but_for_case(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// The name in lower case (ASCII), which is how user bases keep it.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        if self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Self(self.0.to_ascii_lowercase().into())
        } else {
            self.clone()
        }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

/// A mail domain in lower case: labels of letters, digits, `-` and `_`, joined
/// by dots (RFC 5321 section 4.1.2, with the underscore that real names have).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Parses a domain; upper case is folded.
    ///
    /// # Errors
    ///
    /// Says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 253 {
            return Err(NameError::TooLong { max: 253 });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(at) = text.find(|c| !allowed(c)) {
            return Err(NameError::ForbiddenByte { at });
        }
        let mut at = 0;
        for label in text.split('.') {
            if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
                return Err(NameError::ForbiddenByte { at });
            }
            if label.len() > 63 {
                return Err(NameError::TooLong { max: 63 });
            }
            at += label.len() + 1;
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The domain as text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that is safe as one component of a drop path: no `/`, `\`, `:` or
/// `%`, no `..`, no leading `-` or `.`, and no `.lock` at the end, for `bob.lock`
/// is the lock of `bob`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DropName(SmolStr);

impl DropName {
    /// Parses a file name for a drop file.
    ///
    /// # Errors
    ///
    /// Says which byte a path may not hold.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::judge(text)?;
        Ok(Self(text.into()))
    }

    /// The name of this user's drop file; both share one text.
    ///
    /// # Errors
    ///
    /// Says which byte a path may not hold.
    pub fn of(user: &Username) -> Result<Self, NameError> {
        Self::judge(user.as_str())?;
        Ok(Self(user.0.clone()))
    }

    fn judge(text: &str) -> Result<(), NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Username::MAX_BYTES {
            return Err(NameError::TooLong { max: Username::MAX_BYTES });
        }
        if text.starts_with(['-', '.']) {
            return Err(NameError::ForbiddenByte { at: 0 });
        }
        let forbidden = |(_, c): &(usize, char)| match c {
            '/' | '\\' | ':' | '%' => true,
            c => c.is_control() || c.is_whitespace(),
        };
        if let Some((at, _)) = text.char_indices().find(forbidden) {
            return Err(NameError::ForbiddenByte { at });
        }
        if let Some(at) = text.as_bytes().windows(2).position(|pair| pair == b"..") {
            return Err(NameError::ForbiddenByte { at });
        }
        if let Some((name, end)) = text.as_bytes().split_last_chunk::<5>()
            && end.eq_ignore_ascii_case(b".lock")
        {
            return Err(NameError::ForbiddenByte { at: name.len() });
        }
        Ok(())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why some bytes are not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("the name is empty")]
    Empty,
    /// A byte that this kind of name may not hold.
    #[error("a character that is not allowed, at position {}", at + 1)]
    ForbiddenByte {
        /// Offset of the byte, from 0.
        at: usize,
    },
    /// More bytes than this kind of name may have.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The limit, in bytes.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_one_token_of_any_line() {
        let long = [b'a'; 256];
        let rows: &[(&[u8], Result<(), NameError>)] = &[
            (b"bob", Ok(())),
            (b"bob@corp.example", Ok(())),
            (b"fred/jds", Ok(())),
            ("jos\u{e9}".as_bytes(), Ok(())),
            (b"", Err(NameError::Empty)),
            (b"bob x", Err(NameError::ForbiddenByte { at: 3 })),
            (b"bob\r", Err(NameError::ForbiddenByte { at: 3 })),
            (b"a\nb", Err(NameError::ForbiddenByte { at: 1 })),
            (b"a\0b", Err(NameError::ForbiddenByte { at: 1 })),
            (b"a\x7fb", Err(NameError::ForbiddenByte { at: 1 })),
            (b"a\xff", Err(NameError::ForbiddenByte { at: 1 })),
            ("a\u{a0}b".as_bytes(), Err(NameError::ForbiddenByte { at: 1 })),
            (&long, Err(NameError::TooLong { max: 255 })),
        ];
        for (bytes, expected) in rows {
            assert_eq!(Username::parse(bytes).map(|_| ()), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_drop_name_cannot_leave_its_directory() {
        for good in ["bob", "abc_fred", "bob@corp.example", "a.b", "x+tag"] {
            assert!(DropName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "c:x",
            "a%2fb",
            "a..b",
            "-rf",
            ".lock",
            "bob.lock",
            "bob.LOCK",
        ] {
            assert!(DropName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_domain_is_folded_to_lower_case() {
        let domain = Domain::parse("Corp.Example").expect("a domain");
        assert_eq!(domain.as_str(), "corp.example");
        for bad in ["", ".", "a..b", "-a.b", "a-.b", "a b", "a/b", "[1.2.3.4]", "b\u{fc}ro.example"]
        {
            assert!(Domain::parse(bad).is_err(), "{bad}");
        }
    }
}
