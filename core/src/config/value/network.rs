//! Domains, addresses to listen on, and patterns of client addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::super::place::Place;
use super::{Fault, Kind, Value};
use crate::pattern::AddressList;
use crate::{Domain, Username};

/// An address that a service listens on, and which setting says so, for the
/// message if it cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address; `None` means all of this machine's, IPv4 and IPv6.
    pub address: Option<IpAddr>,
    /// The port. 0 lets the system choose a free one.
    pub port: u16,
    /// The setting or option that is to be changed for another port.
    pub setting: &'static str,
    /// Where it was set.
    pub set_by: SetBy,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// From nowhere: it is the default.
    Default,
    /// From a line of a file.
    Line(Place),
    /// From the command line.
    CommandLine,
}

impl Listen {
    /// An address that an option of the command line gave.
    #[must_use]
    pub fn from_command_line(option: &'static str, address: SocketAddr) -> Self {
        Self {
            address: Some(address.ip()),
            port: address.port(),
            setting: option,
            set_by: SetBy::CommandLine,
        }
    }

    /// The address to bind. All addresses are `[::]`, which takes IPv4 as well
    /// unless the system was told otherwise.
    #[must_use]
    pub fn socket_addr(&self) -> SocketAddr {
        let all = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        SocketAddr::new(self.address.unwrap_or(all), self.port)
    }

    /// The setting and where it stands, to end the sentence "change …".
    #[must_use]
    pub fn blame(&self) -> String {
        match &self.set_by {
            SetBy::Default => format!("{} (its default)", self.setting),
            SetBy::Line(place) => {
                let (file, line) = (place.file.display(), place.line);
                format!("{} ({file}:{line})", self.setting)
            }
            SetBy::CommandLine => self.setting.to_owned(),
        }
    }

    /// Whether only programs on this machine can connect.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.is_loopback())
    }

    /// Whether two services cannot listen on this and on `other` at the same
    /// time.
    #[must_use]
    pub fn collides_with(&self, other: &Self) -> bool {
        let same = match (self.address, other.address) {
            (None, _) | (_, None) => true,
            (Some(one), Some(two)) => {
                let all = one.is_unspecified() || two.is_unspecified();
                one == two || (all && one.is_ipv4() == two.is_ipv4())
            }
        };
        same && self.port == other.port && self.port != 0
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{}", SocketAddr::new(address, self.port)),
            None => write!(f, "*:{}", self.port),
        }
    }
}

/// A port on all addresses, or on one.
pub fn listen(setting: &'static str) -> Kind<Listen> {
    let expects = "a port, `address:port` or `[IPv6 address]:port`";
    Kind::new(expects, move |value| {
        let (address, port) = socket(value.text)?;
        Ok(Listen { address, port, setting, set_by: set_by(value) })
    })
}

fn set_by(value: &Value<'_>) -> SetBy {
    match value.place {
        Some(place) => SetBy::Line(place.clone()),
        None => SetBy::Default,
    }
}

fn socket(text: &str) -> Result<(Option<IpAddr>, u16), Fault> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(port) => Ok((None, port)),
            Err(_) => Err(Fault::whole(text, "a port is 65535 at most")),
        };
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((Some(address.ip()), address.port()));
    }
    Err(if text.parse::<Ipv6Addr>().is_ok() {
        let help = format!("with a port: [{text}]:25");
        Fault::whole(text, "the port is missing").help(help)
    } else if text.parse::<IpAddr>().is_ok() {
        let help = format!("with a port: {text}:25");
        Fault::whole(text, "the port is missing").help(help)
    } else {
        Fault::whole(text, "neither a port nor an address with a port")
    })
}

/// A mail domain.
pub fn domain() -> Kind<Domain> {
    Kind::new("a domain such as corp.example", |value| parse_domain(value.text))
}

