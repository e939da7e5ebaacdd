//! One session after the other, without any trouble.

use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;

use dmail_mailbox::{DropFile, LockPolicy, Mailbox, MailboxError};

use crate::kit::{deliver, drop_file, open, read, read_all};

fn uids(mailbox: &Mailbox) -> Vec<String> {
    let uids = mailbox.uids().expect("uids");
    uids.iter().map(ToString::to_string).collect()
}

fn names_in(home: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(home.path()).expect("a list");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_missing_drop_file_is_an_empty_mailbox_and_is_not_made() {
    let home = tempfile::tempdir().expect("a directory");
    for name in ["nobody", "no/such/directory"] {
        let mailbox = open(&drop_file(home.path(), name));
        assert!(mailbox.is_empty());
        assert!(mailbox.uids().expect("uids").is_empty());
        mailbox.commit(&[]).expect("nothing to do");
    }
    assert!(names_in(&home).is_empty());
}

#[test]
fn mail_is_read_and_deleted_and_nothing_is_left_beside_it() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    for text in ["Subject: 1\n\nFrom me\n", "Subject: 2\n\n>From\n", ""] {
        deliver(std::slice::from_ref(&bob), text.as_bytes()).expect("delivered");
    }
    let mailbox = open(&bob);
    let expected: [&[u8]; 3] =
        [b"Subject: 1\r\n\r\nFrom me\r\n", b"Subject: 2\r\n\r\n>From\r\n", b""];
    assert_eq!(read_all(&mailbox), expected);
    let before = uids(&mailbox);
    mailbox.commit(&[true, false, false]).expect("committed");
    let mailbox = open(&bob);
    assert_eq!(read_all(&mailbox), expected[1..]);
    assert_eq!(uids(&mailbox), before[1..]);
    mailbox.commit(&[true, true]).expect("committed");
    assert_eq!(names_in(&home), ["bob"]);
    assert_eq!(fs::metadata(&bob.path).expect("metadata").len(), 0);
}

#[test]
fn leaving_without_commit_changes_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    deliver(std::slice::from_ref(&bob), b"a\n").expect("delivered");
    let before = fs::read(&bob.path).expect("the mailbox");
    drop(open(&bob));
    open(&bob).commit(&[false]).expect("nothing to do");
    assert_eq!(fs::read(&bob.path).expect("the mailbox"), before);
}

#[test]
fn a_second_session_has_to_wait() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    deliver(std::slice::from_ref(&bob), b"a\n").expect("delivered");
    let first = open(&bob);
    let second = Mailbox::open(&bob, &LockPolicy::default());
    assert!(matches!(second, Err(MailboxError::InUse { .. })));
    drop(first);
    open(&bob);
}

#[test]
fn mail_that_arrives_during_a_session_is_seen_by_the_next_one() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    for deleted in [[true, true], [true, false], [false, true]] {
        let _ = fs::remove_file(&bob.path);
        for text in [b"a\n", b"b\n"] {
            deliver(std::slice::from_ref(&bob), text).expect("delivered");
        }
        let mailbox = open(&bob);
        deliver(std::slice::from_ref(&bob), b"new\n").expect("delivered");
        assert_eq!(mailbox.len(), 2);
        mailbox.commit(&deleted).expect("committed");
        let left = read_all(&open(&bob));
        assert_eq!(left.len(), 1 + deleted.iter().filter(|deleted| !**deleted).count());
        assert_eq!(left.last().expect("a message"), b"new\r\n");
    }
}

#[test]
fn unique_ids_survive_other_programs_notes_and_tell_twins_apart() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    let line = "From a@b Sat Dec 26 09:37:48 1998\n";
    let plain = format!("{line}Subject: x\n\nbody\n\n");
    let noted = format!("{line}Status: RO\nSubject: x\nX-UID: 7\n\nbody\n\n");
    fs::write(&bob.path, plain.repeat(3)).expect("a mailbox");
    let before = uids(&open(&bob));
    assert!(before[0] != before[1] && before[1] != before[2] && before[0] != before[2]);
    fs::write(&bob.path, noted.repeat(3)).expect("a mailbox");
    assert_eq!(uids(&open(&bob)), before);
}

#[test]
fn a_mailbox_that_was_rewritten_keeps_everything() {
    type Rewrite = fn(&DropFile, &str);
    let line = "From a@b Sat Dec 26 09:37:48 1998\n";
    let text = format!("{line}a\n\n{line}b\n\n");
    let rewrites: [(&str, Rewrite); 4] = [
        ("replaced", |bob, text| {
            let new = bob.path.with_file_name("new");
            fs::write(&new, text).expect("a file");
            fs::rename(&new, &bob.path).expect("renamed");
        }),
        ("removed", |bob, _| fs::remove_file(&bob.path).expect("removed")),
        ("emptied", |bob, _| fs::write(&bob.path, "").expect("emptied")),
        ("expunged", |bob, text| {
            fs::write(&bob.path, &text[text.len() / 2..]).expect("rewritten");
        }),
    ];
    for (what, rewrite) in rewrites {
        let home = tempfile::tempdir().expect("a directory");
        let bob = drop_file(home.path(), "bob");
        fs::write(&bob.path, &text).expect("a mailbox");
        let mailbox = open(&bob);
        rewrite(&bob, &text);
        let now = fs::read(&bob.path).ok();
        let result = mailbox.commit(&[true, false]);
        assert!(matches!(result, Err(MailboxError::Changed { .. })), "{what}: {result:?}");
        assert_eq!(fs::read(&bob.path).ok(), now, "{what}");
    }
}

#[test]
fn what_is_no_mailbox_is_neither_read_nor_changed() {
    let home = tempfile::tempdir().expect("a directory");
    let passwd = drop_file(home.path(), "passwd");
    fs::write(&passwd.path, "root:x:0:0\n").expect("a file");
    let result = Mailbox::open(&passwd, &LockPolicy::default());
    assert!(matches!(result, Err(MailboxError::NotAMailbox { .. })));
    assert_eq!(fs::read(&passwd.path).expect("the file"), b"root:x:0:0\n");
    assert_eq!(names_in(&home), ["passwd"]);
}

#[test]
fn a_large_mailbox_is_not_read_into_memory() {
    const SIZE: u64 = 512 << 20;
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    deliver(std::slice::from_ref(&bob), b"Subject: hole\n\n").expect("delivered");
    // A hole: half a gigabyte of NUL in one line, without using the disk.
    let file = File::options().write(true).open(&bob.path).expect("the mailbox");
    file.set_len(SIZE).expect("a hole");
    file.write_all_at(b"\n\n", SIZE).expect("its end");
    deliver(std::slice::from_ref(&bob), b"Subject: small\n\n").expect("delivered");
    let before = most_memory();
    let mailbox = open(&bob);
    assert_eq!(mailbox.len(), 2);
    assert!(mailbox.size(0) > SIZE - 1000);
    assert_eq!(read(&mailbox, 1), b"Subject: small\r\n\r\n");
    assert_eq!(mailbox.uids().expect("uids").len(), 2);
    mailbox.commit(&[true, true]).expect("committed");
    assert!(most_memory() - before < 64 << 20, "at most 64 MB more than before");
}

/// The most memory that this process ever had, in bytes.
fn most_memory() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("our usage");
    u64::try_from(usage.max_rss()).expect("a size") * 1024
}
