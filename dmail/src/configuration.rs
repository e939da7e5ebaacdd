//! Finding and reading dmail.conf.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use dmail_core::config::{self, Diagnostic, Loaded, Settings};

use crate::cli::DEFAULT_CONFIG;
use crate::failure::Failure;
use crate::terminal;

/// What `start` makes, beside the working folder.
const HOME_CONFIG: &str = "dmail-home/dmail.conf";

/// The configuration that is meant if none is named.
pub(crate) fn locate(named: Option<PathBuf>) -> PathBuf {
    named.unwrap_or_else(|| {
        let home = Path::new(HOME_CONFIG);
        if home.exists() { home.to_owned() } else { DEFAULT_CONFIG.into() }
    })
}

/// Reads a configuration and prints what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<Settings, Failure> {
    let loaded = load(path)?;
    if !loaded.diagnostics.is_empty() {
        print(&loaded.diagnostics);
    }
    loaded.settings.ok_or_else(|| Failure::Configuration(path.to_owned()))
}

/// Reads a configuration. Files and folders that it names count from its own
/// folder, so all of them are full paths, wherever the program was started.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let full = std::path::absolute(path).map_err(Failure::file("cannot find", path))?;
    Ok(config::load(&full, &mut |path| config::text(std::fs::read(path)?)))
}

/// Shows what is wrong with a file to whoever sits at the terminal.
pub(crate) fn print(diagnostics: &[Diagnostic]) {
    let colour = std::io::stderr().is_terminal();
    terminal::complain(config::render_all(diagnostics, colour));
}
