//! User bases: what a gateway asks in the end, each an
//! [`Authenticator`](dmail_core::Authenticator).
//!
//! ```text
//!   AuthRequest ─▶ nwauth   store: nwauth.txt, nwauth.add, an index
//!                  dnauth   the users.dat of DNews, read-only
//!                  ldap     a directory: bind, or search and compare
//!                  mysql    a table, or statements of the site's own
//!                  unix     PAM or shadow, in helper children
//!                  checkpassword   a program of that interface, for each login
//!                  dovecot, courier   the auth service of such a server
//!                  multi    several of these, each with rules of its own
//!                  oauth2   whose a token is, by signature or by asking the issuer
//!                  tcpauth  the daemon of another machine
//! ```
//!
//! [`SOURCES`] lists the bases that there are. To add one, write its module (or
//! crate, if it brings a library of weight) and add its line here.

pub mod checkpassword;
pub mod command;
pub mod courier;
pub mod dnauth;
pub mod dovecot;
#[doc(hidden)]
pub mod fuzzing;
pub mod multi;
pub mod nwauth;

mod foreign;
mod ini;
#[cfg(test)]
mod manual;

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use dmail_core::Authenticator;
use dmail_core::config::{ConfigError, Diagnostic, Vocabulary};

use checkpassword::CheckPassword;
use courier::Courier;
use dmail_unix::UnixUsers;
use dnauth::DnAuth;
use dovecot::Dovecot;
use nwauth::{NwAuth, NwAuthConfig};

/// A kind of user base: its names, and how to open one.
#[derive(Clone, Copy)]
pub struct SourceKind {
    /// The word in `authent_method`.
    pub name: &'static str,
    /// The name of the original's program: what this base is called as a
    /// module on standard input and output. `None` if the line protocol cannot
    /// ask what it judges.
    pub program: Option<&'static str>,
    /// One line for manuals and error messages.
    pub summary: &'static str,
    /// The file of its own settings. `None` if dmail.conf has them.
    pub file: Option<SourceFile>,
    /// Opens the base. Must be called within the runtime. A server that does
    /// not answer now is no error: the base says so when it is asked.
    pub open: Open,
}

/// The file with the settings of a user base.
#[derive(Clone, Copy)]
pub struct SourceFile {
    /// What it may hold; its `file` is the name that the file usually has.
    pub vocabulary: &'static Vocabulary,
    /// All that is wrong with the file of this name.
    pub check: fn(&Path) -> Vec<Diagnostic>,
}

/// Opens a base.
pub type Open = for<'a> fn(&'a SourceSettings) -> Opening<'a>;

/// A base that is being opened.
pub type Opening<'a> =
    Pin<Box<dyn Future<Output = Result<Arc<dyn Authenticator>, OpenError>> + Send + 'a>>;

/// What the configuration says about a user base, whatever its kind.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The file of the base's own settings, for those that have one.
    pub file: PathBuf,
    /// Starts modules: this program and the words that make it a launcher.
    pub launcher: Vec<OsString>,
    /// What an NWAuth base is opened with.
    pub nwauth: NwAuthConfig,
}

