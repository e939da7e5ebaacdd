//! One request to a module: what is one and can be written, is the same one
//! when it is read again.
#![no_main]

use dmail_authent::line::{Quoting, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (utf8, percent, line) = input;
    let quoting = Quoting { utf8, percent };
    let Ok(request) = Request::parse(line, quoting) else { return };
    let mut written = Vec::new();
    if request.write(&mut written, quoting).is_ok() {
        let line = written.strip_suffix(b"\n").expect("a line");
        assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)));
        assert_eq!(Request::parse(line, quoting), Ok(request));
    }
});
