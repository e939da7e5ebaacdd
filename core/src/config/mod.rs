//! dmail.conf and its like: text becomes typed settings, or all that is wrong
//! with it.
//!
//! ```text
//!   text ──syntax──▶ entries ──given, value──▶ settings ──check──▶ Settings
//!             │                     │                        │
//!             └─────────────────────┴────────────────────────┴──▶ diagnostics
//! ```
//!
//! No file is opened here: [`load`] is given a function that reads one. All
//! mistakes are found in one go, each with its file, line and column. The
//! manual is printed from the same table that the settings are made from. A
//! user base with a file of its own declares its table with
//! [`settings!`](crate::settings) and reads it with [`load_with`], or with
//! [`load_sections`] if it is made of blocks.
//!
//! # The file
//!
#![doc = include_str!("introduction.md")]

mod access;
mod check;
mod diagnostic;
mod dialect;
mod exposure;
mod given;
mod manual;
mod place;
mod sections;
mod settings;
mod suggest;
mod syntax;
mod table;
mod unknown;
pub mod value;
mod vdomain;

use std::io;
use std::path::Path;

pub use access::{
    AccessGroup, AccessRule, AccessRuleError, LoginPolicy, MailPolicy, OTHER_STATE, StateRule,
};
pub use diagnostic::{Diagnostic, Severity, render_all};
pub use dialect::{
    AccountWords, AuthHttpWords, DIALECTS, Dialect, DialectLine, DialectRow, HttpWords,
    PROGRAM_DIALECTS, Tempfail, TlsFiles, dialect_manual, dialect_name, dialect_names,
};
pub use given::Given;
pub use manual::{entry, manual, manual_markdown};
pub use place::Place;
pub use sections::load_sections;
pub use settings::{
    AccessSettings, AuthentMethod, AuthentSettings, CacheSettings, DMAIL_CONF, DialectSettings,
    DomainSettings, DropSettings, LockMethod, LogLevel, ModuleSettings, NwauthSettings,
    PolicySettings, PopSettings, SenderRule, ServerSettings, Settings, SmtpSettings,
    ThrottleSettings,
};
pub use table::{Group, Row, Unset, Vocabulary};
pub use value::{CommandLine, Host, Listen, ListenOn, NotAServer, RemoteServer, SetBy, SocketFile};
pub use vdomain::{Selector, VirtualDomain};

/// What [`load`] found.
#[derive(Debug, Clone)]
pub struct Loaded<T = Settings> {
    /// The settings; `None` if there is an error among the diagnostics.
    pub settings: Option<T>,
    /// Warnings and errors, in the order of the lines that they are about.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads dmail.conf in `path` and the files that it includes, by means of
/// `read`.
///
/// Everything that is wrong is in the result; nothing stops at the first
/// mistake.
pub fn load(path: &Path, read: &mut dyn FnMut(&Path) -> io::Result<String>) -> Loaded {
    load_with(path, read, &DMAIL_CONF, Settings::build)
}

/// Reads a file of the same syntax with settings of its own: those of
/// `vocabulary`, which `build` takes.
pub fn load_with<T>(
    path: &Path,
    read: &mut dyn FnMut(&Path) -> io::Result<String>,
    vocabulary: &Vocabulary,
    build: impl FnOnce(&mut Given<'_>) -> Option<T>,
) -> Loaded<T> {
    let mut document = syntax::read(path, read);
    let mut diagnostics = std::mem::take(&mut document.diagnostics);
    // Of a file that is not there, it would be silly to say what it lacks.
    if document.is_unread {
        return Loaded { settings: None, diagnostics };
    }
    let mut given = Given::new(&document.main, &document.entries, vocabulary);
    let settings = build(&mut given);
    diagnostics.extend(given.into_diagnostics());
    loaded(settings, diagnostics)
}

/// The settings, unless there is an error, and what was found, in the order of
/// the lines.
fn loaded<T>(settings: Option<T>, mut diagnostics: Vec<Diagnostic>) -> Loaded<T> {
    diagnostics.sort_by_key(|diagnostic| {
        let order = diagnostic.place.as_ref().map(|place| place.order);
        order.unwrap_or(usize::MAX)
    });
    let is_sound = !diagnostics.iter().any(Diagnostic::is_error);
    Loaded { settings: settings.filter(|_| is_sound), diagnostics }
}

/// A configuration that cannot be used: all that is wrong with it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", render_all(.0, false).trim_end())]
pub struct ConfigError(pub Vec<Diagnostic>);

impl<T> Loaded<T> {
    /// The settings and the warnings.
    ///
    /// # Errors
    ///
    /// If there is an error among the diagnostics; all of them are in it.
    pub fn into_result(self) -> Result<(T, Vec<Diagnostic>), ConfigError> {
        match self.settings {
            Some(settings) => Ok((settings, self.diagnostics)),
            None => Err(ConfigError(self.diagnostics)),
        }
    }
}

/// The text of a configuration file, for the `read` of [`load`].
///
/// # Errors
///
/// If it is not UTF-8: says in which line.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

#[cfg(test)]
mod tests;
