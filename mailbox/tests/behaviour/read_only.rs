//! A file system that turned read-only: mail can still be read.

use std::path::Path;
use std::process::Command;

use dmail_mailbox::ErrorKind;

use crate::kit::{HOME, deliver, drop_file, open, read_all};

/// What the script says if it may not make a read-only file system.
const NOT_ALLOWED: i32 = 77;

/// Not a test of its own: runs where the mailbox cannot be written.
#[test]
fn child_that_only_reads() {
    let Ok(home) = std::env::var(HOME) else {
        return;
    };
    let bob = drop_file(Path::new(&home), "bob");
    let mailbox = open(&bob);
    assert_eq!(read_all(&mailbox), [b"a\r\n"]);
    assert_eq!(mailbox.uids().expect("uids").len(), 1);
    let error = mailbox.commit(&[true]).expect_err("nothing can be deleted");
    assert_eq!(error.kind(), ErrorKind::Temporary, "{error}");
    let error = deliver(std::slice::from_ref(&bob), b"b\n").expect_err("nor delivered");
    assert_eq!(error.kind(), ErrorKind::Temporary, "{error}");
    open(&bob).commit(&[false]).expect("nothing to do");
}

#[test]
fn a_read_only_mailbox_can_be_read_but_not_changed() {
    let home = tempfile::tempdir().expect("a directory");
    deliver(&[drop_file(home.path(), "bob")], b"a\n").expect("delivered");
    let script = format!(
        "mount --bind \"${HOME}\" \"${HOME}\" && mount -o remount,ro,bind \"${HOME}\" \
         || exit {NOT_ALLOWED}; exec \"$0\" \"$@\""
    );
    let program = std::env::current_exe().expect("this program");
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .arg(program)
        .args(["--exact", "read_only::child_that_only_reads", "--test-threads=1"])
        .env(HOME, home.path())
        .output();
    // Only root has a mount namespace to try this in.
    let Ok(output) = child else { return };
    let may_mount = nix::unistd::geteuid().is_root() && output.status.code() != Some(NOT_ALLOWED);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() || !may_mount, "{said}");
}
