//! Other programs on the same drop files: their locks, and their patience.

use std::fs;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use dmail_mailbox::{LockKind, LockPolicy, Mailbox, MailboxError};
use nix::fcntl::{FcntlArg, fcntl};

use crate::kit::{HOME, child, deliver, deliver_by, drop_file, open};

fn hasty() -> LockPolicy {
    LockPolicy { wait: Duration::from_millis(30), ..LockPolicy::default() }
}

fn assert_locked(result: Result<(), MailboxError>, expected: LockKind) {
    match result {
        Err(error @ MailboxError::LockTimeout { lock, .. }) => {
            assert_eq!(lock, expected);
            assert!(error.is_temporary());
        }
        other => panic!("{other:?}"),
    }
}

/// Not a test of its own: holds the classic record lock on `bob` until its
/// input ends.
#[test]
fn child_that_locks() {
    let Ok(home) = std::env::var(HOME) else {
        return;
    };
    let file = File::options().read(true).write(true).open(Path::new(&home).join("bob"));
    let file = file.expect("a drop file");
    let whole_file = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_SETLK(&whole_file)).expect("the lock");
    eprintln!("locked");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("the end");
}

#[test]
fn another_programs_record_lock_is_waited_for() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = [drop_file(home.path(), "bob")];
    deliver(&bob, b"a\n").expect("delivered");
    let mut command = child("foreign::child_that_locks", home.path());
    let mut other = command.stderr(std::process::Stdio::piped()).spawn().expect("a child");
    let mut said = BufReader::new(other.stderr.take().expect("its output"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "locked\n");

    assert_locked(deliver_by(&bob, b"b\n", &hasty()), LockKind::Fcntl);
    assert_locked(Mailbox::open(&bob[0], &hasty()).map(drop), LockKind::Fcntl);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| deliver(&bob, b"b\n"));
        drop(other.stdin.take());
        waiting.join().expect("no panic").expect("delivered");
    });
    assert!(other.wait().expect("its end").success());
    assert_eq!(open(&bob[0]).len(), 2);
}

#[test]
fn another_programs_dot_lock_is_waited_for_and_left_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = [drop_file(home.path(), "bob")];
    deliver(&bob, b"a\n").expect("delivered");
    let path = home.path().join("bob.lock");
    for (content, mode) in [("", 0), ("1\n", 0o444), ("12345:elsewhere", 0o644)] {
        let made = File::options().write(true).create_new(true).mode(mode).open(&path);
        made.and_then(|mut lock| lock.write_all(content.as_bytes())).expect("a lock");
        assert_locked(deliver_by(&bob, b"b\n", &hasty()), LockKind::Dot);
        assert_locked(Mailbox::open(&bob[0], &hasty()).map(drop), LockKind::Dot);
        let waiting = std::thread::spawn({
            let bob = bob.clone();
            move || deliver(&bob, b"b\n")
        });
        let found = fs::metadata(&path).expect("the lock").len();
        assert_eq!(found, content.len() as u64, "nobody wrote to it");
        fs::remove_file(&path).expect("removed");
        waiting.join().expect("no panic").expect("delivered");
    }
    assert_eq!(open(&bob[0]).len(), 4);
}

#[test]
fn locks_that_are_switched_off_are_not_looked_at() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = [drop_file(home.path(), "bob")];
    fs::write(home.path().join("bob.lock"), "").expect("a lock");
    let policy = LockPolicy { dot_lock: false, ..hasty() };
    deliver_by(&bob, b"a\n", &policy).expect("delivered");
    let mailbox = Mailbox::open(&bob[0], &policy).expect("a mailbox");
    mailbox.commit(&[true]).expect("committed");
}
