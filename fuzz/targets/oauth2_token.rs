//! A token, and a list of keys: nobody who cannot sign gets in, whatever the
//! list has.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (keys, token) = input;
    assert!(!dmail_oauth2::fuzzing::token(keys, token));
});
