//! What nginx asks: the headers of a request to values.

use std::net::IpAddr;

use dmail_core::sasl::{self, Credentials, UnusableLogin};
use dmail_core::{AuthRequest, Origin, Secret, Service, Transport, Username};

use super::escape::unescape;
use crate::message::Headers;

/// What nginx does with the client's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// SMTP.
    Smtp,
}

impl Protocol {
    /// All protocols.
    pub const ALL: [Self; 3] = [Self::Imap, Self::Pop3, Self::Smtp];

    /// The protocol with this name, in either case. `pop` is nginx's name for
    /// POP3.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match &*name {
            "imap" => Some(Self::Imap),
            "pop" | "pop3" => Some(Self::Pop3),
            "smtp" => Some(Self::Smtp),
            _ => None,
        }
    }

    /// The service that the gateway is asked for.
    #[must_use]
    pub fn service(self) -> Service {
        match self {
            Self::Imap => Service::Imap,
            Self::Pop3 => Service::Pop3,
            Self::Smtp => Service::Smtp,
        }
    }

    /// The port that its servers have without another word.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Smtp => 25,
        }
    }
}

/// One login, or one client of SMTP that does not log in.
#[derive(Debug)]
pub struct Login {
    /// The client's protocol.
    pub protocol: Protocol,
    /// The how manieth attempt of this client it is, from 1.
    pub attempt: u32,
    /// How it wants to get in.
    pub entry: Entry,
}

/// How a client wants to get in.
#[derive(Debug)]
pub enum Entry {
    /// With a password.
    Password(AuthRequest),
    /// With a name or password that nobody can have.
    Unusable(UnusableLogin, Origin),
    /// With a proof that needs the password itself (APOP, CRAM-MD5), or a
    /// certificate (EXTERNAL).
    Mechanism,
    /// Without a login (`smtp_auth none`).
    Anonymous,
}

/// Why a request is not one of nginx. Names the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A header is missing.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// A header has a value that nginx does not write.
    #[error("the header {0} has a value that nginx does not write")]
    Value(&'static str),
    /// A header is there twice: nobody can tell which one is meant.
    #[error("the header {0} is there more than once")]
    Repeated(&'static str),
}

/// The headers that say something here, each at most once.
#[derive(Default)]
struct Fields<'a> {
    method: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
    pass: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
    attempt: Option<&'a [u8]>,
    client: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    proxy_client: Option<&'a [u8]>,
    proxy_local: Option<&'a [u8]>,
    /// Whether there is TLS, and what became of the client's certificate.
    tls: Option<&'a [u8]>,
    certificate: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn collect(headers: &Headers<'a>) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        for (name, value) in headers.iter() {
            let (field, name) = match name.len() {
                11 if name.eq_ignore_ascii_case("Auth-Method") => {
                    (&mut fields.method, "Auth-Method")
                }
                9 if name.eq_ignore_ascii_case("Auth-User") => (&mut fields.user, "Auth-User"),
                9 if name.eq_ignore_ascii_case("Auth-Pass") => (&mut fields.pass, "Auth-Pass"),
                13 if name.eq_ignore_ascii_case("Auth-Protocol") => {
                    (&mut fields.protocol, "Auth-Protocol")
                }
                18 if name.eq_ignore_ascii_case("Auth-Login-Attempt") => {
                    (&mut fields.attempt, "Auth-Login-Attempt")
                }
                9 if name.eq_ignore_ascii_case("Client-IP") => (&mut fields.client, "Client-IP"),
                10 if name.eq_ignore_ascii_case("X-Local-IP") => (&mut fields.local, "X-Local-IP"),
                8 if name.eq_ignore_ascii_case("Auth-SSL") => (&mut fields.tls, "Auth-SSL"),
                15 if name.eq_ignore_ascii_case("Auth-SSL-Verify") => {
                    (&mut fields.certificate, "Auth-SSL-Verify")
                }
                19 if name.eq_ignore_ascii_case("Proxy-Protocol-Addr") => {
                    (&mut fields.proxy_client, "Proxy-Protocol-Addr")
                }
                26 if name.eq_ignore_ascii_case("Proxy-Protocol-Server-Addr") => {
                    (&mut fields.proxy_local, "Proxy-Protocol-Server-Addr")
                }
                _ => continue,
            };
            if field.replace(value).is_some() {
                return Err(Malformed::Repeated(name));
            }
        }
        Ok(fields)
    }

    fn origin(&self, protocol: Protocol) -> Result<Origin, Malformed> {
        let client = self.client.ok_or(Malformed::Missing("Client-IP"))?;
        let client = address(client, "Client-IP")?;
        // What a PROXY header says counts if nginx takes it for the client's
        // address (`set_real_ip_from`); anybody can send one.
        let proxied = self.proxy_client.map(|value| address(value, "Proxy-Protocol-Addr"));
        let proxied = proxied.transpose()?.flatten();
        let local = match (self.local, self.proxy_local) {
            (Some(value), _) => address(value, "X-Local-IP")?,
            (None, Some(value)) if proxied.is_some() && proxied == client => {
                address(value, "Proxy-Protocol-Server-Addr")?
            }
            (None, _) => None,
        };
        let dialect = Some(super::AuthHttp::NAME);
        let transport = self.transport();
        Ok(Origin { client, local, dialect, transport, ..Origin::local(protocol.service()) })
    }

    /// nginx says of each connection whether it decrypts it.
    fn transport(&self) -> Transport {
        match (self.tls, self.certificate) {
            (Some(b"on"), Some(b"SUCCESS")) => Transport::TlsClientCert,
            (Some(b"on"), _) => Transport::Tls,
            _ => Transport::Insecure,
        }
    }

    fn attempt(&self) -> Result<u32, Malformed> {
        const NAME: &str = "Auth-Login-Attempt";
        let Some(value) = self.attempt else { return Ok(1) };
        let text = std::str::from_utf8(value).map_err(|_| Malformed::Value(NAME))?;
        text.parse().map_err(|_| Malformed::Value(NAME))
    }
}

