//! One line of an SMTP client.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = dmail_smtp::command::parse(line);
});
