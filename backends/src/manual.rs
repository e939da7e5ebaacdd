//! For tests: the manuals of the settings files are generated.

use std::path::Path;

use dmail_core::config::{self, Vocabulary};

/// Checks that `docs/NAME` is the manual of `vocabulary`; with `UPDATE_DOCS` it
/// is written.
pub(crate) fn is_documented(name: &str, vocabulary: &Vocabulary) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let manual = config::manual_markdown(vocabulary);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &manual).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {file:?}");
}
