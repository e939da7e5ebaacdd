//! `ldapauth.ini`: from its text to a [`Config`] that needs no further check.

mod check;
mod kinds;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dmail_core::config::{self, ConfigError, Diagnostic, Given, Loaded, Severity, Vocabulary};
use dmail_core::{Domain, Secret};
use dmail_schemes::SchemeError;

use crate::template::Template;
use crate::tls::Tls;
use settings::{AttributeSettings, ChangeSettings, ServerSettings, UserSettings};

/// The settings of `ldapauth.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "ldapauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[
        ServerSettings::GROUP,
        UserSettings::GROUP,
        AttributeSettings::GROUP,
        ChangeSettings::GROUP,
    ],
    not_used: &[],
};

/// Reads the file, and the certificates that it names.
pub(crate) fn load(file: &Path) -> Loaded<Config> {
    let mut read = |path: &Path| config::text(std::fs::read(path)?);
    config::load_with(file, &mut read, &VOCABULARY, Config::build)
}

/// All that is wrong with a file.
pub fn check(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

/// A scheme that this machine cannot compute, as an error about the file.
pub(crate) fn unusable_scheme(file: &Path, error: &SchemeError) -> ConfigError {
    ConfigError(vec![Diagnostic {
        severity: Severity::Error,
        message: format!("`ldap_scheme` does not work here: {error}"),
        file: file.into(),
        place: None,
        label: None,
        related: None,
        help: Some("for example: ldap_scheme ssha512".to_owned()),
    }])
}

/// What the file says, with all that belongs together in one place.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) servers: Vec<Address>,
    pub(crate) link: Arc<Link>,
    pub(crate) mode: Mode,
    pub(crate) user_dn: Option<Template>,
    pub(crate) base: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) search_name: String,
    pub(crate) objectclass: String,
    pub(crate) filter: Template,
    /// Whether the name in the entry must be the one that was asked for: a
    /// filter of the site's own may find people by any attribute.
    pub(crate) exact_name: bool,
    pub(crate) domain: Option<Domain>,
    pub(crate) decoy_dn: Option<String>,
    pub(crate) attributes: Attributes,
    pub(crate) changes: Changes,
}

/// How connections are made and used; the same for all servers.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) starttls: bool,
    pub(crate) tls: Tls,
    /// Who we are when we search and change; `None` is nobody.
    pub(crate) identity: Option<Identity>,
    pub(crate) ppolicy: bool,
    pub(crate) timeout: Duration,
    pub(crate) connections: usize,
    pub(crate) queue: usize,
    pub(crate) idle: Duration,
    pub(crate) retry_max: Duration,
    /// The attributes that the servers should know.
    pub(crate) expected: Vec<String>,
}

/// `ldap_bind_dn` and its password.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) dn: String,
    pub(crate) password: Secret,
}

/// Which attribute is what.
#[derive(Debug, Clone)]
pub(crate) struct Attributes {
    pub(crate) drop: Option<String>,
    pub(crate) uid: Option<String>,
    /// Info fields: `fwd`, `quota`, `mailstatus` and those of `ldap_info`.
    pub(crate) info: Vec<Labelled>,
    pub(crate) password: String,
}

impl Attributes {
    /// Whether an entry has anything to say beyond that it is there.
    pub(crate) fn are_mapped(&self) -> bool {
        self.drop.is_some() || self.uid.is_some() || !self.info.is_empty()
    }
}

/// How changes are made.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    pub(crate) readonly: bool,
    pub(crate) set_method: SetMethod,
    pub(crate) scheme: Scheme,
    pub(crate) new_dn: Option<Template>,
    pub(crate) new_objectclass: Vec<String>,
    pub(crate) new_attributes: Vec<NewAttribute>,
}

/// An attribute of new entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewAttribute {
    pub(crate) attribute: String,
    pub(crate) value: Template,
}

/// An attribute and the info field that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    pub(crate) attribute: String,
    pub(crate) label: String,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// As the file has it: what the server is called in logs.
    pub(crate) url: String,
    pub(crate) transport: Transport,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

/// How a password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bind as the name that a template makes.
    BindDn,
    /// Find the entry, read its stored hash, compare here.
    Compare,
    /// Find the entry, then bind as it.
    SearchBind,
}

