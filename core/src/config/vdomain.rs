//! Virtual domains: domains whose users are not those of the main domain.

use std::net::IpAddr;
use std::path::PathBuf;

use super::value::{Fault, Kind, Value, parse_domain, resolve, split_words};
use crate::{Domain, DropName};

/// One `vdomain` line. Lines with the same prefix are one domain, which has
/// several ways to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualDomain {
    /// Stands before the names of its users in the user base and in drop
    /// paths, with the separator behind it.
    pub prefix: String,
    /// How DPOP knows that a login belongs to the domain.
    pub selector: Selector,
    /// The mail domain.
    pub domain: Domain,
    /// The folder of its drop files.
    pub drop_path: PathBuf,
}

/// How a login is known to belong to a virtual domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The client connected to this address of ours.
    Address(IpAddr),
    /// The login name ends in this, separator included, such as `/abc` or
    /// `@abc.example`. Upper and lower case are the same.
    Suffix(String),
}

/// `prefix`, address or suffix, domain, drop path.
pub(super) fn vdomain() -> Kind<VirtualDomain> {
    Kind::new("a prefix, an address or suffix, a domain and a drop path", read)
}

fn read(value: &Value<'_>) -> Result<VirtualDomain, Fault> {
    let words = split_words(value.text);
    let [(prefix_at, prefix), (selector_at, selector), (domain_at, domain), (path_at, path)] =
        words.as_slice()
    else {
        let why = format!("{} of the 4 items", words.len());
        return Err(Fault::whole(value.text, why));
    };
    Ok(VirtualDomain {
        prefix: read_prefix(prefix).map_err(|fault| fault.moved(prefix_at.start))?,
        selector: read_selector(selector).map_err(|fault| fault.moved(selector_at.start))?,
        domain: parse_domain(domain).map_err(|fault| fault.moved(domain_at.start))?,
        drop_path: resolve(path, value.place).map_err(|fault| fault.moved(path_at.start))?,
    })
}

/// A prefix becomes part of user names and of file names.
fn read_prefix(text: &str) -> Result<String, Fault> {
    let in_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.chars().all(in_a_name) || DropName::parse(text).is_err() {
        return Err(Fault::whole(text, "a prefix is letters and digits"));
    }
    Ok(text.to_owned())
}

fn read_selector(text: &str) -> Result<Selector, Fault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Selector::Address(address.to_canonical()));
    }
    // `1.2.3.400` is an address with a slip and not a suffix.
    if text.len() < 2 || text.starts_with(|c: char| c.is_alphanumeric() || c == '[' || c == ':') {
        let why = "neither an address nor a suffix with its separator";
        return Err(Fault::whole(text, why).help("for example: 192.0.2.7, /abc or @abc.example"));
    }
    if text.contains(char::is_control) {
        return Err(Fault::whole(text, "a suffix is part of a user name"));
    }
    Ok(Selector::Suffix(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::super::value::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_domain_is_reached_by_address_or_by_suffix() {
        let rows = [
            ("abc 192.0.2.7 ABC.example /mail/abc", Selector::Address([192, 0, 2, 7].into())),
            (
                "abc ::ffff:192.0.2.7 abc.example /mail/abc",
                Selector::Address([192, 0, 2, 7].into()),
            ),
            ("abc  /jds\tabc.example /mail/abc", Selector::Suffix("/jds".into())),
            ("abc @ABC.example abc.example /mail/abc", Selector::Suffix("@abc.example".into())),
        ];
        for (text, selector) in rows {
            let found = read(&vdomain(), text).expect(text);
            assert_eq!(found.selector, selector, "{text}");
            assert_eq!(found.prefix, "abc");
            assert_eq!(found.domain.as_str(), "abc.example");
            assert_eq!(found.drop_path.to_str(), Some("/mail/abc"));
        }
    }

    #[test]
    fn each_item_is_blamed_for_itself() {
        let kind = vdomain();
        refuses(&kind, "abc abc.example /mail/abc", 0..25, "3 of the 4 items");
        refuses(&kind, "a/c /jds abc.example /m", 0..3, "a prefix is letters and digits");
        refuses(&kind, ".. /jds abc.example /m", 0..2, "a prefix is letters and digits");
        let why = "neither an address nor a suffix with its separator";
        refuses(&kind, "abc jds abc.example /m", 4..7, why);
        refuses(&kind, "abc 1.2.3.400 abc.example /m", 4..13, why);
        refuses(&kind, "abc / abc.example /m", 4..5, why);
        refuses(
            &kind,
            "abc /jds abc..example /m",
            9..21,
            "a character that is not allowed, at position 5",
        );
        refuses(&kind, "abc /jds abc.example ~/m", 21..22, "only unixauth.ini knows home folders");
    }
}
