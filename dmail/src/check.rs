//! `dmail check-config` and `dmail settings`.

use std::process::ExitCode;

use dmail_core::config;

use crate::cli::{CheckArgs, SettingsArgs};
use crate::configuration;
use crate::failure::Failure;

/// Prints all that is wrong with a configuration; exit code 0 if it can be used.
pub(crate) fn config(arguments: &CheckArgs) -> Result<ExitCode, Failure> {
    let path = configuration::locate(arguments.file.clone());
    configuration::read(&path)?;
    println!("{}: good", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual of all settings, or of one.
pub(crate) fn settings(arguments: &SettingsArgs) -> Result<ExitCode, Failure> {
    match &arguments.name {
        Some(name) => match config::row(name) {
            Some(row) => print!("{}", config::entry(row)),
            None => return Err(Failure::Usage(format!("there is no setting {name}"))),
        },
        None if arguments.markdown => print!("{}", config::manual_markdown()),
        None => print!("{}", config::manual()),
    }
    Ok(ExitCode::SUCCESS)
}
