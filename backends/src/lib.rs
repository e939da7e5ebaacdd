//! User bases: what a gateway asks in the end, each an
//! [`Authenticator`](dmail_core::Authenticator).
//!
//! ```text
//!   AuthRequest ─▶ nwauth ─┬─ store: nwauth.txt, nwauth.add, an index   (file lane)
//!                          └─ schemes: is this the secret?              (hash lane)
//! ```
//!
//! [`SOURCES`] lists the bases that there are. To add one, write its module and
//! add its line here. [`schemes`] and [`lane`] are shared by all that keep
//! password texts themselves.

pub mod hasher;
pub mod lane;
pub mod nwauth;
pub mod schemes;

use std::path::PathBuf;
use std::sync::Arc;

use dmail_core::Authenticator;

use nwauth::{NwAuth, NwAuthConfig};
use schemes::Scheme;

/// A kind of user base: the name that `authent_method` gives, and how to open one.
#[derive(Debug, Clone, Copy)]
pub struct SourceKind {
    /// The word in the setting.
    pub name: &'static str,
    /// One line for manuals and error messages.
    pub summary: &'static str,
    /// Opens the base. Blocks: files are read, and a password is hashed.
    pub open: fn(&SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError>,
}

/// What the configuration says about a user base, whatever its kind.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// Where the base's files are.
    pub directory: PathBuf,
    /// The scheme that new passwords are stored in.
    pub scheme: Scheme,
    /// Never write.
    pub read_only: bool,
    /// Size in bytes at which a journal is merged, if the base has one and the
    /// configuration says so.
    pub journal_limit: Option<u64>,
}

/// Why a user base could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The NWAuth files.
    #[error(transparent)]
    NwAuth(#[from] nwauth::OpenError),
}

/// The user bases that there are, in process.
pub const SOURCES: &[SourceKind] = &[SourceKind {
    name: "nwauth",
    summary: "NWAuth: the text files nwauth.txt and nwauth.add",
    open: open_nwauth,
}];

/// The kind of this name; case does not matter.
#[must_use]
pub fn source(name: &str) -> Option<&'static SourceKind> {
    SOURCES.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
}

fn open_nwauth(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    let mut config = NwAuthConfig::new(&settings.directory);
    config.scheme = settings.scheme;
    config.read_only = settings.read_only;
    config.journal_limit = settings.journal_limit;
    Ok(Arc::new(NwAuth::open(config)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_by_its_name_and_opens() {
        let home = tempfile::tempdir().expect("a directory");
        let settings = SourceSettings {
            directory: home.path().to_owned(),
            scheme: Scheme::Ssha256,
            read_only: false,
            journal_limit: None,
        };
        let kind = source("NWAuth").expect("a kind");
        assert!((kind.open)(&settings).is_ok());
        let nowhere = SourceSettings { directory: home.path().join("missing"), ..settings };
        assert!((kind.open)(&nowhere).is_err());
        assert!(source("oracle").is_none());
    }
}
