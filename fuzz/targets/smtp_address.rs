//! An address in MAIL or RCPT: what is one, is the same one when written.
#![no_main]

use dmail_smtp::address::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(address) = parse(bytes) {
        let written = address.to_string();
        assert!(!written.contains(char::is_control), "{written:?}");
        assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&address), "{written:?}");
    }
});
