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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn every_item_of_a_restrictive_list_must_pass() {
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("*", &["161.29.5.1", "2001:db8::1"], &[]),
            (
                "*,!161.29.5.*",
                &["161.29.4.255", "161.29.50.1", "::1"],
                &["161.29.5.0", "161.29.5.255"],
            ),
            ("*,!161.29.*.24", &["161.29.1.25", "161.30.1.24"], &["161.29.1.24", "161.29.255.24"]),
            (
                "*,!161.29.20?.24",
                &["161.29.199.24", "161.29.20.24", "161.29.210.24"],
                &["161.29.200.24", "161.29.209.24"],
            ),
            (
                "161.29.3-5.0-255",
                &["161.29.3.0", "161.29.5.255", "161.29.4.7"],
                &["161.29.2.255", "161.29.6.0", "161.30.4.7", "::1"],
            ),
            ("*,161.29.3-5.24", &["161.29.3.24", "161.29.5.24"], &["161.29.3.25", "10.0.0.1"]),
            ("161.29.3-5.*", &["161.29.3.0", "161.29.5.255"], &["161.29.6.1"]),
            (
                "10.0.0.0/8",
                &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
                &["11.0.0.0", "::1"],
            ),
            ("10.0.0.0/8,!10.9.0.0/16", &["10.8.0.1"], &["10.9.0.1", "11.0.0.1"]),
            ("::ffff:10.0.0.0/104", &["10.1.2.3"], &["11.0.0.0"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::1", "32.1.13.184"]),
            ("::/0", &["::1"], &["127.0.0.1", "::ffff:127.0.0.1"]),
            ("!2001:db8::1", &["2001:db8::2", "10.0.0.1"], &["2001:DB8:0::1"]),
            ("161.29.*", &["161.29.1.2"], &["161.2.9.1", "16.129.1.1"]),
            ("*.24", &["1.2.3.24"], &["1.2.3.240"]),
            ("10.0.0.1, !10.0.0.2", &["10.0.0.1"], &["10.0.0.2", "10.0.0.3"]),
            ("10.0.0.1,10.0.0.2", &[], &["10.0.0.1", "10.0.0.2"]),
        ];
        for (list, inside, outside) in rows {
            let parsed = AddressList::parse(list).expect(list);
            for text in *inside {
                assert!(parsed.passes_every(address(text)), "{list} lets {text} in");
            }
            for text in *outside {
                assert!(!parsed.passes_every(address(text)), "{list} keeps {text} out");
            }
        }
    }

    #[test]
    fn a_list_of_the_banned_names_them_one_by_one() {
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("10.0.0.1,10.0.0.2", &["10.0.0.1", "10.0.0.2"], &["10.0.0.3"]),
            ("*,!10.0.0.0/8", &["192.0.2.1", "::1"], &["10.1.1.1"]),
            ("!10.0.0.0/8", &["192.0.2.1"], &["10.1.1.1"]),
            ("10.0.0.0/8,!10.9.*", &["10.8.0.1"], &["10.9.0.1", "192.0.2.1"]),
        ];
        for (list, inside, outside) in rows {
            let parsed = AddressList::parse(list).expect(list);
            for text in *inside {
                assert!(parsed.includes(address(text)), "{list} includes {text}");
            }
            for text in *outside {
                assert!(!parsed.includes(address(text)), "{list} leaves {text} out");
            }
        }
    }

    #[test]
    fn networks_that_exclude_each_other_are_noticed() {
        for (list, nobody) in [
            ("10.0.0.0/8,192.168.0.0/16", true),
            ("10.0.0.1,10.0.0.2", true),
            ("10.0.0.0/8,10.1.0.0/16", false),
            ("*,10.0.0.0/8", false),
            ("10.0.0.0/8,!192.168.0.0/16", false),
        ] {
            let parsed = AddressList::parse(list).expect(list);
            assert_eq!(parsed.passes_nobody(), nobody, "{list}");
        }
    }

    #[test]
    fn what_could_never_match_is_an_error_at_the_right_place() {
        let rows: &[(&str, std::ops::Range<usize>)] = &[
            ("", 0..0),
            ("*,", 2..2),
            ("*,!", 3..3),
            ("!!10.0.0.1", 1..10),
            ("10.0.0.1,bob", 9..12),
            ("10.0.0.1/8", 0..10),
            ("*,10.0.0.0/33", 2..13),
            ("161.29.300.*", 7..10),
            ("161.029.*", 4..7),
            ("1.2.3.4.*", 0..9),
            ("1.2.3?", 0..6),
            ("161.29.5-3.1", 7..10),
            ("161.29.3-5", 0..10),
            ("161.29.3-5.2?", 11..13),
            ("161.29.3-x.1", 7..10),
            ("161.a*.1.1", 4..6),
            ("161..*.1", 4..4),
            ("2001:db8:*", 0..10),
            ("+1.2.3-4.5", 0..2),
            ("fe80::1%eth0", 0..12),
        ];
        for (text, at) in rows {
            let error = AddressList::parse(text).expect_err(text);
            assert_eq!(error.at, *at, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = AddressList::parse(&text);
        }

        #[test]
        fn a_list_prints_as_it_was_written(text in "[!0-9a-f:.*?,/ -]{1,24}") {
            if let Ok(list) = AddressList::parse(&text) {
                prop_assert_eq!(AddressList::parse(&list.to_string()), Ok(list));
            }
        }

        #[test]
        fn a_range_prints_as_it_was_written(
            ranges in prop::array::uniform4((0u8..=255, 0u8..=255)),
            negated: bool,
        ) {
            let parts = ranges.map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
            let text = format!("{}{}", if negated { "!" } else { "" }, parts.join("."));
            let pattern = AddressPattern::parse(&text).expect("a range");
            prop_assert_eq!(AddressPattern::parse(&pattern.to_string()), Ok(pattern));
        }

        #[test]
        fn a_range_agrees_with_arithmetic(
            first: u8, last: u8, octets: [u8; 4],
        ) {
            let (first, last) = (first.min(last), first.max(last));
            let pattern = AddressPattern::parse(&format!("*.{first}-{last}.*.*")).expect("a range");
            let expected = first <= octets[1] && octets[1] <= last;
            prop_assert_eq!(pattern.matches(IpAddr::from(octets)), expected);
        }
    }
}
