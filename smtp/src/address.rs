//! Mail addresses: the one parser that splits them.
//!
//! A local part that is written in quotes is kept as what it means, so two
//! spellings of one mailbox are equal. Whether a mailbox exists, and what `%`
//! or `!` in a local part might have meant elsewhere, is nothing that this
//! file knows.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use dmail_core::{Domain, NameError};

/// Longest address in bytes: RFC 5321 section 4.5.3.1 gives 64 to the local
/// part and 255 to the domain. A long local part may use what a short domain
/// leaves, because many mailing lists write their senders so.
pub const MAX_BYTES: usize = 320;

/// A mailbox: a local part at a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    local: Box<str>,
    host: Host,
}

/// What stands behind the `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain, in lower case.
    Domain(Domain),
    /// An address in brackets: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    Literal(IpAddr),
}

/// Why some bytes are not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Something else than an address literal in brackets, or no end of them.
    #[error("bad address literal")]
    BadLiteral,
    /// A local part that is neither words joined by dots nor a quoted string.
    #[error("bad local part")]
    BadLocalPart,
    /// What is behind the `@` is not a domain.
    #[error("bad domain: {0}")]
    BadDomain(#[from] NameError),
    /// There is no `@`.
    #[error("no domain")]
    NoDomain,
    /// Bytes beyond ASCII, which need SMTPUTF8 (RFC 6531).
    #[error("an address must be ASCII")]
    NotAscii,
    /// A source route, `@relay:user@host`. Obsolete, and a way to relay.
    #[error("source routes are not accepted")]
    SourceRoute,
    /// More than [`MAX_BYTES`].
    #[error("address too long")]
    TooLong,
}

/// Parses `bytes` as one address, without angle brackets:
///
/// ```text
/// Mailbox         = Local-part "@" ( Domain / address-literal )
/// Local-part      = Dot-string / Quoted-string
/// address-literal = "[" ( IPv4-address / "IPv6:" IPv6-address ) "]"
/// ```
///
/// (RFC 5321 section 4.1.2.) It is split at the last `@` outside quotes.
///
/// # Errors
///
/// Says which part is not as it should be.
pub fn parse(bytes: &[u8]) -> Result<Address, AddressError> {
    if bytes.len() > MAX_BYTES {
        return Err(AddressError::TooLong);
    }
    if !bytes.is_ascii() {
        return Err(AddressError::NotAscii);
    }
    let text = str::from_utf8(bytes).expect("ASCII is UTF-8");
    if text.starts_with('@') {
        return Err(AddressError::SourceRoute);
    }
    let at = last_unquoted_at(text).ok_or(AddressError::NoDomain)?;
    Ok(Address { local: local_part(&text[..at])?, host: host(&text[at + 1..])? })
}

impl Address {
    /// The mailbox `local` in a domain of ours.
    pub(crate) fn in_domain(local: &str, domain: &Domain) -> Self {
        Self { local: local.into(), host: Host::Domain(domain.clone()) }
    }

    /// The local part as it is meant, without quotes and backslashes.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl fmt::Display for Address {
    /// Writes the address so that [`parse`] reads it back; the local part is
    /// quoted only if it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            write!(f, "{}@{}", self.local, self.host)
        } else {
            let quoted = self.local.replace('\\', r"\\").replace('"', "\\\"");
            write!(f, "\"{quoted}\"@{}", self.host)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(address) => write_literal(*address, f),
        }
    }
}

/// An IP address as SMTP writes it: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Literal(pub IpAddr);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_literal(self.0, f)
    }
}

fn write_literal(address: IpAddr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match address {
        IpAddr::V4(v4) => write!(f, "[{v4}]"),
        IpAddr::V6(v6) => write!(f, "[IPv6:{v6}]"),
    }
}

/// How long the path in `<` and `>` at the start of `bytes` is, with its
/// brackets. A `>` within quotes does not end it.
pub(crate) fn path_length(bytes: &[u8]) -> Option<usize> {
    let mut quotes = Quotes::default();
    let end = bytes.iter().position(|byte| !quotes.covers(*byte) && *byte == b'>')?;
    Some(end + 1)
}

/// Follows a text from its start and knows what is quoted.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Whether the next byte is quoted, or is part of the quoting itself.
    fn covers(&mut self, byte: u8) -> bool {
        if self.escaped {
            self.escaped = false;
            return true;
        }
        match byte {
            b'"' => self.open = !self.open,
            b'\\' if self.open => self.escaped = true,
            _ => return self.open,
        }
        true
    }
}

fn last_unquoted_at(text: &str) -> Option<usize> {
    let mut quotes = Quotes::default();
    let unquoted = text.bytes().enumerate().filter(|(_, byte)| !quotes.covers(*byte));
    unquoted.filter(|(_, byte)| *byte == b'@').map(|(at, _)| at).last()
}

/// `Local-part = Dot-string / Quoted-string`
fn local_part(text: &str) -> Result<Box<str>, AddressError> {
    if is_dot_string(text) {
        return Ok(text.into());
    }
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    unquote(quoted.ok_or(AddressError::BadLocalPart)?)
}

/// `Dot-string = Atom *("." Atom)`. Empty words between dots are forgiven:
/// telephones have been given such addresses.
fn is_dot_string(text: &str) -> bool {
    let is_atext =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    !text.is_empty() && text.bytes().all(is_atext)
}

/// The content of `Quoted-string = DQUOTE *( qtextSMTP / quoted-pairSMTP )
/// DQUOTE`, as it is meant.
fn unquote(text: &str) -> Result<Box<str>, AddressError> {
    let mut meant = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => characters.next().ok_or(AddressError::BadLocalPart)?,
            '"' => return Err(AddressError::BadLocalPart),
            other => other,
        };
        if character.is_ascii_control() {
            return Err(AddressError::BadLocalPart);
        }
        meant.push(character);
    }
    if meant.is_empty() { Err(AddressError::BadLocalPart) } else { Ok(meant.into()) }
}

fn host(text: &str) -> Result<Host, AddressError> {
    let Some(rest) = text.strip_prefix('[') else {
        return Ok(Host::Domain(Domain::parse(text)?));
    };
    let inside = rest.strip_suffix(']').ok_or(AddressError::BadLiteral)?;
    let address = match inside.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            inside[5..].parse::<Ipv6Addr>().map(IpAddr::V6).ok()
        }
        _ => inside.parse().map(IpAddr::V4).ok(),
    };
    address.map(Host::Literal).ok_or(AddressError::BadLiteral)
}

#[cfg(test)]
mod tests;
