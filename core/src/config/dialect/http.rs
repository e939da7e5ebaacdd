//! The dialects that are HTTP: nginx's `auth_http`, the JSON API, and Dovecot's
//! auth policy.

use std::path::PathBuf;
use std::time::Duration;

use super::super::value::{Fault, Kind, RemoteServer, number, path, seconds, server, word};
use super::options::Options;
use super::table::{Dialect, DialectRow, OptionRow, SERVICE};

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

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The file of the certificate, and of those above it.
    pub certificate: PathBuf,
    /// The file of the key.
    pub key: PathBuf,
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
    fn take(options: &mut Options<'_>) -> Result<Self, Fault> {
        let secret_file = options.take(SECRET_FILE.name, &path())?;
        let tls = match options.take(CERTIFICATE.name, &path())? {
            Some(certificate) => Some(TlsFiles { certificate, key: options.need(&KEY, &path())? }),
            None if options.take(KEY.name, &path())?.is_some() => {
                options.need(&CERTIFICATE, &path())?;
                None
            }
            None => None,
        };
        Ok(Self { secret_file, tls })
    }
}

impl AuthHttpWords {
    fn take(options: &mut Options<'_>) -> Result<Self, Fault> {
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
            imap: options.take(IMAP.name, &with_port())?,
            pop3: options.take(POP3.name, &with_port())?,
            smtp: options.take(SMTP.name, &with_port())?,
            mx: options.take(MX.name, &with_port())?,
            wait: options.take(WAIT.name, &seconds(1..=60))?.unwrap_or(USUAL_WAIT),
            attempts: options.take(ATTEMPTS.name, &number(1..=1000))?.unwrap_or(USUAL_ATTEMPTS),
            account_name: options.take(USER.name, &word(&USERS))?.unwrap_or(false),
        };
        if [&words.imap, &words.pop3, &words.smtp, &words.mx].iter().all(|server| server.is_none())
        {
            options.need(&IMAP, &with_port())?;
        }
        Ok(words)
    }
}

/// The row of nginx.
pub(super) const AUTH_HTTP: DialectRow = DialectRow {
    name: "auth-http",
    spoken_by: "nginx's mail proxy (`auth_http`)",
    example: "dialect auth-http 127.0.0.1:7080 imap=127.0.0.1:143 pop3=127.0.0.1:110 \
              smtp=127.0.0.1:25",
    options: &[
        &IMAP,
        &POP3,
        &SMTP,
        &MX,
        &USER,
        &WAIT,
        &ATTEMPTS,
        &SECRET_FILE,
        &CERTIFICATE,
        &KEY,
        &TIMEOUT,
    ],
    read: |options| AuthHttpWords::take(options).map(Dialect::AuthHttp),
};

/// The row of Dovecot's auth policy.
pub(super) const AUTH_POLICY: DialectRow = DialectRow {
    name: "auth-policy",
    spoken_by: "Dovecot (`auth_policy_server_url`), clients of weakforced",
    example: "dialect auth-policy 127.0.0.1:7081 secret_file=policy.secret",
    options: &[&SECRET_FILE, &CERTIFICATE, &KEY],
    read: |options| HttpWords::take(options).map(Dialect::AuthPolicy),
};

/// The row of the JSON API.
pub(super) const HTTP: DialectRow = DialectRow {
    name: "http",
    spoken_by: "scripts and programs (`POST /v1/check`)",
    example: "dialect http 127.0.0.1:7082 secret_file=http.secret",
    options: &[&SECRET_FILE, &CERTIFICATE, &KEY, &SERVICE, &TIMEOUT],
    read: |options| HttpWords::take(options).map(Dialect::Http),
};

const SECRET_FILE: OptionRow = OptionRow {
    name: "secret_file",
    value: "http.secret",
    meaning: "The file whose first line every request has to show: as `X-Auth-Key` with \
              `auth-http`, else as `Authorization: Bearer`. `http` on a TCP socket needs it.",
};
const CERTIFICATE: OptionRow = OptionRow {
    name: "certificate",
    value: "/etc/ssl/mail.pem",
    meaning: "The file of a certificate (PEM): the socket speaks TLS then.",
};
const KEY: OptionRow = OptionRow {
    name: "key",
    value: "/etc/ssl/mail.key",
    meaning: "The file of the certificate's key (PEM).",
};
const TIMEOUT: OptionRow = OptionRow {
    name: "timeout",
    value: "40s",
    meaning: "How long an answer may take before it is \"try again later\", 50 seconds without it: \
              longer than the throttle delays anybody, shorter than nginx waits.",
};
const IMAP: OptionRow = OptionRow {
    name: "imap",
    value: "127.0.0.1:143",
    meaning: "The server of IMAP logins. A user's info field `mailhost` may name another one.",
};
const POP3: OptionRow = OptionRow {
    name: "pop3",
    value: "127.0.0.1:110",
    meaning: "The server of POP3 logins. A user's info field `mailhost` may name another one.",
};
const SMTP: OptionRow = OptionRow {
    name: "smtp",
    value: "127.0.0.1:25",
    meaning: "The server of SMTP, for those who log in. A user's info field `mailhost` may name \
              another one.",
};
const MX: OptionRow = OptionRow {
    name: "mx",
    value: "127.0.0.1:25",
    meaning: "The server of SMTP for those who do not log in (`smtp_auth none`). Without it they \
              are refused.",
};
const USER: OptionRow = OptionRow {
    name: "user",
    value: "account",
    meaning: "The name that the server gets: `login` is what the client gave, `account` the name \
              in the user base. Without it, `login`.",
};
const WAIT: OptionRow = OptionRow {
    name: "wait",
    value: "3s",
    meaning: "How long nginx waits before it tells its client of a refusal, 1 second without it; \
              the delays of the throttle come before that.",
};
const ATTEMPTS: OptionRow = OptionRow {
    name: "attempts",
    value: "5",
    meaning: "After so many attempts nginx closes a connection, 10 without it.",
};

const USERS: [(&str, bool); 2] = [("login", false), ("account", true)];
