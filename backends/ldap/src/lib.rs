//! LDAP directories as user bases: is this the password of an entry, and what
//! does the entry say?
//!
//! ```text
//!   ldapauth.ini ─▶ config ─▶ source::Directory   check, lookup, set, del, search
//!                                  │
//!                              server::Servers    first that is well; probes for the others
//!                                  │
//!                              server::Server ─┬─ pool of wire::Connection  users' binds
//!                                              └─ pool of Searcher (ldap3)  everything else
//! ```
//!
//! Three rules. **Two kinds of connections:** one that was bound as a user
//! never answers a search; the type that binds has no search. **A name is never
//! syntax:** it reaches filters and distinguished names through
//! `template::Template` only, which escapes it. **Only a server that says so
//! makes a password wrong:** everything else, from a lost connection to a code
//! that nobody expected, is `Unavailable` (the table is in `trouble.rs`).

mod config;
mod entry;
mod schema;
mod server;
mod source;
mod template;
mod tls;
mod trouble;
mod wire;

use std::path::Path;
use std::sync::Arc;

use dmail_core::Authenticator;
use dmail_core::config::ConfigError;
use dmail_schemes::Scheme;
use dmail_schemes::hasher::Hasher;

pub use config::{VOCABULARY, check};

use config::{Config, Mode, SetMethod};
use source::Directory;

/// Opens the directory that the file describes. Must be called within the
/// runtime. The first question opens the first connection: a directory that
/// does not answer now says so when it is asked.
///
/// # Errors
///
/// If the file is wrong, or a certificate that it names.
pub async fn open(file: &Path) -> Result<Arc<dyn Authenticator>, ConfigError> {
    let (config, warnings) = config::load(file).into_result()?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let hasher = match scheme(&config) {
        Some(scheme) => {
            let hasher = tokio::task::spawn_blocking(move || Hasher::new(scheme)).await;
            let hasher = hasher.expect("a hash does not panic");
            Some(hasher.map_err(|error| config::unusable_scheme(file, &error))?)
        }
        None => None,
    };
    Ok(Arc::new(Directory::new(config, hasher)))
}

/// The scheme that is hashed with here, if any is.
fn scheme(config: &Config) -> Option<Scheme> {
    let changes = &config.changes;
    let replaces = !changes.readonly && changes.set_method == SetMethod::Replace;
    match (config.mode, changes.scheme.0) {
        (Mode::Compare, scheme) => Some(scheme.unwrap_or(Scheme::Sha512Crypt)),
        (_, scheme) if replaces => scheme,
        _ => None,
    }
}
