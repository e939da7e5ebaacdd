//! One line of a TCPAuth daemon: an account that is read is the same one when
//! it is written and read again.
#![no_main]

use dmail_core::Verdict;
use dmail_tcpauth::wire::{self, Answer, ServerLine, Welcome};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let _ = Welcome::parse(line);
    let Ok(ServerLine::Answer(id, Answer::Accepted(account))) = ServerLine::parse(line) else {
        return;
    };
    let mut written = Vec::new();
    wire::write_verdict(&mut written, id, &Ok(Verdict::accepted(account.clone())));
    let line = written.strip_suffix(b"\n").expect("a line");
    match ServerLine::parse(line) {
        Ok(ServerLine::Answer(again, Answer::Accepted(found))) => {
            assert_eq!((again, found), (id, account));
        }
        // An account that was short with fewer escapes may be too long now.
        Ok(ServerLine::Answer(_, Answer::Dead(_))) => {}
        other => panic!("{other:?}"),
    }
});
