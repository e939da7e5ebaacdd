//! No room: the message is in no mailbox, and all is well again when there is.

use std::fs;
use std::path::Path;
use std::process::Command;

use dmail_mailbox::{ErrorKind, LockPolicy, Mailbox};

use crate::kit::{HOME, deliver, drop_file, open};

/// What `ulimit -f` allows: 16 blocks of 512 bytes.
const LIMIT_BLOCKS: usize = 16;
const LIMIT_BYTES: usize = LIMIT_BLOCKS * 512;

/// Not a test of its own: runs where no file may be longer than the limit.
#[test]
fn child_without_room() {
    let Ok(home) = std::env::var(HOME) else {
        return;
    };
    let home = Path::new(&home);
    let targets = ["amy", "bob", "zoe"].map(|name| drop_file(home, name));
    let text = |index: usize| fs::read(&targets[index].path).unwrap_or_default();
    let before = [text(0), text(1)];

    let error = deliver(&targets, &[b'x'; 1000]).expect_err("no room in bob");
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!([text(0), text(1)], before);
    assert!(text(2).is_empty());

    // Deleting one of two messages needs a journal, for which there is room.
    let mailbox = Mailbox::open(&targets[1], &LockPolicy::default()).expect("a mailbox");
    mailbox.commit(&[true, false]).expect("committed");
    deliver(&targets, &[b'x'; 1000]).expect("there is room now");
    let sizes = targets.each_ref().map(|drop| open(drop).len());
    assert_eq!(sizes, [2, 2, 1]);
    let left: Vec<_> = fs::read_dir(home).expect("a list").collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_mailbox_without_room_keeps_the_message_out_of_all_others() {
    let home = tempfile::tempdir().expect("a directory");
    let (amy, bob) = (drop_file(home.path(), "amy"), drop_file(home.path(), "bob"));
    deliver(&[amy], b"old\n").expect("delivered");
    for _ in 0..2 {
        deliver(std::slice::from_ref(&bob), &[b'y'; LIMIT_BYTES / 2 - 100]).expect("delivered");
    }
    // The signal of a file that grows too long would kill the child. A server
    // ignores it, and so does whatever a shell starts that ignores it.
    let script = format!("trap '' XFSZ; ulimit -f {LIMIT_BLOCKS}; exec \"$0\" \"$@\"");
    let program = std::env::current_exe().expect("this program");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(program)
        .args(["--exact", "full::child_without_room", "--test-threads=1"])
        .env(HOME, home.path())
        .output()
        .expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
