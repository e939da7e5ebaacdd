//! What an issuer answers when it is asked about a token.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (status, body) = input;
    dmail_oauth2::fuzzing::answer(status, body);
});
