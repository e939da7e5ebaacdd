//! The dialects: what each is called, who speaks it, and what it must be told.

use std::path::PathBuf;
use std::time::Duration;

use super::super::suggest;
use super::super::value::{Fault, Kind, boolean, number, path, text, word};
use super::http::{self, AuthHttpWords, HttpWords};
use super::options::Options;
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
    /// Our own protocol, for programs on this machine.
    Tcpauth {
        /// Whether they may change accounts.
        changes: bool,
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
    fn take(options: &mut Options<'_>) -> Result<Self, Fault> {
        Ok(Self {
            uid: options.need(&UID, &number(1..=u32::MAX))?,
            gid: options.need(&GID, &number(1..=u32::MAX))?,
            home: options.need(&HOME, &path())?,
        })
    }
}

/// A dialect, as the manual shows it.
pub struct DialectRow {
    /// Its name.
    pub name: &'static str,
    /// Who speaks it.
    pub spoken_by: &'static str,
    /// A line to copy.
    pub example: &'static str,
    /// The options that it has, beside those of its socket.
    pub options: &'static [&'static OptionRow],
    /// Takes what is the dialect's own.
    pub(super) read: fn(&mut Options<'_>) -> Result<Dialect, Fault>,
}

/// An option, as the manual shows it.
pub struct OptionRow {
    /// Its name, without `=`.
    pub name: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Options of TCP sockets.
pub(super) const TCP_OPTIONS: &[&OptionRow] = &[&ALLOW];
/// Options of unix sockets.
pub(super) const UNIX_OPTIONS: &[&OptionRow] = &[&MODE, &OWNER, &GROUP];

/// The dialects, by their names.
pub const DIALECTS: &[DialectRow] = &[
    http::AUTH_HTTP,
    http::AUTH_POLICY,
    DialectRow {
        name: "authdaemon",
        spoken_by: "Courier (authdaemond's socket), Cyrus SASL (`authdaemond`)",
        example: "dialect authdaemon unix:authdaemon.sock group=courier mode=660 \
                  uid=5000 gid=5000 home=/var/mail",
        options: &[&UID, &GID, &HOME, &SERVICE, &TIMEOUT],
        read: |options| AccountWords::take(options).map(Dialect::Authdaemon),
    },
    DialectRow {
        name: "dovecot-auth",
        spoken_by: "Postfix (`smtpd_sasl_type = dovecot`), Exim (`driver = dovecot`), Dovecot's \
                    login processes",
        example: "dialect dovecot-auth unix:/var/spool/postfix/private/dmail mode=660 \
                  group=postfix",
        options: &[&TEMPFAIL, &MECHANISMS, &SERVICE, &TIMEOUT],
        read: |options| {
            let tempfail = options.take("tempfail", &word(&TEMPFAILS))?.unwrap_or_default();
            let mechanisms = options.take("mechanisms", &mechanisms())?;
            let mechanisms = mechanisms.unwrap_or_else(|| vec![Mechanism::Plain, Mechanism::Login]);
            Ok(Dialect::DovecotAuth { tempfail, mechanisms })
        },
    },
    DialectRow {
        name: "dovecot-master",
        spoken_by: "Dovecot's mail processes, which take up the logins of `dovecot-auth`, and \
                    `doveadm auth cache flush`",
        example: "dialect dovecot-master unix:master.sock mode=660 group=dovecot uid=5000 gid=5000",
        options: &[&HOMES, &OWNER_UID, &OWNER_GID, &MAIL, &TIMEOUT],
        read: |options| userdb(options, true),
    },
    DialectRow {
        name: "dovecot-userdb",
        spoken_by: "Dovecot's LMTP, LDA and `doveadm user`",
        example: "dialect dovecot-userdb unix:userdb.sock mode=660 group=dovecot",
        options: &[&HOMES, &OWNER_UID, &OWNER_GID, &MAIL, &SERVICE, &TIMEOUT],
        read: |options| userdb(options, false),
    },
    DialectRow {
        name: "policy",
        spoken_by: "Postfix (`check_policy_service`)",
        example: "dialect policy unix:/var/spool/postfix/private/policy mode=660 group=postfix",
        options: &[&TIMEOUT],
        read: |_| Ok(Dialect::Policy),
    },
    http::HTTP,
    DialectRow {
        name: "saslauthd",
        spoken_by: "Cyrus SASL (`pwcheck_method: saslauthd`), OpenLDAP's `{SASL}`, Exim's \
                    `saslauthd` condition",
        example: "dialect saslauthd unix:/run/saslauthd/mux mode=660 group=sasl",
        options: &[&SERVICE, &TIMEOUT],
        read: |_| Ok(Dialect::Saslauthd),
    },
    DialectRow {
        name: "socketmap",
        spoken_by: "Postfix (`socketmap:` tables), sendmail",
        example: "dialect socketmap unix:/var/spool/postfix/private/maps mode=660 group=postfix",
        options: &[&TRANSPORT, &SERVICE, &TIMEOUT],
        read: |options| {
            Ok(Dialect::Socketmap { transport: options.take("transport", &text(MAX_TEXT))? })
        },
    },
    DialectRow {
        name: "tcp-table",
        spoken_by: "Postfix (`tcp:` tables)",
        example: "dialect tcp-table 127.0.0.1:7026 map=valias",
        options: &[&MAP, &TRANSPORT, &SERVICE, &TIMEOUT],
        read: |options| {
            Ok(Dialect::TcpTable {
                map: options.need(&MAP, &map())?,
                transport: options.take("transport", &text(MAX_TEXT))?,
            })
        },
    },
    DialectRow {
        name: "tcpauth",
        spoken_by: "programs of ours: `authent_method tcpauth`, and the dialects on standard input",
        example: "dialect tcpauth unix:tcpauth.sock",
        options: &[&CHANGES],
        read: |options| {
            let changes = options.take("changes", &boolean())?.unwrap_or_default();
            Ok(Dialect::Tcpauth { changes })
        },
    },
];

fn userdb(options: &mut Options<'_>, master: bool) -> Result<Dialect, Fault> {
    Ok(Dialect::DovecotUserdb {
        home: options.take("home", &text(MAX_TEXT))?,
        uid: options.take("uid", &number(1..=u32::MAX))?,
        gid: options.take("gid", &number(1..=u32::MAX))?,
        tells_drop_file: options.take("mail", &word(&MAILS))?.unwrap_or_default(),
        master,
    })
}

const ALLOW: OptionRow = OptionRow {
    name: "allow",
    value: "192.0.2.0/28,2001:db8::/64",
    meaning: "The servers that may ask. Others are closed without a word. Without it, the \
              address must be one that only this machine reaches.",
};
const MODE: OptionRow = OptionRow {
    name: "mode",
    value: "660",
    meaning: "The permissions of the file, 600 without it. Whoever may write to it may ask.",
};
const OWNER: OptionRow = OptionRow {
    name: "owner",
    value: "postfix",
    meaning: "The user whom the file belongs to, or `USER:GROUP`.",
};
const GROUP: OptionRow =
    OptionRow { name: "group", value: "postfix", meaning: "The group of the file." };
pub(super) const SERVICE: OptionRow = OptionRow {
    name: "service",
    value: "smtp",
    meaning: "The service that a request counts for (`imap`, `pop3`, `smtp`, `web`) if it names \
              none of them itself.",
};
const TIMEOUT: OptionRow = OptionRow {
    name: "timeout",
    value: "20s",
    meaning: "How long an answer may take before it is \"try again later\", 9 seconds without it.",
};
const TEMPFAIL: OptionRow = OptionRow {
    name: "tempfail",
    value: "code",
    meaning: "How \"try again later\" is told. `close` cuts the connection, which Postfix and Exim \
              understand; to the protocol's own word they tell their clients that the password is \
              wrong. `code` is that word, for Dovecot, which takes a connection that is cut for a \
              wrong password. Without it, `code` for clients that speak version 1.2 of the \
              protocol or a later one, as Dovecot since 2.3, and `close` for all others.",
};
const CHANGES: OptionRow = OptionRow {
    name: "changes",
    value: "yes",
    meaning: "Whether whoever may ask may also set passwords, add users and remove them. Without \
              it, nobody may.",
};
const MECHANISMS: OptionRow = OptionRow {
    name: "mechanisms",
    value: "PLAIN,LOGIN,SCRAM-SHA-256",
    meaning: "How clients may log in, in this order: `PLAIN` and `LOGIN` without it. `SCRAM-SHA-256`, \
              `SCRAM-SHA-1` and `CRAM-MD5` are for users whose stored password allows it \
              (`docs/scram.md`), those with `-PLUS` for Dovecot 2.4 only; `OAUTHBEARER` and \
              `XOAUTH2` for tokens of an identity provider (`docs/oauth2.md`). What the user base \
              cannot judge is not offered.",
};
const UID: OptionRow = OptionRow {
    name: "uid",
    value: "5000",
    meaning: "The number of the user that owns accounts for which the user base names none.",
};
const GID: OptionRow =
    OptionRow { name: "gid", value: "5000", meaning: "The number of the group of all accounts." };
const OWNER_UID: OptionRow = OptionRow {
    name: "uid",
    value: "5000",
    meaning: "The number of the user that owns accounts for which the user base names none. \
              Without it, Dovecot's `mail_uid`.",
};
const OWNER_GID: OptionRow = OptionRow {
    name: "gid",
    value: "5000",
    meaning: "The number of the group of all accounts. Without it, Dovecot's `mail_gid`.",
};
const MAIL: OptionRow = OptionRow {
    name: "mail",
    value: "drop-file",
    meaning: "`drop-file` tells Dovecot to open a user's drop file as the INBOX, an mbox, and to \
              keep other folders in `mail` beneath the home folder: for mail that dmail delivers. \
              Without it, or with `dovecot`, mail is where Dovecot's own `mail_location` says.",
};
const HOME: OptionRow =
    OptionRow { name: "home", value: "/var/mail", meaning: "The home folder of all accounts." };
const HOMES: OptionRow = OptionRow {
    name: "home",
    value: "/var/mail/%d/%n",
    meaning: "The home folders: `%u` is the user's name, `%n` its part before `@`, `%d` the part \
              after it. Without it, no home is told.",
};
const TRANSPORT: OptionRow = OptionRow {
    name: "transport",
    value: "lmtp:unix:private/lmtp",
    meaning: "What the map `transport` says of our domains. Without it, nothing.",
};
const MAP: OptionRow = OptionRow {
    name: "map",
    value: "valias",
    meaning: "The map that is served: `quota`, `sender_login`, `transport`, `valias`, `vdomain` \
              or `vmailbox`.",
};

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

/// The dialects and their options as two tables of Markdown.
#[must_use]
pub fn dialect_manual() -> String {
    let mut manual = "| `dialect` | is spoken by | its options |\n|---|---|---|\n".to_owned();
    for DialectRow { name, spoken_by, options, .. } in DIALECTS {
        let options: Vec<_> = options.iter().map(|option| format!("`{}=`", option.name)).collect();
        manual.push_str(&format!("| `{name}` | {spoken_by} | {} |\n", options.join(" ")));
    }
    manual.push_str("\n| option | of | for example | meaning |\n|---|---|---|---|\n");
    let mut told: Vec<(&str, &str)> = Vec::new();
    let sockets = [("TCP sockets", TCP_OPTIONS), ("unix sockets", UNIX_OPTIONS)];
    let own = DIALECTS.iter().map(|row| (row.name, row.options));
    let all: Vec<_> = sockets.into_iter().chain(own).collect();
    for option in all.iter().flat_map(|(_, options)| *options) {
        let OptionRow { name, value, meaning } = option;
        if told.contains(&(name, meaning)) {
            continue;
        }
        told.push((name, meaning));
        let has = |options: &[&OptionRow]| options.iter().any(|other| other.meaning == *meaning);
        let of: Vec<_> = all.iter().filter(|(_, o)| has(o)).map(|(name, _)| *name).collect();
        let of = if of.len() + 3 > DIALECTS.len() { "most".to_owned() } else { of.join(", ") };
        manual.push_str(&format!("| `{name}=` | {of} | `{name}={value}` | {meaning} |\n"));
    }
    manual
}
