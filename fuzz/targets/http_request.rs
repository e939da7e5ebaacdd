//! A request over HTTP: what follows it does not change it, and what is cut off
//! is not yet one.
#![no_main]

use dmail_http::message::{Progress, parse};
use libfuzzer_sys::fuzz_target;

const MAX_BODY: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let Ok(Progress::Whole(request, used)) = parse(input, MAX_BODY) else { return };
    assert!(used <= input.len() && request.body.len() <= MAX_BODY);
    let (path, body) = (request.path, request.body.to_vec());
    for end in [used, used - 1, used / 2] {
        match parse(&input[..end], MAX_BODY) {
            Ok(Progress::Whole(again, taken)) => {
                assert_eq!((end, taken), (used, used));
                assert_eq!((again.path, &*again.body), (path, &*body));
            }
            Ok(Progress::More { .. }) => assert!(end < used),
            Err(fault) => panic!("{fault}, cut off at {end}"),
        }
    }
});
