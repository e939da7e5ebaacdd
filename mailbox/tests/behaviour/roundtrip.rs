//! Whatever text is delivered comes back as it was.

use std::fs::File;
use std::io::Write;
use std::time::SystemTime;

use dmail_mailbox::{LockPolicy, Message, Part};
use proptest::prelude::*;

use crate::kit::{drop_file, open, read_all};

/// Text that is mean to mailboxes: quotes, separators, empty lines, and lines
/// as long as any buffer.
fn content() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("\n".to_owned()),
        4 => Just("From ".to_owned()),
        3 => Just(">".to_owned()),
        3 => Just("From a@b Sat Dec 26 09:37:48 1998\n".to_owned()),
        2 => Just("\n\nFrom a@b Sat Dec 26 09:37:48 1998".to_owned()),
        2 => Just("F".to_owned()),
        2 => "[ -~]{0,80}",
        1 => (1_usize..200_000).prop_map(|count| "x".repeat(count)),
        1 => (1_usize..70_000).prop_map(|count| ">".repeat(count)),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// The text as POP3 sends it.
fn wire(content: &str) -> Vec<u8> {
    let mut wire = content.replace('\n', "\r\n");
    if !content.is_empty() && !content.ends_with('\n') {
        wire.push_str("\r\n");
    }
    wire.into_bytes()
}

/// Delivers it partly from memory, partly from a file.
fn deliver_in_parts(home: &std::path::Path, content: &str) {
    let bob = [drop_file(home, "bob")];
    let (first, second) = content.as_bytes().split_at(content.len() / 3);
    let mut spool: File = tempfile::tempfile().expect("a file");
    spool.write_all(second).expect("a spool");
    let message = Message {
        sender: b"a@b",
        received_at: SystemTime::now(),
        parts: &[
            Part::Bytes(first),
            Part::File { file: &spool, offset: 0, length: second.len() as u64 },
        ],
    };
    dmail_mailbox::append(&bob, &message, &LockPolicy::default()).expect("delivered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_text_comes_back(contents in prop::collection::vec(content(), 1..4)) {
        let home = tempfile::tempdir().expect("a directory");
        for content in &contents {
            deliver_in_parts(home.path(), content);
        }
        let expected: Vec<Vec<u8>> = contents.iter().map(|content| wire(content)).collect();
        let found = read_all(&open(&drop_file(home.path(), "bob")));
        prop_assert!(found == expected);
    }
}
