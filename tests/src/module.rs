//! Child modules written in Python, good and bad.

use std::path::{Path, PathBuf};

/// The command line of the module that does `mode` (see `modules/module.py`).
#[must_use]
pub fn command(mode: &str) -> Vec<String> {
    ["python3".to_owned(), script().display().to_string(), mode.to_owned()].into()
}

/// The same, with its requests collected in `log`.
#[must_use]
pub fn logging_command(mode: &str, log: &Path) -> Vec<String> {
    let mut command = command(mode);
    command.push(log.display().to_string());
    command
}

/// The script itself.
#[must_use]
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("modules/module.py")
}

/// The requests that a module collected.
#[must_use]
pub fn requests(log: &Path) -> Vec<String> {
    std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}