impl Mode {
    const WORDS: [(&'static str, Self); 3] =
        [("search_bind", Self::SearchBind), ("bind_dn", Self::BindDn), ("compare", Self::Compare)];
}

/// How deep a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The base alone.
    Base,
    /// Its direct children.
    One,
    /// All beneath it.
    Sub,
}

impl Scope {
    const WORDS: [(&'static str, Self); 3] =
        [("sub", Self::Sub), ("one", Self::One), ("base", Self::Base)];
}

/// How a password is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetMethod {
    /// By the password modify operation.
    Exop,
    /// By replacing the attribute.
    Replace,
    /// As Active Directory wants it.
    UnicodePwd,
}

impl SetMethod {
    const WORDS: [(&'static str, Self); 3] =
        [("exop", Self::Exop), ("replace", Self::Replace), ("unicodepwd", Self::UnicodePwd)];
}

/// The scheme of `ldap_set_method replace`; `None` is the password itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scheme(pub(crate) Option<dmail_schemes::Scheme>);

impl Scheme {
    const WORDS: [(&'static str, Self); 9] = {
        use dmail_schemes::Scheme as S;
        [
            ("sha512-crypt", Self(Some(S::Sha512Crypt))),
            ("sha256-crypt", Self(Some(S::Sha256Crypt))),
            ("bcrypt", Self(Some(S::Bcrypt))),
            ("yescrypt", Self(Some(S::Yescrypt))),
            ("argon2id", Self(Some(S::Argon2id))),
            ("ssha512", Self(Some(S::Ssha512))),
            ("ssha256", Self(Some(S::Ssha256))),
            ("ssha", Self(Some(S::Ssha))),
            ("clear", Self(None)),
        ]
    };
}

impl Config {
    fn build(given: &mut Given<'_>) -> Option<Self> {
        let server = ServerSettings::build(given);
        let users = UserSettings::build(given);
        let attributes = AttributeSettings::build(given);
        let changes = ChangeSettings::build(given);
        let (server, users, attributes, changes) = (server?, users?, attributes?, changes?);

        check::users(&users, &attributes, &changes, given);
        check::changes(&server, users.mode, &changes, given);
        check::transport(&server, given);
        let identity = check::identity(&server, given);
        let tls = check::tls(&server, given)?;

        let filter = users.filter.clone();
        let usual = || Template::usual_filter(&users.objectclass, &users.search_name);
        let attributes = gather(attributes);
        let expected = expected(&users, &attributes, &changes);
        Some(Self {
            servers: server.servers,
            link: Arc::new(Link {
                starttls: server.starttls,
                tls,
                identity: identity?,
                ppolicy: users.ppolicy,
                timeout: server.timeout,
                connections: server.connections,
                queue: server.queue,
                idle: server.idle,
                retry_max: server.retry_max,
                expected,
            }),
            mode: users.mode,
            user_dn: users.user_dn,
            base: users.base,
            scope: users.scope,
            exact_name: filter.is_none(),
            filter: filter.unwrap_or_else(usual),
            search_name: users.search_name,
            objectclass: users.objectclass,
            domain: users.domain,
            decoy_dn: users.decoy_dn,
            attributes,
            changes: Changes {
                readonly: changes.readonly,
                set_method: changes.set_method,
                scheme: changes.scheme,
                new_dn: changes.new_dn,
                new_objectclass: changes.new_objectclass,
                new_attributes: changes.new_attributes,
            },
        })
    }
}

/// All info fields in one list, those with a setting of their own first.
fn gather(settings: AttributeSettings) -> Attributes {
    let own =
        [(settings.forward, "fwd"), (settings.quota, "quota"), (settings.status, "mailstatus")];
    let own = own.into_iter().filter_map(|(attribute, label)| {
        Some(Labelled { attribute: attribute?, label: label.to_owned() })
    });
    Attributes {
        drop: settings.drop,
        uid: settings.uid,
        info: own.chain(settings.info).collect(),
        password: settings.password,
    }
}

/// What the schema of the directory is asked for.
fn expected(users: &UserSettings, mapped: &Attributes, changes: &ChangeSettings) -> Vec<String> {
    let mut names: Vec<String> =
        [&mapped.drop, &mapped.uid].into_iter().flatten().cloned().collect();
    names.extend(mapped.info.iter().map(|field| field.attribute.clone()));
    if users.filter.is_none() && users.mode != Mode::BindDn {
        names.push(users.search_name.clone());
    }
    let replaces = !changes.readonly && changes.set_method == SetMethod::Replace;
    if users.mode == Mode::Compare || replaces {
        names.push(mapped.password.clone());
    }
    if changes.new_dn.is_some() {
        names.extend(changes.new_attributes.iter().map(|new| new.attribute.clone()));
    }
    names
}

#[cfg(test)]
mod tests;