/// Why a user base could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A checkpassword program.
    #[error(transparent)]
    CheckPassword(#[from] checkpassword::OpenError),
    /// The MySQL base.
    #[error("mysql: {0}")]
    MySql(#[from] dmail_mysql::OpenError),
    /// The NWAuth files.
    #[error(transparent)]
    NwAuth(#[from] nwauth::OpenError),
    /// A module of a chain.
    #[error("{name} of multiauth.ini: {error}")]
    Module {
        /// The module.
        name: String,
        /// Why its user base could not be opened.
        error: Box<Self>,
    },
    /// A module of a chain that names no user base.
    #[error("{name} of multiauth.ini has neither source nor binary")]
    Empty {
        /// The module.
        name: String,
    },
    /// DNAuth.
    #[error(transparent)]
    DnAuth(#[from] dnauth::OpenError),
    /// The users of the operating system.
    #[error(transparent)]
    Unix(#[from] dmail_unix::OpenError),
}

/// The user bases that there are, in process.
pub const SOURCES: &[SourceKind] = &[
    SourceKind {
        name: "nwauth",
        program: Some("nwauth"),
        summary: "NWAuth: the text files nwauth.txt and nwauth.add",
        file: None,
        open: |settings| Box::pin(open_nwauth(settings)),
    },
    SourceKind {
        name: multi::NAME,
        program: Some("multiauth"),
        summary: "MultiAuth: several user bases, each with rules of its own",
        file: Some(SourceFile { vocabulary: &multi::VOCABULARY, check: multi::check }),
        open: |settings| Box::pin(multi::open(settings)),
    },
    SourceKind {
        name: "ldap",
        program: Some("ldapauth"),
        summary: "LDAP: a directory that users bind to, or that shows their hashes",
        file: Some(SourceFile { vocabulary: &dmail_ldap::VOCABULARY, check: dmail_ldap::check }),
        open: |settings| Box::pin(async { Ok(dmail_ldap::open(&settings.file).await?) }),
    },
    SourceKind {
        name: "mysql",
        program: Some("mysqlauth"),
        summary: "a table of MySQL or MariaDB, or statements of your own",
        file: Some(SourceFile { vocabulary: &dmail_mysql::VOCABULARY, check: dmail_mysql::check }),
        open: |settings| Box::pin(open_mysql(settings)),
    },
    SourceKind {
        name: "unix_user",
        program: Some("unixauth"),
        summary: "the users of the operating system, by PAM or shadow passwords",
        file: Some(SourceFile {
            vocabulary: &dmail_unix::settings::VOCABULARY,
            check: dmail_unix::settings::check,
        }),
        open: |settings| Box::pin(async { open_unix(settings) }),
    },
    SourceKind {
        name: "dnauth",
        program: Some("dnauth"),
        summary: "DNAuth: the users.dat of DNews, which is only read",
        file: Some(SourceFile {
            vocabulary: &dnauth::settings::VOCABULARY,
            check: |file| dnauth::settings::load(file).diagnostics,
        }),
        open: |settings| Box::pin(async { open_dnauth(settings) }),
    },
    SourceKind {
        name: "tcpauth",
        program: Some("tcpauth"),
        summary: "TCPAuth: the gateway of another machine, over the network",
        file: Some(SourceFile {
            vocabulary: &dmail_tcpauth::settings::TCPAUTH_INI,
            check: dmail_tcpauth::settings::check_client,
        }),
        open: |settings| Box::pin(open_tcpauth(settings)),
    },
    SourceKind {
        name: "checkpassword",
        program: Some("checkpasswordauth"),
        summary: "a checkpassword program, which is started for each login",
        file: Some(SourceFile {
            vocabulary: &checkpassword::settings::VOCABULARY,
            check: |file| checkpassword::settings::load(file).diagnostics,
        }),
        open: |settings| Box::pin(async { open_checkpassword(settings) }),
    },
    SourceKind {
        name: "dovecot",
        program: Some("dovecotauth"),
        summary: "the auth service of a Dovecot, over its sockets",
        file: Some(SourceFile {
            vocabulary: &dovecot::settings::VOCABULARY,
            check: |file| dovecot::settings::load(file).diagnostics,
        }),
        open: |settings| Box::pin(async { open_dovecot(settings) }),
    },
    SourceKind {
        name: dmail_oauth2::NAME,
        program: None,
        summary: "OAuth 2.0 tokens; the accounts are another base's (role verify)",
        file: Some(SourceFile {
            vocabulary: &dmail_oauth2::VOCABULARY,
            check: dmail_oauth2::check,
        }),
        open: |settings| Box::pin(async { Ok(dmail_oauth2::open(&settings.file)?) }),
    },
    SourceKind {
        name: "courier",
        program: Some("courierauth"),
        summary: "the authdaemond of a Courier, over its socket",
        file: Some(SourceFile {
            vocabulary: &courier::settings::VOCABULARY,
            check: |file| courier::settings::load(file).diagnostics,
        }),
        open: |settings| Box::pin(async { open_courier(settings) }),
    },
];

/// The kind that `authent_method` calls so; case does not matter.
#[must_use]
pub fn source(name: &str) -> Option<&'static SourceKind> {
    SOURCES.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
}

/// The kind whose program is called so, and that name.
#[must_use]
pub fn program(name: &str) -> Option<(&'static SourceKind, &'static str)> {
    programs().find(|(_, program)| *program == name)
}

/// The kinds that are programs, with their names.
pub fn programs() -> impl Iterator<Item = (&'static SourceKind, &'static str)> {
    SOURCES.iter().filter_map(|kind| Some((kind, kind.program?)))
}

async fn open_nwauth(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    let config = settings.nwauth.clone();
    // The first index of a large base takes a second.
    let opened = tokio::task::spawn_blocking(|| NwAuth::open(config)).await;
    Ok(Arc::new(opened.expect("opening does not panic")?))
}

async fn open_mysql(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    Ok(Arc::new(dmail_mysql::open(&settings.file).await?))
}

fn open_unix(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    Ok(Arc::new(UnixUsers::open(&settings.file, &settings.launcher)?))
}

fn open_dnauth(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    Ok(Arc::new(DnAuth::open(&settings.file)?))
}

fn open_checkpassword(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    Ok(Arc::new(CheckPassword::open(&settings.file, &settings.launcher)?))
}

fn open_dovecot(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    Ok(Arc::new(Dovecot::open(&settings.file)?))
}

fn open_courier(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    Ok(Arc::new(Courier::open(&settings.file)?))
}

async fn open_tcpauth(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    let (config, warnings) = dmail_tcpauth::settings::load_client(&settings.file)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let client = dmail_tcpauth::Client::start(config);
    // What the daemon can judge is known then.
    client.ready().await;
    Ok(Arc::new(client))
}

#[cfg(test)]
mod tests {
    use dmail_schemes::Scheme;

    use super::*;

    #[tokio::test]
    async fn a_source_is_found_by_its_name_and_opens() {
        let home = tempfile::tempdir().expect("a directory");
        let settings = SourceSettings {
            file: PathBuf::new(),
            launcher: Vec::new(),
            nwauth: NwAuthConfig { scheme: Scheme::Ssha256, ..NwAuthConfig::new(home.path()) },
        };
        let kind = source("NWAuth").expect("a kind");
        assert!((kind.open)(&settings).await.is_ok());
        let nowhere =
            SourceSettings { nwauth: NwAuthConfig::new(home.path().join("missing")), ..settings };
        assert!((kind.open)(&nowhere).await.is_err());
        assert!(source("oracle").is_none());
        assert!(program("nwauth").is_some());
    }

    #[test]
    fn every_method_but_external_has_its_source_once() {
        for kind in SOURCES {
            let same = SOURCES
                .iter()
                .filter(|other| other.name == kind.name || other.program == kind.program);
            assert_eq!(same.count(), 1, "{}", kind.name);
        }
    }

    #[test]
    fn what_judges_tokens_alone_is_no_program() {
        let others = SOURCES.iter().filter(|kind| kind.program.is_none()).map(|kind| kind.name);
        assert_eq!(others.collect::<Vec<_>>(), [dmail_oauth2::NAME]);
        assert!(program("oauth2auth").is_none() && program("oauth2").is_none());
    }
}