/// Reads a mail domain.
///
/// # Errors
///
/// If it is none.
pub fn parse_domain(text: &str) -> Result<Domain, Fault> {
    Domain::parse(text).map_err(|error| {
        let fault = Fault::whole(text, error.to_string());
        if text.contains(',') { fault.help("several domains are several lines") } else { fault }
    })
}

/// A user of ours, with the domain.
pub fn user() -> Kind<Username> {
    Kind::new("a user such as ann@corp.example", |value| {
        let user = Username::parse(value.text.as_bytes())
            .map_err(|error| Fault::whole(value.text, error.to_string()))?;
        match user.split_domain() {
            ("", _) | (_, None | Some("")) => Err(Fault::whole(value.text, "not user@domain")),
            _ => Ok(user),
        }
    })
}

/// A comma list of address patterns.
pub fn addresses() -> Kind<AddressList> {
    let expects = "a comma list of addresses, networks and patterns";
    Kind::new(expects, |value| {
        AddressList::parse(value.text).map_err(|error| Fault::part(error.at, error.why))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_service_listens_on_all_addresses_or_on_one() {
        let rows = [
            ("25", "*:25", "[::]:25", false),
            ("0", "*:0", "[::]:0", false),
            ("127.0.0.1:2525", "127.0.0.1:2525", "127.0.0.1:2525", true),
            ("0.0.0.0:25", "0.0.0.0:25", "0.0.0.0:25", false),
            ("[::1]:110", "[::1]:110", "[::1]:110", true),
        ];
        for (text, shown, bound, loopback) in rows {
            let found = read(&listen("smtp_port"), text).expect(text);
            assert_eq!(found.to_string(), shown);
            assert_eq!(found.socket_addr().to_string(), bound);
            assert_eq!(found.is_loopback(), loopback, "{text}");
            assert_eq!(found.blame(), "smtp_port (its default)");
        }
        let kind = listen("smtp_port");
        refuses(&kind, "65536", 0..5, "a port is 65535 at most");
        refuses(&kind, "127.0.0.1", 0..9, "the port is missing");
        refuses(&kind, "::1", 0..3, "the port is missing");
        refuses(&kind, "smtp", 0..4, "neither a port nor an address with a port");
        refuses(&kind, "host:25", 0..7, "neither a port nor an address with a port");
    }

    #[test]
    fn one_port_is_for_one_service() {
        let rows = [
            ("25", "25", true),
            ("25", "110", false),
            ("0", "0", false),
            ("25", "192.0.2.1:25", true),
            ("0.0.0.0:25", "192.0.2.1:25", true),
            ("0.0.0.0:25", "[::1]:25", false),
            ("192.0.2.1:25", "192.0.2.2:25", false),
            ("192.0.2.1:25", "192.0.2.1:25", true),
        ];
        for (one, two, expected) in rows {
            let kind = listen("smtp_port");
            let first = read(&kind, one).expect(one);
            let second = read(&kind, two).expect(two);
            assert_eq!(first.collides_with(&second), expected, "{one} {two}");
            assert_eq!(second.collides_with(&first), expected, "{two} {one}");
        }
    }

    #[test]
    fn an_option_of_the_command_line_is_to_blame_for_itself() {
        let address = SocketAddr::from(([127, 0, 0, 1], 2525));
        let found = Listen::from_command_line("--smtp-port", address);
        assert_eq!(found.blame(), "--smtp-port");
        assert_eq!(found.socket_addr(), address);
    }

    #[test]
    fn domains_and_addresses() {
        let found = read(&domain(), "Corp.Example").expect("a domain");
        assert_eq!(found.as_str(), "corp.example");
        let fault = read(&domain(), "a.example,b.example").expect_err("two domains");
        assert_eq!(fault.help.as_deref(), Some("several domains are several lines"));
        assert!(read(&user(), "ann@corp.example").is_ok());
        refuses(&user(), "ann", 0..3, "not user@domain");
        assert!(read(&addresses(), "*,!161.29.5.*").is_ok());
        refuses(&addresses(), "*,bob", 2..5, "not an address or a pattern");
    }
}
