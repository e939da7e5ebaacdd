//! One line of a TCPAuth client: what is a question and can be written, is the
//! same one when it is read again.
#![no_main]

use dmail_tcpauth::wire::{ClientLine, Greeting};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = Greeting::parse(line);
    let Ok(ClientLine::Ask(id, question)) = ClientLine::parse(line) else { return };
    let mut written = Vec::new();
    if question.write(&mut written, id).is_err() {
        return;
    }
    let line = written.strip_suffix(b"\n").expect("a line");
    assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)));
    let Ok(ClientLine::Ask(again, question)) = ClientLine::parse(line) else {
        panic!("it was a question");
    };
    assert_eq!(again, id);
    let mut rewritten = Vec::new();
    question.write(&mut rewritten, id).expect("it was short enough");
    assert_eq!(rewritten, written);
});
