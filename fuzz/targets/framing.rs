//! Bytes into lines, whole and in pieces: the same lines, and none of them
//! with what a line must not hold.
#![no_main]

use dmail_core::framing::{Ending, Frame, LineFault, LineFramer};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 20;

/// All lines of `input`, of which `piece` bytes arrive at a time.
fn lines(input: &[u8], ending: Ending, piece: usize) -> Vec<Result<Vec<u8>, LineFault>> {
    let mut framer = LineFramer::new(LIMIT, ending);
    let (mut buffer, mut lines) = (Vec::new(), Vec::new());
    for piece in input.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            let taken = framer.take(&buffer);
            let consumed = taken.consumed;
            let line = taken.frame.map(|frame| match frame {
                Frame::Line(line) => Ok(line.to_vec()),
                Frame::Refused(fault) => Err(fault),
            });
            buffer.drain(..consumed);
            match line {
                Some(line) => lines.push(line),
                None => break,
            }
        }
    }
    lines
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    for ending in [Ending::CrLf, Ending::LfOrCrLf] {
        let whole = lines(bytes, ending, bytes.len());
        assert_eq!(lines(bytes, ending, piece.into()), whole);
        assert_eq!(whole.len(), bytes.iter().filter(|byte| **byte == b'\n').count());
        for line in whole.iter().flatten() {
            assert!(line.len() <= LIMIT && !line.iter().any(|byte| b"\r\n\0".contains(byte)));
        }
    }
});
