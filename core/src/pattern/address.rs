//! Patterns for client addresses, parsed once into a form that is quick to ask.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::{PatternError, parse_list, wildcard_match, write_list};

/// One item of a list of addresses.
///
/// IPv4 addresses mapped into IPv6 (`::ffff:192.0.2.7`) count as IPv4, in the
/// pattern and in the address asked about. Wildcards and ranges are for IPv4
/// only, for an IPv6 address has many spellings; a network says it exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPattern {
    negated: bool,
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Any,
    /// An address is the network that holds nothing else.
    Network(IpNet),
    /// First and last value of each of the four numbers.
    Ranges([(u8, u8); 4]),
    /// Matched against the text of an IPv4 address.
    Wildcard(Box<str>),
}

impl AddressPattern {
    /// Parses one pattern.
    ///
    /// # Errors
    ///
    /// Says which part is not understood, or could never match.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (negated, body) = match text.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, text),
        };
        let form = parse_form(body).map_err(|error| error.moved(text.len() - body.len()))?;
        Ok(Self { negated, form })
    }

    /// Whether the pattern starts with `!`.
    #[must_use]
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether `address` is one that the pattern stands for, `!` included.
    #[must_use]
    pub fn matches(&self, address: IpAddr) -> bool {
        self.form.holds(address.to_canonical()) != self.negated
    }

    /// Whether this and `other` are two networks without a common address.
    fn is_apart_from(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self { negated: false, form: Form::Network(one) },
                Self { negated: false, form: Form::Network(two) },
            ) => !one.contains(two) && !two.contains(one),
            _ => false,
        }
    }
}

impl Form {
    fn holds(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Any, _) => true,
            (Self::Network(network), _) => network.contains(&address),
            (Self::Ranges(ranges), IpAddr::V4(v4)) => ranges
                .iter()
                .zip(v4.octets())
                .all(|((first, last), octet)| (*first..=*last).contains(&octet)),
            (Self::Wildcard(pattern), IpAddr::V4(v4)) => {
                wildcard_match(pattern.as_bytes(), v4.to_string().as_bytes())
            }
            (Self::Ranges(_) | Self::Wildcard(_), IpAddr::V6(_)) => false,
        }
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("!")?;
        }
        match &self.form {
            Form::Any => f.write_str("*"),
            Form::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            Form::Network(network) => write!(f, "{network}"),
            Form::Ranges(ranges) => {
                for (index, (first, last)) in ranges.iter().enumerate() {
                    let dot = if index == 0 { "" } else { "." };
                    if first == last {
                        write!(f, "{dot}{first}")?;
                    } else {
                        write!(f, "{dot}{first}-{last}")?;
                    }
                }
                Ok(())
            }
            Form::Wildcard(pattern) => f.write_str(pattern),
        }
    }
}

impl FromStr for AddressPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

/// A comma list of [`AddressPattern`]s, as one line of dmail.conf holds it.
///
/// A *restrictive* setting lets an address pass only if every item does:
/// [`passes_every`](Self::passes_every). A list of addresses to ban or to
/// spare names them one by one: [`includes`](Self::includes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressList(Box<[AddressPattern]>);

impl AddressList {
    /// Parses a list; it has at least one item.
    ///
    /// # Errors
    ///
    /// That of the first item that is not a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        parse_list(text, AddressPattern::parse).map(Self)
    }

    /// Whether each item matches `address`: `*,!161.29.5.*` lets in everybody
    /// but 161.29.5.x, and `*,161.29.3-5.24` only those in the range.
    #[must_use]
    pub fn passes_every(&self, address: IpAddr) -> bool {
        self.0.iter().all(|item| item.matches(address))
    }

    /// Whether an item without `!` matches `address`, and none with `!`
    /// excepts it. A list of exceptions only includes everybody else.
    #[must_use]
    pub fn includes(&self, address: IpAddr) -> bool {
        let mut named = self.0.iter().filter(|item| !item.negated).peekable();
        let excepted = self.0.iter().any(|item| item.negated && !item.matches(address));
        !excepted && (named.peek().is_none() || named.any(|item| item.matches(address)))
    }

    /// Whether this is `*`: every address, known or not.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.0.iter().all(|item| !item.negated && item.form == Form::Any)
    }

    /// Whether two items exclude each other, so that no address at all
    /// [passes every](Self::passes_every) item. Only networks are compared.
    #[must_use]
    pub fn passes_nobody(&self) -> bool {
        let apart = |one: &AddressPattern| self.0.iter().any(|two| one.is_apart_from(two));
        self.0.iter().any(apart)
    }
}

