//! What an NWAuth base is opened with.

use std::path::{Path, PathBuf};

use dmail_core::config::NwauthSettings;
use dmail_schemes::Scheme;

use super::NamePolicy;

/// The settings of one NWAuth base.
#[derive(Debug, Clone)]
pub struct NwAuthConfig {
    /// `-path`: where the files are. It must exist; the files need not.
    pub directory: PathBuf,
    /// The scheme that new passwords are stored in; argon2id unless said
    /// otherwise.
    pub scheme: Scheme,
    /// `-readonly`: change nothing, not even the index on disk.
    pub read_only: bool,
    /// `-rehash`: a password that is stored weaker than `scheme` would be
    /// stored anew when its user logs in.
    pub rehash: bool,
    /// `-size`: `nwauth.add` is merged into `nwauth.txt` when it has more than
    /// this many bytes. Unless given: 200 KiB, or a 32nd of `nwauth.txt` if
    /// that is more, so that the cost of merging does not grow with the base.
    pub journal_limit: Option<u64>,
    /// Which names may be added.
    pub names: NamePolicy,
}

impl NwAuthConfig {
    /// The defaults, for this directory.
    #[must_use]
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self {
            directory: directory.as_ref().to_owned(),
            scheme: Scheme::default(),
            read_only: false,
            rehash: false,
            journal_limit: None,
            names: NamePolicy::default(),
        }
    }
}

/// What dmail.conf, or another file with these settings, says.
impl From<&NwauthSettings> for NwAuthConfig {
    fn from(settings: &NwauthSettings) -> Self {
        let scheme = Scheme::parse(settings.scheme);
        Self {
            scheme: scheme.expect("the setting takes words of schemes only"),
            read_only: settings.readonly,
            rehash: settings.rehash,
            journal_limit: settings.size,
            ..Self::new(&settings.path)
        }
    }
}
