//! The content of a message, whole and in pieces: the same message, the same
//! fault, and the end of data in the same place.
#![no_main]

use dmail_smtp::content::{ContentFault, Decoder};
use libfuzzer_sys::fuzz_target;

/// Large enough for every rule, small enough to be reached.
const MAX_OCTETS: u64 = 1000;

#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    used: usize,
    ended: bool,
    content: Result<Vec<u8>, ContentFault>,
}

fn decode(input: &[u8], piece: usize) -> Decoded {
    let mut decoder = Decoder::new(MAX_OCTETS);
    let (mut used, mut content) = (0, Vec::new());
    for piece in input.chunks(piece.max(1)) {
        used += decoder.decode(piece, &mut content);
        if decoder.is_ended() {
            break;
        }
    }
    Decoded { used, ended: decoder.is_ended(), content: decoder.check().map(|()| content) }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let whole = decode(bytes, bytes.len());
    assert_eq!(decode(bytes, piece.into()), whole);
    if let Decoded { ended: true, content: Ok(content), used } = whole {
        assert!(bytes[..used].ends_with(b".\r\n"));
        assert!(!content.contains(&b'\r') && content.len() <= used);
    }
});