impl fmt::Display for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(&self.0, f)
    }
}

impl FromStr for AddressList {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

fn parse_form(text: &str) -> Result<Form, PatternError> {
    let whole = 0..text.len();
    if text.is_empty() {
        return Err(PatternError::new(whole, "an address is missing here"));
    }
    if text.bytes().all(|byte| byte == b'*') {
        return Ok(Form::Any);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Form::Network(address.to_canonical().into()));
    }
    if text.contains('/') {
        return parse_network(text).map(Form::Network);
    }
    if text.contains(':') {
        let why = if text.contains(['*', '?', '-']) {
            "IPv6 takes no wildcards or ranges; write a network such as 2001:db8::/32"
        } else {
            "not an IPv6 address"
        };
        return Err(PatternError::new(whole, why));
    }
    match (text.contains('-'), text.contains(['*', '?'])) {
        (true, _) => parse_ranges(text),
        (false, true) => parse_wildcard(text),
        (false, false) => Err(PatternError::new(whole, "not an address or a pattern")),
    }
}

fn parse_network(text: &str) -> Result<IpNet, PatternError> {
    let whole = 0..text.len();
    let network: IpNet = text
        .parse()
        .map_err(|_| PatternError::new(whole.clone(), "not a network such as 192.0.2.0/24"))?;
    let start = network.trunc();
    if start != network {
        let why = format!("the network starts at {start}");
        return Err(PatternError::new(whole, why));
    }
    Ok(unmapped(network))
}

/// A network of mapped IPv4 addresses as the IPv4 network that it is.
fn unmapped(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => {
            v6.addr().to_ipv4_mapped().and_then(|v4| Ipv4Net::new(v4, v6.prefix_len() - 96).ok())
        }
        _ => None,
    };
    mapped.map_or(network, IpNet::V4)
}

/// Four numbers or ranges. `*` stands for a whole number here, not for text.
fn parse_ranges(text: &str) -> Result<Form, PatternError> {
    let mut ranges = Vec::with_capacity(4);
    let mut offset = 0;
    for part in text.split('.') {
        ranges.push(parse_range(part).map_err(|error| error.moved(offset))?);
        offset += part.len() + 1;
    }
    let ranges: [(u8, u8); 4] = ranges.try_into().map_err(|_| {
        PatternError::new(0..text.len(), "a range needs all four numbers of an address")
    })?;
    if ranges.iter().all(|(first, last)| first == last) {
        let address = Ipv4Addr::from(ranges.map(|(only, _)| only));
        return Ok(Form::Network(IpAddr::V4(address).into()));
    }
    Ok(Form::Ranges(ranges))
}

fn parse_range(part: &str) -> Result<(u8, u8), PatternError> {
    let whole = 0..part.len();
    if part == "*" {
        return Ok((0, 255));
    }
    if part.contains(['*', '?']) {
        let why = "a wildcard and a range cannot stand in one address";
        return Err(PatternError::new(whole, why));
    }
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (parse_octet(first, &whole)?, parse_octet(last, &whole)?);
    if first > last {
        return Err(PatternError::new(whole, "the range ends before it starts"));
    }
    Ok((first, last))
}

/// A number of an IPv4 address. A leading zero is octal to some programs and
/// decimal to others, so it is nothing here.
fn parse_octet(text: &str, at: &std::ops::Range<usize>) -> Result<u8, PatternError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let octal = text.len() > 1 && text.starts_with('0');
    match text.parse() {
        Ok(octet) if digits && !octal => Ok(octet),
        _ => Err(PatternError::new(at.clone(), "not a number from 0 to 255, or a range of them")),
    }
}

/// Text with `*` and `?`. A text that no IPv4 address can match is an error.
fn parse_wildcard(text: &str) -> Result<Form, PatternError> {
    let mut parts = 0;
    let mut offset = 0;
    for part in text.split('.') {
        let here = offset..offset + part.len();
        if !part.contains(['*', '?']) {
            parse_octet(part, &here)?;
        } else if let Some(bad) = part.find(|c: char| !c.is_ascii_digit() && c != '*' && c != '?') {
            let at = offset + bad..offset + part.len();
            return Err(PatternError::new(at, "not part of an IPv4 address"));
        }
        parts += 1;
        offset += part.len() + 1;
    }
    if parts > 4 || (parts < 4 && !text.contains('*')) {
        let why = "an IPv4 address has four numbers";
        return Err(PatternError::new(0..text.len(), why));
    }
    Ok(Form::Wildcard(text.into()))
}

#[cfg(test)]
mod tests;
