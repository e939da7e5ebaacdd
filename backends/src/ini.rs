//! The settings files of user bases.

use std::io::ErrorKind::NotFound;
use std::path::Path;

use dmail_core::config::{self, ConfigError, Given, Loaded, Vocabulary};

/// Reads `file`, which has to be there.
pub(crate) fn load<T>(
    file: &Path,
    vocabulary: &Vocabulary,
    build: fn(&mut Given<'_>) -> Option<T>,
) -> Loaded<T> {
    let mut read = |path: &Path| config::text(std::fs::read(path)?);
    config::load_with(file, &mut read, vocabulary, build)
}

/// Reads `file`. One that is not there is as good as an empty one.
pub(crate) fn load_if_there<T>(
    file: &Path,
    vocabulary: &Vocabulary,
    build: fn(&mut Given<'_>) -> Option<T>,
) -> Loaded<T> {
    let mut read = |path: &Path| match std::fs::read(path) {
        Err(error) if error.kind() == NotFound && path == file => Ok(String::new()),
        read => config::text(read?),
    };
    config::load_with(file, &mut read, vocabulary, build)
}

/// The settings, if there are any without an error. Warnings go to the log.
pub(crate) fn usable<T>(loaded: Loaded<T>) -> Result<T, ConfigError> {
    let (settings, warnings) = loaded.into_result()?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}
