//! Who asks, and from where: what the throttle, the access lists and the log go
//! by.

use std::fmt;
use std::net::IpAddr;

/// Who asks, and from where. What the front end does not know is left open; it
/// never guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Address that the client connected from. `None` for a local command.
    pub client: Option<IpAddr>,
    /// Address that the client connected to: selects a `vdomain` by IP.
    pub local: Option<IpAddr>,
    /// Which program asks.
    pub service: Service,
    /// The dialect that another server asked in, as dmail.conf calls it.
    /// `None` for programs of ours.
    pub dialect: Option<&'static str>,
    /// Who could listen to the client's connection.
    pub transport: Transport,
    /// What the server that asks calls the client's session in its own log.
    pub session: Option<SessionId>,
}

impl Origin {
    /// A question of ours, from this machine.
    #[must_use]
    pub fn local(service: Service) -> Self {
        Self {
            client: None,
            local: None,
            service,
            dialect: None,
            transport: Transport::Unknown,
            session: None,
        }
    }
}

/// How the connection between the client and the server that asks is
/// protected. The words are those of Dovecot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transport {
    /// Nobody said.
    #[default]
    Unknown,
    /// Everybody in between can read what the client sends.
    Insecure,
    /// The server that asks takes it for safe, and does not say why: by TLS, or
    /// because the client is on the same machine.
    Secured,
    /// TLS.
    Tls,
    /// TLS, with a certificate of the client's that the server has verified.
    TlsClientCert,
}

impl Transport {
    /// All of them, for command lines and tables.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::Insecure, Self::Secured, Self::Tls, Self::TlsClientCert];

    /// The word in logs, on command lines and on the wire; none if nothing is
    /// known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Unknown => None,
            Self::Insecure => Some("insecure"),
            Self::Secured => Some("secured"),
            Self::Tls => Some("tls"),
            Self::TlsClientCert => Some("tls-client-cert"),
        }
    }

    /// The one that is called `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name() == Some(name))
    }
}

/// The name of a session in the log of the server that asks. It is short, and
/// its characters cannot disturb a line of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId {
    length: u8,
    bytes: [u8; Self::MAX_BYTES],
}

impl SessionId {
    /// The longest that is kept: a UUID has 36 characters, Dovecot's have 12 to
    /// 24.
    pub const MAX_BYTES: usize = 40;

    /// Takes a name: letters, digits and `+ - . / : = @ _`. One that is empty,
    /// longer or has other characters is not kept, for a part of it would be
    /// found in no log.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-./:=@_".contains(byte);
        if name.is_empty() || name.len() > Self::MAX_BYTES || !name.iter().all(harmless) {
            return None;
        }
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..name.len()].copy_from_slice(name);
        Some(Self { length: u8::try_from(name.len()).ok()?, bytes })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = &self.bytes[..usize::from(self.length)];
        std::str::from_utf8(name).expect("a session's name is ASCII")
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// The program on whose behalf a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The command line and the administration tools.
    Admin,
    /// An IMAP server that asks us.
    Imap,
    /// A program that speaks the line protocol.
    Line,
    /// DPOP, or another POP3 server that asks us.
    Pop3,
    /// DSMTP, or another SMTP server that asks us.
    Smtp,
    /// Web mail.
    Web,
}

impl Service {
    /// All services, for command lines and tables.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Imap, Self::Line, Self::Pop3, Self::Smtp, Self::Web];

    /// The service that is called `name`, in either case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name().eq_ignore_ascii_case(name))
    }

    /// The name in logs and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Imap => "imap",
            Self::Line => "line",
            Self::Pop3 => "pop3",
            Self::Smtp => "smtp",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_kept_whole_or_not_at_all() {
        let rows: [(&[u8], bool); 8] = [
            (b"c3czgQcVdMKsEQAB", true),
            (b"6f9619ff-8b86-d011-b42d-00cf4fc964ff", true),
            (b"a+/b:1=@_.", true),
            (&[b'x'; SessionId::MAX_BYTES], true),
            (&[b'x'; SessionId::MAX_BYTES + 1], false),
            (b"", false),
            (b"a b", false),
            (b"a\nlogin", false),
        ];
        for (name, kept) in rows {
            let session = SessionId::parse(name);
            assert_eq!(session.is_some(), kept, "{name:?}");
            if let Some(session) = session {
                assert_eq!(session.to_string().as_bytes(), name);
            }
        }
        assert!(SessionId::parse("ä".as_bytes()).is_none());
    }

    #[test]
    fn a_transport_is_found_by_its_name() {
        for transport in Transport::ALL {
            if let Some(name) = transport.name() {
                assert_eq!(Transport::parse(name), Some(transport));
            }
        }
        assert_eq!(Transport::parse(""), None);
        assert_eq!(Transport::parse("TLS"), None);
    }
}
