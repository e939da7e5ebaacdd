//! `dmail check-config` and `dmail settings`.

use std::process::ExitCode;

use dmail_core::config::{self, Diagnostic};

use crate::cli::{CheckArgs, SettingsArgs};
use crate::failure::Failure;
use crate::{configuration, source, terminal};

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
    terminal::say(format_args!("{}: good", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual of all settings, or of one.
pub(crate) fn settings(arguments: &SettingsArgs) -> Result<ExitCode, Failure> {
    let text = match &arguments.name {
        Some(name) => {
            let missing = || Failure::Usage(format!("there is no setting {name}"));
            config::entry(config::DMAIL_CONF.row(name).ok_or_else(missing)?)
        }
        None if arguments.markdown => config::manual_markdown(&config::DMAIL_CONF),
        None => config::manual(&config::DMAIL_CONF),
    };
    terminal::write(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
