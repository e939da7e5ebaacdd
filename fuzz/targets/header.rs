//! The header of a message, whole and in pieces.
#![no_main]

use dmail_delivery::header::{Header, HeaderScan};
use libfuzzer_sys::fuzz_target;

fn scan(message: &[u8], piece: usize) -> Header {
    let mut scan = HeaderScan::default();
    for piece in message.chunks(piece.max(1)) {
        if scan.push(piece) {
            break;
        }
    }
    scan.finish()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, message) = input;
    assert_eq!(scan(message, piece.into()), scan(message, message.len()));
});
