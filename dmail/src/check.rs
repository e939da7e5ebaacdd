//! `dmail check-config` and `dmail settings`.

use std::process::ExitCode;

use dmail_core::config::{self, Diagnostic};

use crate::cli::{CheckArgs, SettingsArgs};
use crate::failure::Failure;
use crate::{configuration, source};

/// Prints all that is wrong with a configuration; exit code 0 if it can be used.
pub(crate) fn config(arguments: &CheckArgs) -> Result<ExitCode, Failure> {
    let path = configuration::locate(arguments.file.clone());
    let settings = configuration::read(&path)?;
    let diagnostics = source::check(&settings)?;
    if !diagnostics.is_empty() {
        configuration::print(&diagnostics);
    }
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(Failure::Configuration(path));
    }
    println!("{}: good", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual of all settings, or of one.
pub(crate) fn settings(arguments: &SettingsArgs) -> Result<ExitCode, Failure> {
    match &arguments.name {
        Some(name) => match config::DMAIL_CONF.row(name) {
            Some(row) => print!("{}", config::entry(row)),
            None => return Err(Failure::Usage(format!("there is no setting {name}"))),
        },
        None if arguments.markdown => print!("{}", config::manual_markdown(&config::DMAIL_CONF)),
        None => print!("{}", config::manual(&config::DMAIL_CONF)),
    }
    Ok(ExitCode::SUCCESS)
}
