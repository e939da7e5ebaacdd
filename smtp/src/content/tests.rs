//! Content, each fed whole and in small pieces; the smuggling table.

use proptest::prelude::*;

use super::*;

const MAX: u64 = 1_000_000;

/// What comes out when `input` arrives in pieces of `step` bytes: how many
/// of its bytes were used, if the data ended, and the message.
fn decode(input: &[u8], step: usize) -> (Option<usize>, Result<Vec<u8>, ContentFault>) {
    let mut decoder = Decoder::new(MAX);
    let (mut out, mut used) = (Vec::new(), 0);
    for piece in input.chunks(step) {
        let taken = decoder.decode(piece, &mut out);
        used += taken;
        if decoder.is_ended() {
            return (Some(used), decoder.check().map(|()| out));
        }
        assert_eq!(taken, piece.len(), "all is used before the end");
    }
    (None, decoder.check().map(|()| out))
}

fn check(input: &str, used: Option<usize>, expected: Result<&str, ContentFault>) {
    for step in [input.len().max(1), 1, 2, 3] {
        let (found, message) = decode(input.as_bytes(), step);
        let message = message.map(|text| String::from_utf8(text).expect("text"));
        assert_eq!(found, used, "end of {input:?} by {step}");
        assert_eq!(message.as_deref().map_err(|fault| *fault), expected, "{input:?} by {step}");
    }
}

#[test]
fn a_message_ends_at_a_dot_alone_and_loses_added_dots() {
    let rows = [
        (".\r\n", 3, ""),
        ("\r\n.\r\n", 5, "\n"),
        ("a\r\n.\r\n", 6, "a\n"),
        ("a\r\nb\r\n.\r\nQUIT\r\n", 9, "a\nb\n"),
        ("..\r\n.\r\n", 7, ".\n"),
        ("..a\r\n...\r\n.\r\n", 13, ".a\n..\n"),
        (".a\r\n.\r\n", 7, "a\n"),
        ("a.\r\n.\r\n", 7, "a.\n"),
        ("a\r\n. \r\n.\r\n", 10, "a\n \n"),
        (". \r\n.\r\n", 7, " \n"),
        ("\u{fc}\r\n.\r\n", 7, "\u{fc}\n"),
    ];
    for (input, used, expected) in rows {
        check(input, Some(used), Ok(expected));
    }
    for unfinished in ["", ".", ".\r", "a\r\n.\r"] {
        assert_eq!(decode(unfinished.as_bytes(), 1).0, None, "{unfinished:?}");
    }
}

#[test]
fn no_other_sequence_ends_the_data() {
    // Everything that some server has taken for CR LF, before and after
    // the dot. The message ends at the real end only, and is refused.
    let ends = ["\n", "\r", "\r\n", "\r\r\n", "\n\r", "\0\n", "\r\0\n"];
    let mut forms = 0;
    for before in ends {
        for after in ends {
            let dot = format!("{before}.{after}");
            if dot.contains("\r\n.\r\n") {
                continue;
            }
            let smuggled = format!("a{dot}MAIL FROM:<x@y>\r\n.\r\n");
            let fault = match (before, after) {
                ("\0\n", _) | ("\r\n", "\0\n") => ContentFault::Nul,
                _ => ContentFault::BareLineEnd,
            };
            check(&smuggled, Some(smuggled.len()), Err(fault));
            forms += 1;
        }
    }
    assert_eq!(forms, 47);
}

#[test]
fn a_line_with_anything_bare_is_refused_wherever_it_is() {
    use ContentFault::{BareLineEnd, Nul};
    let rows = [
        ("\n.\r\n.\r\n", BareLineEnd),
        ("\r.\r\n.\r\n", BareLineEnd),
        (".\n.\r\n\r\n.\r\n", BareLineEnd),
        (".\r.\r\n.\r\n", BareLineEnd),
        (".\r\r\n.\r\n", BareLineEnd),
        ("..\r.\r\n.\r\n", BareLineEnd),
        ("a\r\rb\r\n.\r\n", BareLineEnd),
        ("a\r\r\n.\r\n", BareLineEnd),
        ("a\nb\r\n.\r\n", BareLineEnd),
        ("a\0b\r\n.\r\n", Nul),
        (".\0\r\n.\r\n", Nul),
        // The first fault counts.
        ("a\0b\nc\r\n.\r\n", Nul),
    ];
    for (input, fault) in rows {
        check(input, Some(input.len()), Err(fault));
    }
}

#[test]
fn sizes_are_bounded_and_the_end_is_still_found() {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(5);
    assert_eq!(decoder.decode(b"abc\r\n.\r\n", &mut out), 8);
    assert_eq!((decoder.octets(), decoder.check(), &*out), (5, Ok(()), b"abc\n".as_slice()));

    let mut decoder = Decoder::new(5);
    assert_eq!(decoder.decode(b"abcd\r\n.\r\nQUIT", &mut out), 9);
    assert!(decoder.is_ended());
    assert_eq!(decoder.check(), Err(ContentFault::TooLarge));

    for (length, expected) in [(65_536, Ok(())), (65_537, Err(ContentFault::LineTooLong))] {
        let line = [vec![b'x'; length], b"\r\n.\r\n".to_vec()].concat();
        let found = decode(&line, 1000);
        assert_eq!((found.0, found.1.map(drop)), (Some(line.len()), expected));
    }
}

/// What a client makes of a message whose lines end in LF.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// A line of any bytes that a line may have, with many dots.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_map(|byte| match byte {
        0 | b'\r' | b'\n' | 128..=191 => b'.',
        other => other,
    });
    prop::collection::vec(byte, 0..6).prop_map(|line| [&*line, b"\n"].concat())
}

proptest! {
    #[test]
    fn what_a_client_stuffs_comes_out_as_it_was(
        lines in prop::collection::vec(line(), 0..12),
        rest in "[A-Z\r\n]{0,9}",
        step in 1_usize..9,
    ) {
        let message: Vec<u8> = lines.concat();
        let wire = stuffed(&message);
        let (used, decoded) = decode(&[&*wire, rest.as_bytes()].concat(), step);
        prop_assert_eq!(used, Some(wire.len()));
        prop_assert_eq!(decoded, Ok(message));
    }

    #[test]
    fn pieces_do_not_matter(input in "[.a\r\n\0]{0,24}", step in 1_usize..5) {
        prop_assert_eq!(decode(input.as_bytes(), step), decode(input.as_bytes(), 99));
    }

    #[test]
    fn only_the_one_sequence_ends_the_data(input in "[.a\r\n]{0,24}") {
        let wire = format!("\r\n{input}");
        let end = wire.find("\r\n.\r\n").map(|at| at + 5 - 2);
        prop_assert_eq!(decode(input.as_bytes(), 99).0, end);
    }
}
