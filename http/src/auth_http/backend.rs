//! Which server a login goes to: that of the settings, or the one that the
//! account names in its info field `mailhost`.
//!
//! ```text
//!   mailhost="10.0.0.5"                         all protocols, their usual ports
//!   mailhost="imap=10.0.0.5:1143 pop3=store2"   these; others as in the settings
//! ```

use dmail_core::Info;
use dmail_core::config::RemoteServer;

use super::question::Protocol;

/// The info field that names the servers of an account.
const FIELD: &str = "mailhost";

/// The servers that logins go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backends {
    /// For IMAP.
    pub imap: Option<RemoteServer>,
    /// For POP3.
    pub pop3: Option<RemoteServer>,
    /// For SMTP, after a login.
    pub smtp: Option<RemoteServer>,
    /// For SMTP without one. `None`: nobody sends mail without.
    pub mx: Option<RemoteServer>,
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
    pub fn of(&self, protocol: Protocol, info: &Info) -> Result<RemoteServer, BackendError> {
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
        Ok(RemoteServer { port: Some(port), ..found })
    }
}

/// The server that the field names for this protocol, if it names one. `None`
/// outside if nobody understands it.
fn own(protocol: Protocol, text: &str) -> Option<Option<RemoteServer>> {
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
                let server: RemoteServer = word.parse().ok()?;
                // One port cannot be that of every protocol.
                if server.port.is_some() || any.replace(server).is_some() {
                    return None;
                }
            }
        }
    }
    Some(named.or(any))
}

#[cfg(test)]
mod tests {
    use super::*;

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
