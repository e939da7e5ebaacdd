//! An answer of an issuer's, whole or cut off.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, &[u8])| {
    let (ended, bytes) = input;
    dmail_oauth2::fuzzing::answer(bytes, ended);
});
