//! What a dialect is told in its line.

use std::path::PathBuf;
use std::time::Duration;

use super::super::suggest;
use super::super::value::{Fault, Kind, boolean, number, path, text, word};
use super::http::{self, AuthHttpWords, HttpWords};
use super::options::Options;
use super::tls::TlsFiles;
use crate::sasl::Mechanism;

/// Longest value of an option that is any text, in bytes.
const MAX_TEXT: usize = 1_024;

/// A dialect, with its own options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// nginx's `auth_http`.
    AuthHttp(AuthHttpWords),
    /// Dovecot's auth policy.
    AuthPolicy(HttpWords),
    /// Courier's authdaemon.
    Authdaemon(AccountWords),
    /// Logins as Dovecot's auth service answers them.
    DovecotAuth {
        /// How nobody's decision is told.
        tempfail: Tempfail,
        /// The mechanisms that are offered, as far as the user base can judge
        /// what they bring.
        mechanisms: Vec<Mechanism>,
    },
    /// Accounts as Dovecot's auth service answers them.
    DovecotUserdb {
        /// The home folders of users, with `%u`, `%n` and `%d` in it.
        home: Option<String>,
        /// The owner of accounts that have none with a number.
        uid: Option<u32>,
        /// The group of all accounts.
        gid: Option<u32>,
        /// Whether drop files are told, to be the INBOX of their users.
        tells_drop_file: bool,
        /// Whether logins are taken up here, too.
        master: bool,
    },
    /// The JSON API.
    Http(HttpWords),
    /// Postfix' policy delegation.
    Policy,
    /// saslauthd's socket.
    Saslauthd,
    /// Tables of Postfix and sendmail, by their names.
    Socketmap {
        /// How mail for our domains travels.
        transport: Option<String>,
    },
    /// One table of Postfix.
    TcpTable {
        /// Its name.
        map: &'static str,
        /// How mail for our domains travels.
        transport: Option<String>,
    },
    /// Our own protocol, for programs of ours.
    Tcpauth {
        /// Whether they may change accounts.
        changes: bool,
        /// The certificate of the server and its key, for TLS.
        tls: Option<TlsFiles>,
    },
}

impl Dialect {
    /// How long an answer may take without `timeout=`. Postfix waits for 10
    /// seconds, and takes silence as the end of the connection.
    pub(super) fn usual_patience(&self) -> Duration {
        match self {
            Self::AuthHttp(_) | Self::AuthPolicy(_) | Self::Http(_) => http::PATIENCE,
            _ => Duration::from_secs(9),
        }
    }

    /// Its certificate, if it speaks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFiles> {
        match self {
            Self::Tcpauth { tls, .. } => tls.as_ref(),
            _ => self.http()?.tls.as_ref(),
        }
    }

    /// What it is told over HTTP, if it is spoken there.
    #[must_use]
    pub fn http(&self) -> Option<&HttpWords> {
        match self {
            Self::AuthHttp(words) => Some(&words.http),
            Self::AuthPolicy(words) | Self::Http(words) => Some(words),
            _ => None,
        }
    }

    /// The name in dmail.conf and in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AuthHttp(_) => "auth-http",
            Self::AuthPolicy(_) => "auth-policy",
            Self::Authdaemon(_) => "authdaemon",
            Self::DovecotAuth { .. } => "dovecot-auth",
            Self::Http(_) => "http",
            Self::DovecotUserdb { master: true, .. } => "dovecot-master",
            Self::DovecotUserdb { master: false, .. } => "dovecot-userdb",
            Self::Policy => "policy",
            Self::Saslauthd => "saslauthd",
            Self::Socketmap { .. } => "socketmap",
            Self::TcpTable { .. } => "tcp-table",
            Self::Tcpauth { .. } => "tcpauth",
        }
    }
}

/// How a dialect that has two ways to say "try again later" says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tempfail {
    /// As the client's version of the protocol lets hope that it understands.
    #[default]
    ByVersion,
    /// The connection is cut: for clients with one request at a time, which
    /// take the word for it as a wrong password.
    Close,
    /// In words, for clients with many requests at a time.
    Code,
}

