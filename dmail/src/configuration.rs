//! Finding and reading dmail.conf.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use dmail_core::config::{self, Settings};

use crate::cli::DEFAULT_CONFIG;
use crate::failure::Failure;

/// What `start` makes, beside the working folder.
const HOME_CONFIG: &str = "dmail-home/dmail.conf";

/// The configuration that is meant if none is named.
pub(crate) fn locate(named: Option<PathBuf>) -> PathBuf {
    named.unwrap_or_else(|| {
        let home = Path::new(HOME_CONFIG);
        if home.exists() { home.to_owned() } else { DEFAULT_CONFIG.into() }
    })
}

/// Reads a configuration and prints what is wrong with it. Files and folders
/// that it names count from its own folder, so all of them are full paths,
/// wherever the program was started.
pub(crate) fn read(path: &Path) -> Result<Settings, Failure> {
    let full = std::path::absolute(path).map_err(Failure::file("cannot find", path))?;
    let loaded = config::load(&full, &mut |path| text(std::fs::read(path)?));
    if !loaded.diagnostics.is_empty() {
        let colour = std::io::stderr().is_terminal();
        eprintln!("{}", config::render_all(&loaded.diagnostics, colour));
    }
    loaded.settings.ok_or_else(|| Failure::Configuration(path.to_owned()))
}

/// The text of a file, or which of its lines is none.
fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_text_is_named() {
        let error = text(b"host_domain a.example\n# gr\xfcn\n".to_vec()).expect_err("Latin-1");
        assert_eq!(error.to_string(), "line 2 is not UTF-8");
        assert_eq!(text(b"# fine\n".to_vec()).expect("UTF-8"), "# fine\n");
    }
}
