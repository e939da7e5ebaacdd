//! `tcpauth.ini`: which daemons a client asks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmail_authent::line::Quoting;
use dmail_core::Secret;
use dmail_core::config::Unset::{Compulsory, Nothing, Value};
use dmail_core::config::value::{boolean, number, path, seconds, secret, text, word};
use dmail_core::config::{self, ConfigError, Diagnostic, Given, Loaded, Severity, Vocabulary};

use super::introduction;
use super::kind::{VERSIONS, endpoint};
use super::tls::{self, TlsError};
use crate::client::{ClientConfig, Endpoint, TlsConfig, Versions};

dmail_core::settings! {
    title: "Daemons";
    /// The daemons are asked in the order of their lines: the next one only
    /// while those before it do not answer. There is a connection to each of
    /// them all the time, so that all can tell of changes.
    pub struct ServerSettings {
        /// A daemon: a machine and its port, or a unix socket.
        servers: Vec<Endpoint> = many("server", endpoint()),
            default: Compulsory, example: "server auth1.corp.example:2110";

        /// How long a question may take, all daemons together. After that the
        /// client is told to try again later.
        timeout: Duration = one("timeout", seconds(1..=600)),
            default: Value("10"), example: "timeout 20";

        /// How long a connection to a daemon may take to be made.
        connect_timeout: Duration = one("connect_timeout", seconds(1..=60)),
            default: Value("1"), example: "connect_timeout 3";

        /// How often something is sent at least. A daemon from which nothing
        /// was heard for three times as long is given up, and the next one is
        /// asked.
        heartbeat: Duration = one("heartbeat", seconds(1..=600)),
            default: Value("2"), example: "heartbeat 5";

        /// While the connection to a daemon is lost, its changes are not heard
        /// of. All remembered answers are then asked again so often, and once
        /// more when the connection is back. An old password that was changed
        /// meanwhile works no longer than this and three heartbeats, unless no
        /// daemon answers at all: then memory may help out (`authent_grace` in
        /// dmail.conf) with what was verified before.
        recheck_after: Duration = one("recheck_after", seconds(1..=86400)),
            default: Value("30"), example: "recheck_after 5";

        /// Whether the daemons may decide by the address of the user's client
        /// (a `mailmask`, a module that is told it). What is remembered of an
        /// answer then holds for that address alone. With `false` it holds for
        /// all, and a daemon that says that it decides by the address is not
        /// asked; one of the first version, which cannot say, is not told it.
        by_address: bool = one("by_address", boolean()),
            default: Value("true"), example: "by_address false";

        /// How many questions may be under way to one daemon.
        outstanding: usize = one("outstanding", number(1..=1_000_000)),
            default: Value("1000"), example: "outstanding 200";
    }
}

dmail_core::settings! {
    title: "Secrecy";
    /// Without TLS, passwords cross the network in clear text.
    pub struct SecrecySettings {
        /// Whether daemons are asked over TLS. A unix socket needs none.
        tls: bool = one("tls", boolean()), default: Value("false"), example: "tls true";

        /// The certificates of the authorities that a daemon's certificate may
        /// come from, as PEM.
        ca: Option<PathBuf> = optional("tls_ca", path()),
            default: Nothing("those that this machine trusts"),
            example: "tls_ca /etc/dmail/ca.pem";

        /// The name that the certificates of the daemons have.
        name: Option<String> = optional("tls_name", text(253)),
            default: Nothing("the host of `server`"), example: "tls_name auth.corp.example";

        /// Our own certificate, as PEM, for a daemon that asks for one.
        certificate: Option<PathBuf> = optional("tls_certificate", path()),
            default: Nothing("we show none"), example: "tls_certificate /etc/dmail/node.pem";

        /// The private key of `tls_certificate`, as PEM.
        key: Option<PathBuf> = optional("tls_key", path()),
            default: Nothing("needed by `tls_certificate`"),
            example: "tls_key /etc/dmail/node.key";

        /// A secret that the daemons have, too. Each side proves that it knows
        /// it, and it is never sent.
        secret: Option<Secret> = optional("shared_secret", secret()),
            default: Nothing("nothing is proved"),
            example: "shared_secret correct-horse-battery-staple";
    }
}

