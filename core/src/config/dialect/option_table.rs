//! The options of lines `dialect`: what each is called, who has it, and what it
//! means.

/// An option, as the manual shows it.
pub(super) struct OptionRow {
    /// Its name, without `=`.
    pub(super) name: &'static str,
    /// What has it.
    pub(super) of: Of,
    /// What its value looks like.
    pub(super) value: &'static str,
    /// What it means.
    pub(super) meaning: &'static str,
}

/// What has an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Every dialect on a TCP socket.
    Tcp,
    /// Every dialect on a unix socket.
    Unix,
    /// These dialects, wherever they are served.
    Dialects(&'static [&'static str]),
    /// All dialects but these.
    AllBut(&'static [&'static str]),
}

impl OptionRow {
    /// Whether the dialect has it, wherever it is served.
    pub(super) fn is_of(&self, dialect: &str) -> bool {
        match self.of {
            Of::Tcp | Of::Unix => false,
            Of::Dialects(names) => names.contains(&dialect),
            Of::AllBut(names) => !names.contains(&dialect),
        }
    }
}

/// The dialects that are HTTP.
const OVER_HTTP: Of = Of::Dialects(&["auth-http", "auth-policy", "http"]);
/// Those that can be spoken over TLS.
const OVER_TLS: Of = Of::Dialects(&["auth-http", "auth-policy", "http", "tcpauth"]);
/// That of nginx.
const NGINX: Of = Of::Dialects(&["auth-http"]);
/// Those that tell mail processes who a user is.
const USERDB: Of = Of::Dialects(&["dovecot-master", "dovecot-userdb"]);
/// Those that tell an account's owner and group.
const UNIX_ACCOUNT: Of = Of::Dialects(&["authdaemon", "dovecot-master", "dovecot-userdb"]);

