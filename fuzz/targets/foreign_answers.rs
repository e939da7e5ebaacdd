//! Answers of Dovecot's auth service and of Courier's authdaemond.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    dmail_backends::fuzzing::dovecot_line(bytes);
    dmail_backends::fuzzing::courier_answer(bytes);
});
