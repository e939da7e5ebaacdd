//! The secret that a program shares with us, and shows with each request.

use dmail_core::Secret;
use subtle::ConstantTimeEq;

/// A shared secret.
#[derive(Debug, Clone)]
pub struct Key(Secret);

impl Key {
    /// The secret that is in a file: its first line, without blanks around it.
    /// `None` if nothing is in that line.
    #[must_use]
    pub fn from_file(content: &[u8]) -> Option<Self> {
        let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        (!line.is_empty()).then(|| Self(Secret::new(line)))
    }

    /// Whether somebody has shown it. How long that takes does not depend on
    /// how much of it is right.
    #[must_use]
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.expose().ct_eq(shown).into()
    }

    /// The same for the value of a header `Authorization: Bearer …` (RFC 6750
    /// section 2.1).
    #[must_use]
    pub fn is_bearer(&self, value: &[u8]) -> bool {
        match value.split_first_chunk::<7>() {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => {
                self.is(token.trim_ascii())
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_first_line_of_its_file() {
        let key = Key::from_file(b" opensesame \r\nmore\n").expect("a key");
        assert!(key.is(b"opensesame") && key.is_bearer(b"bearer opensesame"));
        for wrong in ["", "opensesam", "opensesame ", "Opensesame", "Bearer opensesame"] {
            assert!(!key.is(wrong.as_bytes()), "{wrong}");
        }
        for wrong in ["", "Bearer", "Bearer ", "Basic opensesame", "opensesame"] {
            assert!(!key.is_bearer(wrong.as_bytes()), "{wrong}");
        }
        assert!(Key::from_file(b"\nopensesame").is_none());
        assert!(!format!("{key:?}").contains("opensesame"));
    }
}
