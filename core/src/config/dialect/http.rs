//! The dialects that are HTTP: nginx's `auth_http`, the JSON API, and Dovecot's
//! auth policy.

use std::path::PathBuf;
use std::time::Duration;

use super::super::value::{Fault, Kind, RemoteServer, number, path, seconds, server, word};
use super::options::Options;
use super::tls::TlsFiles;

/// How long an answer may take. Longer than any delay of the throttle: the
/// clients of these dialects wait for a minute.
pub(super) const PATIENCE: Duration = Duration::from_secs(50);
/// How long nginx waits before it tells its client of a refusal.
const USUAL_WAIT: Duration = Duration::from_secs(1);
/// How many attempts a client of nginx has on one connection.
const USUAL_ATTEMPTS: u32 = 10;

/// What all dialects over HTTP are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpWords {
    /// The file with the secret that clients have to show.
    pub secret_file: Option<PathBuf>,
    /// The certificate of the server and its key, for TLS.
    pub tls: Option<TlsFiles>,
}

/// What the dialect of nginx is told beside that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthHttpWords {
    /// As for all of them.
    pub http: HttpWords,
    /// The server of IMAP logins.
    pub imap: Option<RemoteServer>,
    /// That of POP3 logins.
    pub pop3: Option<RemoteServer>,
    /// That of SMTP after a login.
    pub smtp: Option<RemoteServer>,
    /// That of SMTP without one.
    pub mx: Option<RemoteServer>,
    /// How long nginx waits before it tells its client of a refusal.
    pub wait: Duration,
    /// After so many attempts it closes the connection.
    pub attempts: u32,
    /// Whether the server gets the account's name, and not the one that the
    /// client gave.
    pub account_name: bool,
}

impl HttpWords {
    pub(super) fn take(options: &mut Options<'_>) -> Result<Self, Fault> {
        let secret_file = options.take("secret_file", &path())?;
        Ok(Self { secret_file, tls: TlsFiles::take(options)? })
    }
}

impl AuthHttpWords {
    pub(super) fn take(options: &mut Options<'_>) -> Result<Self, Fault> {
        let with_port = || {
            let inner = server();
            Kind::new("HOST:PORT, an IPv6 address in brackets", move |value| {
                let server = inner.read(value)?;
                match server.port {
                    Some(_) => Ok(server),
                    None => Err(Fault::whole(value.text, "the port is missing")),
                }
            })
        };
        let words = Self {
            http: HttpWords::take(options)?,
            imap: options.take("imap", &with_port())?,
            pop3: options.take("pop3", &with_port())?,
            smtp: options.take("smtp", &with_port())?,
            mx: options.take("mx", &with_port())?,
            wait: options.take("wait", &seconds(1..=60))?.unwrap_or(USUAL_WAIT),
            attempts: options.take("attempts", &number(1..=1000))?.unwrap_or(USUAL_ATTEMPTS),
            account_name: options.take("user", &word(&USERS))?.unwrap_or(false),
        };
        if [&words.imap, &words.pop3, &words.smtp, &words.mx].iter().all(|server| server.is_none())
        {
            options.need("imap", &with_port())?;
        }
        Ok(words)
    }
}

const USERS: [(&str, bool); 2] = [("login", false), ("account", true)];
