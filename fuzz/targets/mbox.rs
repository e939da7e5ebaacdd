//! A drop file of whoever wrote it: the sizes that are told are the sizes that
//! are sent, and what is not deleted stays as it was.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use dmail_mailbox::{DropFile, LockPolicy, Mailbox};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    /// Made once: a folder for each input would cost more than all the rest.
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a folder"));
}

fn messages(mailbox: &Mailbox) -> Vec<Vec<u8>> {
    let read = |index| {
        let (mut reader, mut message) = (mailbox.reader(index), Vec::new());
        while reader.next_chunk(&mut message, 512).expect("it can be read") {}
        assert_eq!(message.len() as u64, mailbox.size(index));
        message
    };
    (0..mailbox.len()).map(read).collect()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (pattern, bytes) = input;
    let path = FOLDER.with(|folder| folder.path().join("bob"));
    fs::write(&path, bytes).expect("room");
    let drop_file = DropFile { path, owner: None };
    let policy = LockPolicy::default();
    let Ok(mailbox) = Mailbox::open(&drop_file, &policy) else { return };
    let before = messages(&mailbox);
    assert_eq!(mailbox.uids().expect("it can be read").len(), before.len());

    let deleted: Vec<bool> =
        (0..before.len()).map(|index| pattern >> (index % 8) & 1 == 1).collect();
    mailbox.commit(&deleted).expect("nobody else is here");
    let after = messages(&Mailbox::open(&drop_file, &policy).expect("a mailbox"));
    let kept = before.into_iter().zip(deleted).filter(|(_, deleted)| !deleted);
    assert_eq!(after, kept.map(|(message, _)| message).collect::<Vec<_>>());
});
