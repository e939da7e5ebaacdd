//! MultiAuth: a chain of user bases, as `multiauth.ini` describes it.
//!
//! ```text
//!   multiauth.ini ──settings──▶ Module … ──open──▶ Member … ──▶ Chain
//!                   (table)     (judged)           (source, or pool of programs)
//! ```
//!
//! What a chain does is in [`dmail_authent::chain`]; here is how it is written
//! down and put together.

mod kinds;
mod module;
mod open;
mod settings;

use std::path::Path;

use dmail_core::config::{self, Diagnostic, Loaded, Vocabulary, load_sections};

pub use module::Module;
pub(crate) use open::open;

use settings::{AskedSettings, FollowsSettings, ModuleSettings, ProgramSettings};

/// The word in `authent_method`.
pub(crate) const NAME: &str = "multi";

/// What `multiauth.ini` may hold.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "multiauth.ini",
    introduction: include_str!("introduction.md"),
    groups: &[
        ModuleSettings::GROUP,
        AskedSettings::GROUP,
        FollowsSettings::GROUP,
        ProgramSettings::GROUP,
    ],
    not_used: &["loglevel"],
};

/// Reads a file of modules; they are in the order of the chain.
#[must_use]
pub fn load(path: &Path) -> Loaded<Vec<Module>> {
    let mut read = |path: &Path| config::text(std::fs::read(path)?);
    load_sections(path, &mut read, "module", &VOCABULARY, module::build)
}

/// All that is wrong with the file, and with the files that it names.
pub(crate) fn check(path: &Path) -> Vec<Diagnostic> {
    let Loaded { settings, mut diagnostics } = load(path);
    for module in settings.unwrap_or_default() {
        if let Some((file, path)) = module.settings_file(path) {
            diagnostics.extend((file.check)(&path));
        }
    }
    diagnostics
}

#[cfg(test)]
mod tests;
