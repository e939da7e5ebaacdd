//! A login on descriptor 3, and a reply on 4: what is one, is the same one when
//! it is written and read again.
#![no_main]

use dmail_dialects::checkpassword::{Reply, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(request) = Request::parse(bytes)
        && let Some(written) = request.bytes()
    {
        assert_eq!(Request::parse(&written), Some(request));
    }
    if let Some(reply) = Reply::parse(bytes) {
        assert_eq!(reply.bytes(), bytes);
    }
});
