//! Which server a login goes to: that of the settings, or the one that the
//! account names in its info field `mailhost`.
//!
//! ```text
//!   mailhost="10.0.0.5"                         all protocols, their usual ports
//!   mailhost="imap=10.0.0.5:1143 pop3=store2"   these; others as in the settings
//! ```

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use dmail_core::{Domain, Info};

use super::question::Protocol;

/// The info field that names the servers of an account.
const FIELD: &str = "mailhost";

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
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
    /// A name, which is resolved when somebody logs in.
    Name(Domain),
}

/// The servers that logins go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backends {
    /// For IMAP.
    pub imap: Option<Backend>,
    /// For POP3.
    pub pop3: Option<Backend>,
    /// For SMTP, after a login.
    pub smtp: Option<Backend>,
    /// For SMTP without one. `None`: nobody sends mail without.
    pub mx: Option<Backend>,
}

/// Why there is no server for a login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The info field cannot be read.
    #[error(
        "the info field {FIELD}=\"{0}\" is not HOST, or imap=HOST:PORT pop3=HOST:PORT smtp=HOST:PORT"
    )]
    Field(String),
    /// Neither the account nor the settings name one.
    #[error(
        "no server for {0:?}: add {0:?}= to the line dialect auth-http, or {FIELD} to the user"
    )]
    None(Protocol),
}

impl Backends {
    /// The server of an account with these info fields, with its port.
    ///
    /// # Errors
    ///
    /// If it has none, or nobody understands the field.
    pub fn of(&self, protocol: Protocol, info: &Info) -> Result<Backend, BackendError> {
        let usual = match protocol {
            Protocol::Imap => &self.imap,
            Protocol::Pop3 => &self.pop3,
            Protocol::Smtp => &self.smtp,
        };
        let usual_port = usual.as_ref().and_then(|usual| usual.port);
        let own = match info.get(FIELD) {
            Some(text) => {
                own(protocol, text).ok_or_else(|| BackendError::Field(text.to_owned()))?
            }
            None => None,
        };
        let found = own.or_else(|| usual.clone()).ok_or(BackendError::None(protocol))?;
        let port = found.port.or(usual_port).unwrap_or(protocol.port());
        Ok(Backend { port: Some(port), ..found })
    }
}

/// The server that the field names for this protocol, if it names one. `None`
/// outside if nobody understands it.
fn own(protocol: Protocol, text: &str) -> Option<Option<Backend>> {
    let (mut any, mut named) = (None, None);
    for word in text.split_ascii_whitespace() {
        match word.split_once('=') {
            Some((name, server)) => {
                let server = server.parse().ok()?;
                if Protocol::parse(name)? == protocol && named.replace(server).is_some() {
                    return None;
                }
            }
            None => {
                let server: Backend = word.parse().ok()?;
                // One port cannot be that of every protocol.
                if server.port.is_some() || any.replace(server).is_some() {
                    return None;
                }
            }
        }
    }
    Some(named.or(any))
}

impl FromStr for Backend {
    type Err = NotABackend;

    /// Reads `HOST` or `HOST:PORT`; an IPv6 address with a port is in brackets.
    fn from_str(text: &str) -> Result<Self, NotABackend> {
        if let Ok(address) = text.parse() {
            return Ok(Self { host: Host::Address(address), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => {
                let port: u16 = port.parse().map_err(|_| NotABackend)?;
                if port == 0 {
                    return Err(NotABackend);
                }
                (host, Some(port))
            }
            _ => (text, None),
        };
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match (bare, host.parse()) {
            (Some(bare), _) => Host::Address(IpAddr::V6(bare.parse().map_err(|_| NotABackend)?)),
            (None, Ok(IpAddr::V4(address))) => Host::Address(IpAddr::V4(address)),
            // Its last part would be taken for the port.
            (None, Ok(IpAddr::V6(_))) => return Err(NotABackend),
            (None, Err(_)) => Host::Name(Domain::parse(host).map_err(|_| NotABackend)?),
        };
        Ok(Self { host, port })
    }
}

/// What is neither `HOST` nor `HOST:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is neither HOST nor HOST:PORT")]
pub struct NotABackend;

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
            let backend: Backend = text.parse().expect(text);
            assert_eq!((backend.host.to_string(), backend.port), (host.to_owned(), port), "{text}");
        }
        for bad in
            ["", ":110", "a b", "store2:", "store2:0", "store2:99999", "[::1", "[store]:1", "a/b"]
        {
            assert!(bad.parse::<Backend>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_account_may_have_servers_of_its_own() {
        let usual = Backends {
            imap: "192.0.2.1:1143".parse().ok(),
            pop3: "192.0.2.1".parse().ok(),
            ..Backends::default()
        };
        use Protocol::{Imap, Pop3, Smtp};
        let rows = [
            (None, Imap, "192.0.2.1 1143"),
            (None, Pop3, "192.0.2.1 110"),
            (None, Smtp, "none"),
            (Some(""), Imap, "192.0.2.1 1143"),
            (Some("store2"), Imap, "store2 1143"),
            (Some("store2"), Pop3, "store2 110"),
            (Some("store2"), Smtp, "store2 25"),
            (Some("imap=store2:143 10.0.0.5"), Imap, "store2 143"),
            (Some("imap=store2:143 10.0.0.5"), Pop3, "10.0.0.5 110"),
            (Some("imap=store2:143"), Pop3, "192.0.2.1 110"),
            (Some("POP=[::1]:1110"), Pop3, "::1 1110"),
            (Some("store2:143"), Imap, "bad"),
            (Some("store2 store3"), Imap, "bad"),
            (Some("imap=a imap=b"), Imap, "bad"),
            (Some("nntp=store2"), Imap, "bad"),
            (Some("a/b"), Imap, "bad"),
        ];
        for (field, protocol, expected) in rows {
            let mut info = Info::default();
            if let Some(field) = field {
                info.set(FIELD, field).expect("a value");
            }
            let found = match usual.of(protocol, &info) {
                Ok(backend) => format!("{} {}", backend.host, backend.port.expect("a port")),
                Err(BackendError::Field(_)) => "bad".to_owned(),
                Err(BackendError::None(_)) => "none".to_owned(),
            };
            assert_eq!(found, expected, "{field:?} {protocol:?}");
        }
    }
}
