//! The kinds of values that only this file has: addresses of servers, names of
//! attributes, distinguished names, templates.

use std::path::PathBuf;

use dmail_core::config::value::{Fault, Kind, split_words};

use super::{Address, Labelled, NewAttribute, Transport};
use crate::template::Template;

/// `ldap://host[:port]`, `ldaps://host[:port]`, `ldapi://%2Fpath`.
pub(super) fn url() -> Kind<Address> {
    Kind::new("an address such as ldaps://ldap1.corp.example", |value| parse_url(value.text))
}

fn parse_url(text: &str) -> Result<Address, Fault> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Fault::whole(text, "it does not start with ldap://, ldaps:// or ldapi://"));
    };
    let offset = scheme.len() + 3;
    let place = rest.strip_suffix('/').unwrap_or(rest);
    let transport = match scheme.to_ascii_lowercase().as_str() {
        "ldap" => tcp(place, 389).map(|(host, port)| Transport::Tcp { host, port, tls: false }),
        "ldaps" => tcp(place, 636).map(|(host, port)| Transport::Tcp { host, port, tls: true }),
        "ldapi" => socket(place).map(Transport::Unix),
        _ => return Err(Fault::part(0..scheme.len(), "not ldap, ldaps or ldapi")),
    };
    let transport = transport.map_err(|why| Fault::part(offset..text.len(), why))?;
    Ok(Address { url: text.strip_suffix('/').unwrap_or(text).to_owned(), transport })
}

fn tcp(place: &str, usual: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match place.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or("the bracket is not closed")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "not an IPv6 address")?;
            (host, after.strip_prefix(':').or((after.is_empty()).then_some("")))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
            None => (place, Some("")),
        },
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(known) {
        return Err("not the name of a host; a base or a filter has a setting of its own");
    }
    let port = match port {
        Some("") => usual,
        Some(digits) => digits.parse().ok().filter(|port| *port != 0).ok_or("not a port")?,
        None => return Err("not a port"),
    };
    Ok((host.to_owned(), port))
}

fn socket(place: &str) -> Result<PathBuf, &'static str> {
    let mut path = Vec::new();
    let mut bytes = place.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err("two hexadecimal digits follow a percent sign");
                };
                path.push(u8::try_from(high * 16 + low).expect("two digits are a byte"));
            }
            b'/' | b':' => return Err("the slashes of the path are written %2F"),
            byte => path.push(byte),
        }
    }
    match String::from_utf8(path) {
        Ok(path) if path.starts_with('/') => Ok(path.into()),
        _ => Err("not the path of a socket, with its slashes written %2F"),
    }
}

/// The name of an attribute or of an object class, or an OID.
pub(super) fn attribute() -> Kind<String> {
    Kind::new("the name of an attribute or object class", |value| parse_attribute(value.text))
}

fn parse_attribute(text: &str) -> Result<String, Fault> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !known(*c)) {
        let why = "attributes have letters, digits and `-` in their names";
        return Err(Fault::part(at..at + c.len_utf8(), why));
    }
    match text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => Ok(text.to_owned()),
        false => Err(Fault::whole(text, "a name starts with a letter")),
    }
}

/// An attribute and the label of an info field.
pub(super) fn labelled() -> Kind<Labelled> {
    Kind::new("an attribute and a label", |value| {
        let words = split_words(value.text);
        let [(at, attribute), (label_at, label)] = words.as_slice() else {
            return Err(Fault::whole(value.text, "not two words"));
        };
        let attribute = parse_attribute(attribute).map_err(|fault| fault.moved(at.start))?;
        if label.contains(['=', '"']) {
            return Err(Fault::part(label_at.clone(), "a label has neither `=` nor quotes"));
        }
        Ok(Labelled { attribute, label: (*label).to_owned() })
    })
}

/// An attribute and the template of its value, which may have blanks.
pub(super) fn new_attribute() -> Kind<NewAttribute> {
    Kind::new("an attribute and its value", |value| {
        let text = value.text;
        let Some((name, rest)) = text.split_once(char::is_whitespace) else {
            return Err(Fault::whole(text, "there is no value"));
        };
        let attribute = parse_attribute(name)?;
        let rest = rest.trim_start();
        let offset = text.len() - rest.len();
        let value =
            Template::parse(rest).map_err(|(at, why)| Fault::part(at, why).moved(offset))?;
        Ok(NewAttribute { attribute, value })
    })
}

/// A distinguished name.
pub(super) fn dn() -> Kind<String> {
    Kind::new("a distinguished name such as ou=people,dc=corp,dc=example", |value| {
        check_dn(value.text).map(|()| value.text.to_owned())
    })
}

/// A distinguished name with placeholders.
pub(super) fn template() -> Kind<Template> {
    Kind::new("a distinguished name with %u, %n or %d in it", |value| {
        let template = Template::parse(value.text).map_err(|(at, why)| Fault::part(at, why))?;
        if !template.names_the_user() {
            return Err(Fault::whole(value.text, "all users would be the same: no %u or %n"));
        }
        if template.is_dn() {
            check_dn(value.text)?;
        }
        Ok(template)
    })
}

/// Each part, from comma to comma, is an attribute and a value.
fn check_dn(text: &str) -> Result<(), Fault> {
    let mut start = 0;
    for part in split_dn(text) {
        let end = start + part.len();
        let attribute = part.split('=').next().unwrap_or_default().trim();
        if !part.contains('=') || attribute.is_empty() || parse_attribute(attribute).is_err() {
            let why = "not attribute=value (a comma inside a value is written \\,)";
            return Err(Fault::part(start..end, why));
        }
        start = end + 1;
    }
    Ok(())
}

