//! What can go wrong with the files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dmail_core::{Unavailable, UnavailableKind};

/// The files could not be read or written. Nobody's password is wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The operating system said no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: Arc<io::Error>,
    },
    /// The index contradicts itself; it is rebuilt, and the question asked again.
    #[error("the index {path} is damaged")]
    IndexDamaged {
        /// The index file.
        path: PathBuf,
    },
    /// A file of more than a terabyte, which the index cannot point into.
    #[error("{path} is too large")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A walk through all users stood at one who was removed since.
    #[error("the user {user} was removed while all users were read: start again")]
    Vanished {
        /// The user.
        user: String,
    },
    /// A thread of ours died in the middle of a change.
    #[error("a change of the user base was interrupted")]
    Interrupted,
}

impl StoreError {
    /// Turns an IO error on `path` into a `StoreError`: for `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self::new(UnavailableKind::Dead, format!("nwauth: {error}"))
    }
}