/// What accounts are told to be, where a dialect demands more than the user
/// base says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountWords {
    /// The owner of accounts that have none with a number.
    pub uid: u32,
    /// The group of all accounts.
    pub gid: u32,
    /// The home folder of all accounts.
    pub home: PathBuf,
}

impl AccountWords {
    pub(super) fn take(options: &mut Options<'_>) -> Result<Self, Fault> {
        Ok(Self {
            uid: options.need("uid", &number(1..=u32::MAX))?,
            gid: options.need("gid", &number(1..=u32::MAX))?,
            home: options.need("home", &path())?,
        })
    }
}

/// The words of `dovecot-auth`.
pub(super) fn logins(options: &mut Options<'_>) -> Result<Dialect, Fault> {
    let tempfail = options.take("tempfail", &word(&TEMPFAILS))?.unwrap_or_default();
    let mechanisms = options.take("mechanisms", &mechanisms())?;
    let mechanisms = mechanisms.unwrap_or_else(|| vec![Mechanism::Plain, Mechanism::Login]);
    Ok(Dialect::DovecotAuth { tempfail, mechanisms })
}

/// The words of `dovecot-userdb`, and those of `dovecot-master`.
pub(super) fn userdb(options: &mut Options<'_>, master: bool) -> Result<Dialect, Fault> {
    Ok(Dialect::DovecotUserdb {
        home: options.take("home", &text(MAX_TEXT))?,
        uid: options.take("uid", &number(1..=u32::MAX))?,
        gid: options.take("gid", &number(1..=u32::MAX))?,
        tells_drop_file: options.take("mail", &word(&MAILS))?.unwrap_or_default(),
        master,
    })
}

/// The words of `socketmap`.
pub(super) fn maps(options: &mut Options<'_>) -> Result<Dialect, Fault> {
    Ok(Dialect::Socketmap { transport: options.take("transport", &text(MAX_TEXT))? })
}

/// The words of `tcp-table`.
pub(super) fn one_map(options: &mut Options<'_>) -> Result<Dialect, Fault> {
    let map = options.need("map", &map())?;
    Ok(Dialect::TcpTable { map, transport: options.take("transport", &text(MAX_TEXT))? })
}

/// The words of `tcpauth`.
pub(super) fn programs(options: &mut Options<'_>) -> Result<Dialect, Fault> {
    let changes = options.take("changes", &boolean())?.unwrap_or_default();
    Ok(Dialect::Tcpauth { changes, tls: TlsFiles::take(options)? })
}

/// Where mail is, and whether it is in drop files.
const MAILS: [(&str, bool); 2] = [("dovecot", false), ("drop-file", true)];

const TEMPFAILS: [(&str, Tempfail); 2] = [("close", Tempfail::Close), ("code", Tempfail::Code)];

/// Names of mechanisms, with commas between them.
fn mechanisms() -> Kind<Vec<Mechanism>> {
    Kind::new("names of SASL mechanisms with commas between them", |value| {
        let mut mechanisms = Vec::new();
        let mut at = 0;
        for name in value.text.split(',') {
            let part = at..at + name.len();
            at = part.end + 1;
            let Some(mechanism) = Mechanism::parse(name.as_bytes()) else {
                let names = Mechanism::ALL.map(Mechanism::name);
                let fault = Fault::part(part, "there is no such mechanism");
                return Err(fault.help(match suggest::closest(name, names) {
                    Some(close) => format!("did you mean {close}?"),
                    None => format!("there are {}", names.join(", ")),
                }));
            };
            if mechanisms.contains(&mechanism) {
                return Err(Fault::part(part, "the mechanism is there twice"));
            }
            mechanisms.push(mechanism);
        }
        Ok(mechanisms)
    })
}

/// The name of a map.
fn map() -> Kind<&'static str> {
    const MAPS: [(&str, &str); 6] = [
        ("quota", "quota"),
        ("sender_login", "sender_login"),
        ("transport", "transport"),
        ("valias", "valias"),
        ("vdomain", "vdomain"),
        ("vmailbox", "vmailbox"),
    ];
    word(&MAPS)
}