/// Reads a request of nginx.
///
/// # Errors
///
/// Says which header cannot be taken.
pub fn read(headers: &Headers<'_>) -> Result<Login, Malformed> {
    let fields = Fields::collect(headers)?;
    let protocol = fields.protocol.ok_or(Malformed::Missing("Auth-Protocol"))?;
    let protocol = std::str::from_utf8(protocol).ok().and_then(Protocol::parse);
    let protocol = protocol.ok_or(Malformed::Value("Auth-Protocol"))?;
    let attempt = fields.attempt()?;
    let origin = fields.origin(protocol)?;
    let entry = match fields.method.ok_or(Malformed::Missing("Auth-Method"))? {
        b"plain" => password(&fields, origin)?,
        b"apop" | b"cram-md5" | b"external" => Entry::Mechanism,
        b"none" if protocol == Protocol::Smtp => Entry::Anonymous,
        _ => return Err(Malformed::Value("Auth-Method")),
    };
    Ok(Login { protocol, attempt, entry })
}

fn password(fields: &Fields<'_>, origin: Origin) -> Result<Entry, Malformed> {
    let user = fields.user.ok_or(Malformed::Missing("Auth-User"))?;
    let pass = fields.pass.ok_or(Malformed::Missing("Auth-Pass"))?;
    let user = unescape(user).ok_or(Malformed::Value("Auth-User"))?;
    let pass = unescape(pass).ok_or(Malformed::Value("Auth-Pass"))?;
    let user = sasl::login_name(&user, Username::MAX_BYTES);
    let secret = Secret::new(pass.as_slice());
    Ok(match (Credentials { user, secret }).usable() {
        Ok((user, secret)) => Entry::Password(AuthRequest::check(user, secret, origin)),
        Err(unusable) => Entry::Unusable(unusable, origin),
    })
}

