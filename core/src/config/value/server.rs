//! Another server: a host, and perhaps a port.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Fault, Kind};
use crate::Domain;

/// A server that something is passed on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteServer {
    /// Where it is.
    pub host: Host,
    /// Its port; `None` where its protocol tells it.
    pub port: Option<u16>,
}

/// A host by its address or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name, which has to be resolved.
    Name(Domain),
}

/// Another server.
pub fn server() -> Kind<RemoteServer> {
    Kind::new("HOST or HOST:PORT, an IPv6 address with a port in brackets", |value| {
        value.text.parse().map_err(|error: NotAServer| Fault::whole(value.text, error.to_string()))
    })
}

impl FromStr for RemoteServer {
    type Err = NotAServer;

    /// Reads `HOST` or `HOST:PORT`; an IPv6 address with a port is in brackets.
    fn from_str(text: &str) -> Result<Self, NotAServer> {
        if let Ok(address) = text.parse() {
            return Ok(Self { host: Host::Address(address), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => {
                let port: u16 = port.parse().map_err(|_| NotAServer)?;
                if port == 0 {
                    return Err(NotAServer);
                }
                (host, Some(port))
            }
            _ => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match (bare, host.parse()) {
            (Some(bare), _) => Host::Address(IpAddr::V6(bare.parse().map_err(|_| NotAServer)?)),
            (None, Ok(IpAddr::V4(address))) => Host::Address(IpAddr::V4(address)),
            // Its last part would be taken for the port.
            (None, Ok(IpAddr::V6(_))) => return Err(NotAServer),
            (None, Err(_)) => Host::Name(Domain::parse(host).map_err(|_| NotAServer)?),
        };
        Ok(Self { host, port })
    }
}

/// What is neither `HOST` nor `HOST:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is neither HOST nor HOST:PORT")]
pub struct NotAServer;

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_perhaps_a_port() {
        let rows = [
            ("192.0.2.1", "192.0.2.1", None),
            ("192.0.2.1:1110", "192.0.2.1", Some(1110)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]:110", "2001:db8::1", Some(110)),
            ("[::1]", "::1", None),
            ("Store2.corp.example:143", "store2.corp.example", Some(143)),
            ("store2", "store2", None),
        ];
        for (text, host, port) in rows {
            let backend: RemoteServer = text.parse().expect(text);
            assert_eq!((backend.host.to_string(), backend.port), (host.to_owned(), port), "{text}");
        }
        for bad in
            ["", ":110", "a b", "store2:", "store2:0", "store2:99999", "[::1", "[store]:1", "a/b"]
        {
            assert!(bad.parse::<RemoteServer>().is_err(), "{bad}");
        }
    }
}
