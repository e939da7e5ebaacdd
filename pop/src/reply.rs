//! Replies into bytes.

use std::borrow::Cow;
use std::fmt;

/// The end of every reply of several lines.
pub const LAST_LINE: &[u8] = b".\r\n";

/// A status line: `+OK text` or `-ERR [code] text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    positive: bool,
    code: Option<Code>,
    /// One line of ours; it never repeats what a client sent, except a name
    /// that was parsed.
    text: Cow<'static, str>,
}

/// An extended response code: the part of a reply that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The login itself is at fault (RFC 3206).
    Auth,
    /// The mailbox is open elsewhere (RFC 2449).
    InUse,
    /// The system is at fault, and somebody must act (RFC 3206).
    SysPerm,
    /// The system is at fault, and waiting may help (RFC 3206).
    SysTemp,
}

impl Reply {
    /// `+OK text`
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self { positive: true, code: None, text: text.into() }
    }

    /// `-ERR [code] text`
    pub fn err(code: Option<Code>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { positive: false, code, text: text.into() }
    }

    /// Appends the line and its CR LF to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let status: &[u8] = if self.positive { b"+OK" } else { b"-ERR" };
        out.extend_from_slice(status);
        if let Some(code) = self.code {
            out.extend_from_slice(code.as_str().as_bytes());
        }
        out.push(b' ');
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl Code {
    /// As it stands behind the status, with the space between.
    fn as_str(self) -> &'static str {
        match self {
            Self::Auth => " [AUTH]",
            Self::InUse => " [IN-USE]",
            Self::SysPerm => " [SYS/PERM]",
            Self::SysTemp => " [SYS/TEMP]",
        }
    }
}

/// Appends one line of a longer reply: a number and what is said of it.
pub(crate) fn write_item(out: &mut Vec<u8>, number: usize, value: impl fmt::Display) {
    use std::io::Write;
    write!(out, "{number} {value}\r\n").expect("a Vec takes everything");
}
