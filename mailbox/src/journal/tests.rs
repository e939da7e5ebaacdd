//! A child process deletes and is killed after each step. Whatever is found
//! then, it must be the mailbox from before or the one from after.

use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::steps::crash;
use crate::{LockPolicy, Mailbox};

/// The variable that tells the child which mailbox to work on.
const MAILBOX: &str = "MAILBOX_OF_CHILD";
/// The variable that tells the child what to do: one digit for each message,
/// 1 to delete it; nothing to open and close the mailbox.
const DELETED: &str = "MAILBOX_DELETED";

const BOTH_SIDES: &str = "0101";

fn message(name: &str) -> String {
    let text = format!("{name} ").repeat(30);
    format!("From {name} Sat Dec 26 09:37:48 1998\nSubject: {name}\n\n{text}\n\n")
}

fn mailbox(names: &[&str]) -> String {
    names.iter().map(|name| message(name)).collect()
}

fn drop_file(home: &tempfile::TempDir) -> DropFile {
    DropFile { path: home.path().join("bob"), owner: None }
}

/// Not a test of its own: what the child processes do.
#[test]
fn child() {
    let (Ok(path), Ok(deleted)) = (std::env::var(MAILBOX), std::env::var(DELETED)) else {
        return;
    };
    let drop = DropFile { path: PathBuf::from(path), owner: None };
    let mailbox = Mailbox::open(&drop, &LockPolicy::default()).expect("a mailbox");
    if !deleted.is_empty() {
        let deleted: Vec<bool> = deleted.bytes().map(|digit| digit == b'1').collect();
        mailbox.commit(&deleted).expect("committed");
    }
}

/// Runs the child until it is killed; whether it came to its end instead.
fn run_child(drop: &DropFile, deleted: &str, crash_after: usize) -> bool {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args(["--exact", "journal::tests::child", "--test-threads=1"])
        .env(MAILBOX, &drop.path)
        .env(DELETED, deleted)
        .env(crash::VARIABLE, crash_after.to_string())
        .output()
        .expect("a child");
    if output.status.code().is_some() {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
    output.status.success()
}

/// Opens the mailbox, which repairs it, and gives its text. Nothing may be
/// left beside it.
fn repaired(drop: &DropFile) -> String {
    Mailbox::open(drop, &LockPolicy::default()).expect("a mailbox");
    let left: Vec<_> = fs::read_dir(drop.directory())
        .expect("a list")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["bob"]);
    fs::read_to_string(&drop.path).expect("the mailbox")
}

fn append_as_others_do(drop: &DropFile, text: &str) {
    use std::io::Write;
    let mut file = File::options().append(true).open(&drop.path).expect("the mailbox");
    file.write_all(text.as_bytes()).expect("appended");
}

/// Kills a child after each of its steps, appends `foreign`, and looks. Then it
/// does so again, and kills the one that repairs as well.
fn crash_everywhere(foreign: &str) {
    let before = mailbox(&["amy", "bea", "cat", "dan"]);
    let after = mailbox(&["amy", "cat"]);
    let acceptable = [format!("{before}{foreign}"), format!("{after}{foreign}")];
    let mut outcomes = [0; 2];
    for crash_after in 1.. {
        let home = tempfile::tempdir().expect("a directory");
        let drop = drop_file(&home);
        fs::write(&drop.path, &before).expect("a mailbox");
        if run_child(&drop, BOTH_SIDES, crash_after) {
            assert_eq!(fs::read_to_string(&drop.path).expect("the mailbox"), after);
            break;
        }
        append_as_others_do(&drop, foreign);
        // A repair that is killed as well, at some step of its own.
        run_child(&drop, "", 1 + crash_after * 7 % 23);
        let found = repaired(&drop);
        let outcome = acceptable.iter().position(|text| *text == found);
        outcomes[outcome.unwrap_or_else(|| panic!("step {crash_after}: {found}"))] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 3), "{outcomes:?}");
}

#[test]
fn a_crash_leaves_the_mailbox_from_before_or_from_after() {
    crash_everywhere("");
}

#[test]
fn a_short_message_of_another_program_after_a_crash_is_kept() {
    crash_everywhere("From x Sat Dec 26 09:37:48 1998\n\nhi\n\n");
}

#[test]
fn a_long_message_of_another_program_after_a_crash_is_kept() {
    crash_everywhere(&message("zoe").repeat(5));
}

#[test]
fn every_choice_of_messages_leaves_the_others() {
    let names = ["amy", "bea", "cat", "dan"];
    for choice in 0..16_u32 {
        let home = tempfile::tempdir().expect("a directory");
        let drop = drop_file(&home);
        fs::write(&drop.path, mailbox(&names)).expect("a mailbox");
        let session = Mailbox::open(&drop, &LockPolicy::default()).expect("a mailbox");
        let arrived = message("eve");
        append_as_others_do(&drop, &arrived);
        let deleted: Vec<bool> = (0..4).map(|bit| choice >> bit & 1 == 1).collect();
        session.commit(&deleted).expect("committed");
        let kept: Vec<&str> = names
            .into_iter()
            .zip(deleted)
            .filter(|(_, gone)| !gone)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(repaired(&drop), mailbox(&kept) + &arrived, "{choice:04b}");
    }
}

#[test]
fn a_damaged_journal_changes_nothing() {
    let home = tempfile::tempdir().expect("a directory");
    let drop = drop_file(&home);
    fs::write(&drop.path, mailbox(&["amy"])).expect("a mailbox");
    fs::write(drop.companion("journal").expect("a name"), "DMAILJN1").expect("a journal");
    assert_eq!(repaired(&drop), mailbox(&["amy"]));
}

#[test]
fn a_journal_that_is_a_link_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let drop = drop_file(&home);
    fs::write(&drop.path, mailbox(&["amy"])).expect("a mailbox");
    let journal = drop.companion("journal").expect("a name");
    std::os::unix::fs::symlink("/etc/hostname", &journal).expect("a link");
    let error = Mailbox::open(&drop, &LockPolicy::default()).expect_err("refused");
    assert_eq!(error.kind(), crate::ErrorKind::Refused);
}
