//! The user bases that a command line names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dmail_backends::nwauth::NwAuthConfig;
use dmail_backends::{SourceKind, SourceSettings};
use dmail_core::Authenticator;
use dmail_core::config::Settings;

use crate::cli::BaseName;
use crate::configuration;
use crate::failure::Failure;
use crate::source::{self, Source};

/// What a base is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing is written, not even an index.
    Read,
    Write,
}

/// What is needed to open bases: dmail.conf, if one of them is in it.
pub(super) struct Bases(Option<Settings>);

impl Bases {
    /// Reads dmail.conf if it is needed.
    pub(super) fn of(
        config: Option<PathBuf>,
        names: [Option<&BaseName>; 2],
    ) -> Result<Self, Failure> {
        let needed = names.into_iter().flatten().any(|name| *name == BaseName::Configured);
        let read = || configuration::read(&configuration::locate(config));
        Ok(Self(needed.then(read).transpose()?))
    }

    /// Opens a base. Must be called within the runtime.
    pub(super) async fn open(&self, name: &BaseName, wanted: Use) -> Result<Source, Failure> {
        match (name, &self.0) {
            (BaseName::Configured, Some(settings)) => Source::open(settings).await,
            (BaseName::Configured, None) => Err(Failure::Usage("no configuration".into())),
            (BaseName::Method(method, path), _) => {
                let kind = dmail_backends::source(method);
                let kind = kind.ok_or_else(|| Failure::Usage(format!("no base {method}")))?;
                let base = open_kind(kind, path.as_deref().unwrap_or(Path::new(".")), wanted);
                Ok(Source::of(base.await?))
            }
        }
    }
}

async fn open_kind(
    kind: &SourceKind,
    path: &Path,
    wanted: Use,
) -> Result<Arc<dyn Authenticator>, Failure> {
    let path = std::path::absolute(path).map_err(Failure::file("cannot find", path))?;
    let file = match kind.file {
        Some(file) if path.is_dir() => path.join(file.vocabulary.file),
        _ => path.clone(),
    };
    source::judge_file(kind, &file)?;
    let settings = SourceSettings {
        file,
        launcher: source::launcher()?,
        nwauth: NwAuthConfig { read_only: wanted == Use::Read, ..NwAuthConfig::new(path) },
    };
    let opened = (kind.open)(&settings).await;
    opened.map_err(|error| Failure::Other(format!("cannot open the {} base: {error}", kind.name)))
}
