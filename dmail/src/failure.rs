//! Why a program ends early, and with which exit code.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a program ends early. Its text is for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration has errors, which are printed already.
    #[error("{}: the configuration has errors, nothing was started", .0.display())]
    Configuration(PathBuf),
    /// A file or folder.
    #[error("{what} {}: {error}", path.display())]
    File { what: &'static str, path: PathBuf, error: io::Error },
    /// An address to serve on.
    #[error("cannot serve {service} on {address}: {error}; change {blame}")]
    Listen { service: &'static str, address: String, error: io::Error, blame: String },
    /// Anything else, said in full.
    #[error("{0}")]
    Other(String),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// For `map_err`: what could not be done, and with which file.
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File { what, path: path.to_owned(), error }
    }

    /// For `map_err`: an error that says everything itself, after some words.
    pub(crate) fn other<E: Display>(words: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Other(format!("{words}: {error}"))
    }

    /// 2 for a wrong command line, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