/// The parts of a distinguished name, at the commas that no backslash quotes.
fn split_dn(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == ',' && !quoted {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        quoted = c == '\\' && !quoted;
    }
    parts.push(&text[start..]);
    parts
}

/// A search filter with placeholders.
pub(super) fn filter() -> Kind<Template> {
    Kind::new("a search filter with %u, %n or %d in it", |value| {
        let template = Template::parse(value.text).map_err(|(at, why)| Fault::part(at, why))?;
        if !template.names_the_user() {
            return Err(Fault::whole(value.text, "it finds the same for all users: no %u or %n"));
        }
        let sample = template.sample_filter();
        if !value.text.starts_with('(') || ldap3::parse_filter(&sample).is_err() {
            let why = "not a filter as RFC 4515 has them, with names as values only";
            return Err(Fault::whole(value.text, why));
        }
        Ok(template)
    })
}

#[cfg(test)]
mod tests {
    use dmail_core::config::value::Value;

    use super::*;

    fn read<T>(kind: &Kind<T>, text: &str) -> Result<T, (std::ops::Range<usize>, String)> {
        kind.read(&Value { text, place: None }).map_err(|fault| (fault.at, fault.why))
    }

    #[test]
    fn a_server_is_an_address() {
        let tcp = |host: &str, port, tls| Transport::Tcp { host: host.to_owned(), port, tls };
        let rows = [
            ("ldap://ldap1", tcp("ldap1", 389, false)),
            ("LDAPS://ldap1.corp.example/", tcp("ldap1.corp.example", 636, true)),
            ("ldap://10.0.0.1:3890", tcp("10.0.0.1", 3890, false)),
            ("ldap://[::1]", tcp("::1", 389, false)),
            ("ldap://[::1]:3890", tcp("::1", 3890, false)),
            ("ldapi://%2Frun%2fldapi", Transport::Unix("/run/ldapi".into())),
        ];
        for (text, expected) in rows {
            assert_eq!(read(&url(), text).expect(text).transport, expected, "{text}");
        }
        for (text, at) in [
            ("ldap1.corp.example", 0..18),
            ("http://ldap1", 0..4),
            ("ldap://", 7..7),
            ("ldap://a:b", 7..10),
            ("ldap://a:", 7..9),
            ("ldap://a/dc=x", 7..13),
            ("ldap://[::1", 7..11),
            ("ldap://[::1]x", 7..13),
            ("ldap://a b", 7..10),
            ("ldapi:///run/ldapi", 8..18),
            ("ldapi://%2", 8..10),
            ("ldapi://", 8..8),
        ] {
            assert_eq!(read(&url(), text).expect_err(text).0, at, "{text}");
        }
    }

    #[test]
    fn a_distinguished_name_is_of_attributes_and_values() {
        for good in ["dc=test", "uid=a\\,b,ou=c", "cn=a+sn=b, dc=x", "2.5.4.3=x"] {
            assert_eq!(read(&dn(), good).as_deref(), Ok(good));
        }
        for (bad, at) in [("people", 0..6), ("ou=a,,dc=b", 5..5), ("ou=a,b\\=", 5..8), ("=x", 0..2)]
        {
            assert_eq!(read(&dn(), bad).expect_err(bad).0, at, "{bad}");
        }
    }

    #[test]
    fn templates_hold_a_name() {
        for good in ["uid=%n,ou=%d,dc=x", "%u", "CORP\\%n", "cn=100%%%n"] {
            assert!(read(&template(), good).is_ok(), "{good}");
        }
        for bad in ["uid=bob,dc=x", "uid=%x,dc=x", "uid=%n,dc", "uid=%"] {
            assert!(read(&template(), bad).is_err(), "{bad}");
        }
        for good in ["(mail=%u)", "(&(objectClass=person)(|(uid=%n)(mail=%u)))"] {
            assert!(read(&filter(), good).is_ok(), "{good}");
        }
        for bad in ["mail=%u", "(mail=%u", "(mail=bob)", "(mail=%z)", "((mail=%u))"] {
            assert!(read(&filter(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_stands_in_a_filter_where_a_value_does() {
        for good in ["(mail=*%u*)", "(cn:caseExactMatch:=%n)", "(&(uid=%n)(ou=100%%))", "(uid>=%n)"]
        {
            assert!(read(&filter(), good).is_ok(), "{good}");
        }
        let bad =
            ["(%u=x)", "(&(uid=%u)(%d=x))", "(x%n=%u)", "(%u=*)", "(cn:%n:=%u)", "(uid=\\%n)"];
        for bad in bad {
            assert!(read(&filter(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn attributes_may_have_labels_and_values() {
        assert_eq!(read(&attribute(), "mail"), Ok("mail".to_owned()));
        assert_eq!(read(&attribute(), "ma il").expect_err("a blank").0, 2..3);
        assert!(read(&attribute(), "-x").is_err());
        let name = read(&labelled(), "displayName  name").expect("a pair");
        assert_eq!((name.attribute.as_str(), name.label.as_str()), ("displayName", "name"));
        for bad in ["displayName", "a b c", "a b=c", "(x y"] {
            assert!(read(&labelled(), bad).is_err(), "{bad}");
        }
        assert!(read(&new_attribute(), "cn Mr %n").is_ok());
        assert_eq!(read(&new_attribute(), "cn  %y").expect_err("no such thing").0, 4..6);
        assert!(read(&new_attribute(), "cn").is_err());
    }
}