/// The options. One name may mean one thing here and another there.
pub(super) const OPTIONS: &[OptionRow] = &[
    OptionRow {
        name: "allow",
        of: Of::Tcp,
        value: "192.0.2.0/28,2001:db8::/64",
        meaning: "The servers that may ask. Others are closed without a word. Without it, the \
                  address must be one that only this machine reaches.",
    },
    OptionRow {
        name: "mode",
        of: Of::Unix,
        value: "660",
        meaning: "The permissions of the file, 600 without it. Whoever may write to it may ask.",
    },
    OptionRow {
        name: "owner",
        of: Of::Unix,
        value: "postfix",
        meaning: "The user whom the file belongs to, or `USER:GROUP`.",
    },
    OptionRow { name: "group", of: Of::Unix, value: "postfix", meaning: "The group of the file." },
    OptionRow {
        name: "imap",
        of: NGINX,
        value: "127.0.0.1:143",
        meaning: "The server of IMAP logins. A user's info field `mailhost` may name another one.",
    },
    OptionRow {
        name: "pop3",
        of: NGINX,
        value: "127.0.0.1:110",
        meaning: "The server of POP3 logins. A user's info field `mailhost` may name another one.",
    },
    OptionRow {
        name: "smtp",
        of: NGINX,
        value: "127.0.0.1:25",
        meaning: "The server of SMTP, for those who log in. A user's info field `mailhost` may \
                  name another one.",
    },
    OptionRow {
        name: "mx",
        of: NGINX,
        value: "127.0.0.1:25",
        meaning: "The server of SMTP for those who do not log in (`smtp_auth none`). Without it \
                  they are refused.",
    },
    OptionRow {
        name: "user",
        of: NGINX,
        value: "account",
        meaning: "The name that the server gets: `login` is what the client gave, `account` the \
                  name in the user base. Without it, `login`.",
    },
    OptionRow {
        name: "wait",
        of: NGINX,
        value: "3s",
        meaning: "How long nginx waits before it tells its client of a refusal, 1 second without \
                  it; the delays of the throttle come before that.",
    },
    OptionRow {
        name: "attempts",
        of: NGINX,
        value: "5",
        meaning: "After so many attempts nginx closes a connection, 10 without it.",
    },
    OptionRow {
        name: "secret_file",
        of: OVER_HTTP,
        value: "http.secret",
        meaning: "The file whose first line every request has to show: as `X-Auth-Key` with \
                  `auth-http`, else as `Authorization: Bearer`. `http` on a TCP socket needs it.",
    },
    OptionRow {
        name: "certificate",
        of: OVER_TLS,
        value: "/etc/ssl/mail.pem",
        meaning: "The file of a certificate (PEM): a TCP socket speaks TLS then. After a renewal \
                  send SIGHUP: new clients are shown the new one.",
    },
    OptionRow {
        name: "key",
        of: OVER_TLS,
        value: "/etc/ssl/mail.key",
        meaning: "The file of the certificate's key (PEM).",
    },
    OptionRow {
        name: "uid",
        of: UNIX_ACCOUNT,
        value: "5000",
        meaning: "The number of the user that owns accounts for which the user base names none. \
                  Without it, Dovecot's `mail_uid`; `authdaemon` needs it.",
    },
    OptionRow {
        name: "gid",
        of: UNIX_ACCOUNT,
        value: "5000",
        meaning: "The number of the group of all accounts. Without it, Dovecot's `mail_gid`; \
                  `authdaemon` needs it.",
    },
    OptionRow {
        name: "home",
        of: Of::Dialects(&["authdaemon"]),
        value: "/var/mail",
        meaning: "The home folder of all accounts.",
    },
    OptionRow {
        name: "home",
        of: USERDB,
        value: "/var/mail/%d/%n",
        meaning: "The home folders: `%u` is the user's name, `%n` its part before `@`, `%d` the \
                  part after it. Without it, no home is told.",
    },
    OptionRow {
        name: "mail",
        of: USERDB,
        value: "drop-file",
        meaning: "`drop-file` tells Dovecot to open a user's drop file as the INBOX, an mbox, and \
                  to keep other folders in `mail` beneath the home folder: for mail that dmail \
                  delivers. Without it, or with `dovecot`, mail is where Dovecot's own \
                  `mail_location` says.",
    },
    OptionRow {
        name: "tempfail",
        of: Of::Dialects(&["dovecot-auth"]),
        value: "code",
        meaning: "How \"try again later\" is told. `close` cuts the connection, which Postfix and \
                  Exim understand; to the protocol's own word they tell their clients that the \
                  password is wrong. `code` is that word, for Dovecot, which takes a connection \
                  that is cut for a wrong password. Without it, `code` for clients that speak \
                  version 1.2 of the protocol or a later one, as Dovecot since 2.3, and `close` \
                  for all others.",
    },
    OptionRow {
        name: "mechanisms",
        of: Of::Dialects(&["dovecot-auth"]),
        value: "PLAIN,LOGIN,SCRAM-SHA-256",
        meaning: "How clients may log in, in this order: `PLAIN` and `LOGIN` without it. \
                  `SCRAM-SHA-256`, `SCRAM-SHA-1` and `CRAM-MD5` are for users whose stored \
                  password allows it (`docs/scram.md`), those with `-PLUS` for Dovecot 2.4 only; \
                  `OAUTHBEARER` and `XOAUTH2` for tokens (`docs/oauth2.md`). What the user \
                  base cannot judge is not offered.",
    },
    OptionRow {
        name: "transport",
        of: Of::Dialects(&["socketmap", "tcp-table"]),
        value: "lmtp:unix:private/lmtp",
        meaning: "What the map `transport` says of our domains. Without it, nothing.",
    },
    OptionRow {
        name: "map",
        of: Of::Dialects(&["tcp-table"]),
        value: "valias",
        meaning: "The map that is served: `quota`, `sender_login`, `transport`, `valias`, `vdomain` \
                  or `vmailbox`.",
    },
    OptionRow {
        name: "changes",
        of: Of::Dialects(&["tcpauth"]),
        value: "yes",
        meaning: "Whether whoever may ask may also set passwords, add users and remove them. \
                  Without it, nobody may.",
    },
    OptionRow {
        name: "service",
        of: Of::Dialects(&["authdaemon", "dovecot-auth", "dovecot-userdb", "http", "saslauthd"]),
        value: "smtp",
        meaning: "The service that a request counts for (`imap`, `pop3`, `smtp`, `web`) if it \
                  names none of them itself.",
    },
    OptionRow {
        name: "timeout",
        of: Of::AllBut(&["auth-policy", "tcpauth"]),
        value: "20s",
        meaning: "How long an answer may take before it is \"try again later\": 9 seconds without \
                  it, with `auth-http` and `http` 50, longer than the throttle delays anybody, \
                  shorter than nginx waits.",
    },
];
