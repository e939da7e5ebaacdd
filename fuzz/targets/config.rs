//! dmail.conf, with everything that may be wrong with it.
#![no_main]

use std::path::Path;

use dmail_core::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A file that includes itself must not be read for ever.
    let loaded = config::load(Path::new("dmail.conf"), &mut |_| Ok(text.to_owned()));
    let _ = config::render_all(&loaded.diagnostics, false);
});
