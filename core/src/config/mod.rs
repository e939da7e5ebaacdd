//! dmail.conf: text becomes typed settings, or all that is wrong with it.
//!
//! ```text
//!   text ──syntax──▶ entries ──given, value──▶ settings ──check──▶ Settings
//!             │                     │                        │
//!             └─────────────────────┴────────────────────────┴──▶ diagnostics
//! ```
//!
//! No file is opened here: [`load`] is given a function that reads one. All
//! mistakes are found in one go, each with its file, line and column. The
//! manual is printed from the same table that the settings are made from.
//!
//! # The file
//!
#![doc = include_str!("introduction.md")]

mod check;
mod diagnostic;
mod given;
mod manual;
mod place;
mod settings;
mod suggest;
mod syntax;
mod table;
mod unknown;
mod value;
mod vdomain;

use std::io;
use std::path::Path;

pub use diagnostic::{Diagnostic, Severity, render_all};
pub use manual::{entry, manual, manual_markdown};
pub use place::Place;
pub use settings::{
    AuthentMethod, AuthentSettings, CacheSettings, DomainSettings, DropSettings, LockMethod,
    LogLevel, NwauthSettings, PopSettings, ServerSettings, Settings, SmtpSettings,
    ThrottleSettings,
};
pub use table::{Group, Row, Unset, row, rows};
pub use value::{CommandLine, Listen, SetBy};
pub use vdomain::{Selector, VirtualDomain};

/// What [`load`] found.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings; `None` if there is an error among the diagnostics.
    pub settings: Option<Settings>,
    /// Warnings and errors, in the order of the lines that they are about.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the configuration in `path` and the files that it includes, by means
/// of `read`.
///
/// Everything that is wrong is in the result; nothing stops at the first
/// mistake.
pub fn load(path: &Path, read: &mut dyn FnMut(&Path) -> io::Result<String>) -> Loaded {
    let mut document = syntax::read(path, read);
    let mut diagnostics = std::mem::take(&mut document.diagnostics);
    // Of a file that is not there, it would be silly to say what it lacks.
    if document.is_unread {
        return Loaded { settings: None, diagnostics };
    }
    let mut given = given::Given::new(&document);
    let settings = Settings::build(&mut given);
    diagnostics.extend(given.into_diagnostics());
    diagnostics.sort_by_key(|diagnostic| {
        let order = diagnostic.place.as_ref().map(|place| place.order);
        order.unwrap_or(usize::MAX)
    });
    Loaded {
        settings: settings.filter(|_| !diagnostics.iter().any(Diagnostic::is_error)),
        diagnostics,
    }
}

#[cfg(test)]
mod tests;
