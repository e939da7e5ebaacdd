//! One line of a POP3 client: a command, and the response to a challenge.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = dmail_pop::command::parse(line);
    let _ = dmail_pop::command::parse_response(line);
});