/// An address; nginx names clients of a unix socket `unix:`.
fn address(value: &[u8], name: &'static str) -> Result<Option<IpAddr>, Malformed> {
    if value.starts_with(b"unix:") {
        return Ok(None);
    }
    let text = std::str::from_utf8(value).map_err(|_| Malformed::Value(name))?;
    let address: IpAddr = text.parse().map_err(|_| Malformed::Value(name))?;
    Ok(Some(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use dmail_core::{NameError, Purpose};

    use super::*;
    use crate::message::{Progress, parse};

    fn login(lines: &str) -> Result<Login, Malformed> {
        let text = format!("GET /auth HTTP/1.0\r\nHost: x\r\n{}\r\n", lines.replace('\n', "\r\n"));
        match parse(text.as_bytes(), 0) {
            Ok(Progress::Whole(request, _)) => read(&request.headers),
            other => panic!("{other:?}"),
        }
    }

    const POP: &str = "Auth-Method: plain\nAuth-Protocol: pop3\nClient-IP: 192.0.2.7\n";

    #[test]
    fn a_login_is_read_as_nginx_writes_it() {
        let login = login(
            "Auth-Method: plain\nAuth-User: bob%20x\nAuth-Pass: \n\
             Auth-Protocol: smtp\nAuth-Login-Attempt: 3\nClient-IP: ::ffff:192.0.2.7\n\
             Client-Host: [UNAVAILABLE]\nAuth-SSL: on\nAuth-SSL-Verify: NONE\n",
        );
        let login = login.expect("a login");
        assert_eq!((login.protocol, login.attempt), (Protocol::Smtp, 3));
        let bad = UnusableLogin::Name(NameError::ForbiddenByte { at: 3 });
        let Entry::Unusable(why, origin) = login.entry else { panic!("{login:?}") };
        assert_eq!((why, origin.transport), (bad, Transport::Tls));
        assert_eq!(origin.client, "192.0.2.7".parse().ok());
        let login =
            self::login(&format!("{POP}Auth-User: bob@corp.example\nAuth-Pass: a+b%25%20\n"));
        let login = login.expect("a login");
        assert_eq!((login.protocol, login.attempt), (Protocol::Pop3, 1));
        let Entry::Password(request) = login.entry else { panic!("{login:?}") };
        assert_eq!(request.user.as_str(), "bob@corp.example");
        assert_eq!(request.origin.client, "192.0.2.7".parse().ok());
        let Purpose::Check(secret) = request.purpose else { panic!("a check") };
        assert_eq!(secret.expose(), b"a+b% ");
    }

    #[test]
    fn the_address_that_the_client_chose_is_told_by_proxy_or_by_the_configuration() {
        let rows = [
            (
                "Proxy-Protocol-Addr: 192.0.2.7\nProxy-Protocol-Server-Addr: 198.51.100.1\n",
                "198.51.100.1",
            ),
            // Not the client's address for nginx, so anybody may have said it.
            ("Proxy-Protocol-Addr: 192.0.2.8\nProxy-Protocol-Server-Addr: 198.51.100.1\n", ""),
            ("Proxy-Protocol-Server-Addr: 198.51.100.1\n", ""),
            ("X-Local-IP: 198.51.100.2\n", "198.51.100.2"),
            ("", ""),
        ];
        for (lines, local) in rows {
            let login = login(&format!("{POP}{lines}Auth-User: bob\nAuth-Pass: x\n"));
            let Ok(Login { entry: Entry::Password(request), .. }) = login else {
                panic!("a login")
            };
            assert_eq!(request.origin.local, local.parse().ok(), "{lines}");
        }
    }

    #[test]
    fn whether_there_is_tls_is_told_of_every_client() {
        let rows = [
            ("", Transport::Insecure),
            ("Auth-SSL: on\nAuth-SSL-Verify: NONE\n", Transport::Tls),
            ("Auth-SSL: on\nAuth-SSL-Verify: FAILED:expired\n", Transport::Tls),
            ("Auth-SSL: on\nAuth-SSL-Verify: SUCCESS\n", Transport::TlsClientCert),
            ("Auth-SSL-Verify: SUCCESS\n", Transport::Insecure),
        ];
        for (lines, transport) in rows {
            let login = login(&format!("{POP}{lines}Auth-User: bob\nAuth-Pass: x\n"));
            let Ok(Login { entry: Entry::Password(request), .. }) = login else {
                panic!("a login")
            };
            assert_eq!(request.origin.transport, transport, "{lines}");
        }
    }

    #[test]
    fn what_nginx_does_not_write_is_not_guessed_at() {
        let smtp = POP.replace("pop3", "smtp");
        let rows = [
            (POP.to_owned(), Malformed::Missing("Auth-User")),
            (format!("{POP}Auth-User: bob\n"), Malformed::Missing("Auth-Pass")),
            (
                format!("{POP}Auth-User: bob\nauth-user: ann\nAuth-Pass: x\n"),
                Malformed::Repeated("Auth-User"),
            ),
            (format!("{POP}Client-IP: 192.0.2.8\n"), Malformed::Repeated("Client-IP")),
            (format!("{POP}Auth-User: %4\nAuth-Pass: x\n"), Malformed::Value("Auth-User")),
            (format!("{POP}Auth-User: bob\nAuth-Pass: %\n"), Malformed::Value("Auth-Pass")),
            (format!("{POP}Auth-Login-Attempt: x\n"), Malformed::Value("Auth-Login-Attempt")),
            (smtp.replace("plain", "PLAIN"), Malformed::Value("Auth-Method")),
            (POP.replace("plain", "none"), Malformed::Value("Auth-Method")),
            (POP.replace("pop3", "nntp"), Malformed::Value("Auth-Protocol")),
            (POP.replace("192.0.2.7", "somewhere"), Malformed::Value("Client-IP")),
            ("Auth-Method: plain\nAuth-Protocol: pop3\n".into(), Malformed::Missing("Client-IP")),
            (String::new(), Malformed::Missing("Auth-Protocol")),
        ];
        for (lines, expected) in rows {
            assert_eq!(login(&lines).err(), Some(expected), "{lines}");
        }
    }

    #[test]
    fn other_ways_in_are_told_apart() {
        for method in ["apop", "cram-md5", "external"] {
            let lines =
                format!("{}Auth-User: bob\nAuth-Salt: <1@x>\n", POP.replace("plain", method));
            let login = login(&lines).expect("a login");
            assert!(matches!(login.entry, Entry::Mechanism), "{method}");
        }
        let lines = POP.replace("plain", "none").replace("pop3", "smtp")
            + "Auth-SMTP-Helo: client.example\nAuth-SMTP-To: RCPT TO:<bob@corp.example>\n";
        assert!(matches!(login(&lines).expect("a client").entry, Entry::Anonymous));
    }
}