dmail_core::settings! {
    title: "Old daemons";
    /// A daemon of the first version speaks the line protocol of modules: one
    /// question at a time, and nothing is heard of changes.
    pub struct OldSettings {
        /// Which version is spoken: `2`, `1`, or `auto`: the second, and the
        /// first with a daemon that knows no other. With a `shared_secret`, an
        /// old daemon is never asked.
        version: Versions = one("version", word(&VERSIONS)),
            default: Value("auto"), example: "version 2";

        /// How many connections there may be to an old daemon.
        connections: usize = one("plain_connections", number(1..=1000)),
            default: Value("4"), example: "plain_connections 10";

        /// Whether an old daemon understands percent-encoded arguments (`%20`
        /// for a blank). If not, a name or password with a blank or a control
        /// character is refused before it is sent.
        quote: bool = one("plain_quote", boolean()),
            default: Value("false"), example: "plain_quote true";

        /// Whether an old daemon understands names and passwords in UTF-8. If
        /// not, those beyond ASCII are refused before they are sent.
        utf8: bool = one("plain_utf8", boolean()),
            default: Value("false"), example: "plain_utf8 true";
    }
}

/// The vocabulary of `tcpauth.ini`.
pub const TCPAUTH_INI: Vocabulary = Vocabulary {
    file: "tcpauth.ini",
    introduction: introduction!(
        "`tcpauth.ini` says which daemons are asked by `authent_method tcpauth` and by \
         `dmail tcpauth`.\n"
    ),
    groups: &[ServerSettings::GROUP, SecrecySettings::GROUP, OldSettings::GROUP],
    not_used: &[],
};

/// Reads `tcpauth.ini`, and the certificates that it names.
///
/// # Errors
///
/// All that is wrong with it.
pub fn load_client(file: &Path) -> Result<(ClientConfig, Vec<Diagnostic>), ConfigError> {
    load(file).into_result()
}

/// All that is wrong with the file.
#[must_use]
pub fn check_client(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

fn load(file: &Path) -> Loaded<ClientConfig> {
    let mut read = |path: &Path| config::text(std::fs::read(path)?);
    config::load_with(file, &mut read, &TCPAUTH_INI, |given| {
        given.guard_secret("shared_secret", super::mode);
        build(given)
    })
}

fn build(given: &mut Given<'_>) -> Option<ClientConfig> {
    let servers = ServerSettings::build(given);
    let secrecy = SecrecySettings::build(given);
    let old = OldSettings::build(given);
    let (servers, secrecy, old) = (servers?, secrecy?, old?);
    if old.version == Versions::First && secrecy.secret.is_some() {
        given.report(
            Severity::Error,
            &["version"],
            "the first version cannot prove a `shared_secret`",
            "take away one of the two",
        );
    }
    let timeout = servers.timeout;
    if servers.connect_timeout > timeout {
        given.report(
            Severity::Warning,
            &["connect_timeout"],
            "`connect_timeout` is longer than `timeout`, so a question may fail although the next \
             daemon would answer",
            "set `timeout` to several times that",
        );
    }
    let tls = build_tls(&secrecy, given);
    Some(ClientConfig {
        servers: servers.servers,
        versions: old.version,
        timeout,
        connect_timeout: servers.connect_timeout,
        heartbeat: servers.heartbeat,
        recheck_after: servers.recheck_after,
        outstanding: servers.outstanding,
        plain_connections: old.connections,
        quoting: Quoting { utf8: old.utf8, percent: old.quote },
        tls,
        secret: secrecy.secret,
        by_address: servers.by_address,
        peer: false,
    })
}

fn build_tls(secrecy: &SecrecySettings, given: &mut Given<'_>) -> Option<TlsConfig> {
    if !secrecy.tls {
        for name in ["tls_ca", "tls_name", "tls_certificate", "tls_key"] {
            if given.is_set(name) {
                let message = format!("`{name}` has no effect without TLS");
                given.report(Severity::Error, &[name], &message, "add: tls true");
            }
        }
        return None;
    }
    let own = match (&secrecy.certificate, &secrecy.key) {
        (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
        (None, None) => None,
        _ => {
            given.report(
                Severity::Error,
                &["tls_certificate", "tls_key"],
                "a certificate needs its key, and a key its certificate",
                "set both `tls_certificate` and `tls_key`, or none",
            );
            return None;
        }
    };
    if !given.are_sound(&["tls_ca", "tls_certificate", "tls_key"]) {
        return None;
    }
    if let Some((_, key)) = own {
        given.guard_key("tls_key", key, super::mode_and_owner(key));
    }
    match tls::client(secrecy.ca.as_deref(), own) {
        Ok(config) => Some(TlsConfig { config, name: secrecy.name.clone() }),
        Err(error) => {
            let blamed: &[&str] = match &error {
                TlsError::Key { .. } => &["tls_key"],
                TlsError::Certificate { file, .. } if Some(file) == secrecy.ca.as_ref() => {
                    &["tls_ca"]
                }
                TlsError::Certificate { .. } | TlsError::Pair { .. } => &["tls_certificate"],
                TlsError::Roots(_) => &["tls_ca", "tls"],
            };
            given.report(Severity::Error, blamed, &error.to_string(), "name a readable PEM file");
            None
        }
    }
}
