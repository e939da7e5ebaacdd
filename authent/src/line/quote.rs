//! What an argument of a request may hold, and how the rest is written.
//!
//! The original describes no quoting: arguments are separated by blanks. What
//! such a line cannot carry exactly is refused before a child sees it, unless
//! the module was declared to take percent-encoded arguments.

use std::borrow::Cow;

/// How the arguments of requests are written for one kind of module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quoting {
    /// Bytes above 126 may be sent as they are (`authent_utf8`).
    pub utf8: bool,
    /// The module takes `%XX` for any byte (`authent_quote`).
    pub percent: bool,
}

/// An argument that the line cannot carry. The module was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} holds a character that the module's protocol cannot carry")]
pub struct NotCarriable {
    /// Which argument.
    pub what: &'static str,
}

impl Quoting {
    /// Writes `argument` to the end of `line`.
    ///
    /// # Errors
    ///
    /// If it is empty, or holds a byte that this module cannot be sent.
    pub fn write(
        self,
        line: &mut Vec<u8>,
        what: &'static str,
        argument: &[u8],
    ) -> Result<(), NotCarriable> {
        if argument.is_empty() {
            return Err(NotCarriable { what });
        }
        if self.percent {
            for &byte in argument {
                if self.is_plain(byte) && byte != b'%' && byte != b'"' {
                    line.push(byte);
                } else {
                    line.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte & 15)]);
                }
            }
        } else if argument.iter().all(|&byte| self.is_plain(byte)) {
            line.extend_from_slice(argument);
        } else {
            return Err(NotCarriable { what });
        }
        Ok(())
    }

    /// Reads an argument back.
    pub fn read(self, argument: &[u8]) -> Cow<'_, [u8]> {
        if !self.percent || !argument.contains(&b'%') {
            return Cow::Borrowed(argument);
        }
        let mut out = Vec::with_capacity(argument.len());
        let mut rest = argument;
        while let [byte, after @ ..] = rest {
            match (byte, after) {
                (b'%', [high, low, after @ ..])
                    if unhex(*high).is_some() && unhex(*low).is_some() =>
                {
                    let digits = [unhex(*high), unhex(*low)].map(|digit| digit.unwrap_or(0));
                    out.push(digits[0] << 4 | digits[1]);
                    rest = after;
                }
                _ => {
                    out.push(*byte);
                    rest = after;
                }
            }
        }
        Cow::Owned(out)
    }

    /// Whether a byte is part of a token in the original's protocol.
    fn is_plain(self, byte: u8) -> bool {
        matches!(byte, 33..=126) || (self.utf8 && byte > 127)
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0' + digit,
        _ => b'A' + digit - 10,
    }
}

fn unhex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
