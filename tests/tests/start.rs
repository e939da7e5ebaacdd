//! `dmail start`: one command makes a home and serves it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use dmail_tests::process::Process;
use dmail_tests::program::{self, Said};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A folder for one home, and the home in it.
fn home() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a directory");
    let home = folder.path().join("home");
    (folder, home)
}

fn start_command(home: &Path, more: &[&str]) -> Command {
    let mut command = program::dmail(&["start", "--home"]);
    command.arg(home).args(more);
    command
}

/// Starts on free ports, and waits until everything is printed. Returns the
/// process with what it printed.
fn start(folder: &TempDir, home: &Path) -> (Process, String) {
    let output = tempfile::tempdir_in(folder.path()).expect("a directory");
    let command = start_command(home, &["--smtp-port", "0", "--pop-port", "0"]);
    let mut process = Process::start(command, output.path());
    process.until("three lines are printed", |process| commands(&process.out()).len() == 3);
    let printed = process.out();
    (process, printed)
}

/// The lines to copy and paste.
fn commands(printed: &str) -> Vec<String> {
    let complete = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete.filter(|line| line.contains("| curl ")).map(str::to_owned).collect()
}

fn paste(line: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]);
    program::run(shell, "").success().text()
}

/// Starts where it cannot work.
fn start_in_vain(home: &Path, more: &[&str]) -> Said {
    let said = program::run(start_command(home, more), "");
    assert_eq!(said.code, Some(1), "{}", said.err);
    said
}

fn password(home: &Path) -> String {
    fs::read_to_string(home.join("demo.password")).expect("a password").trim().to_owned()
}

/// Everything below `path`, and `path`.
fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a directory").flatten();
        found.extend(entries.flat_map(|entry| all_below(&entry.path())));
    }
    found
}

#[test]
fn the_three_lines_work_as_printed_and_nobody_else_can_read_the_home() {
    let (folder, home) = home();
    let (process, printed) = start(&folder, &home);
    assert!(printed.contains(&format!("password {}", password(&home))), "{printed}");
    let [send, list, read] = &commands(&printed)[..] else { panic!("three lines") };
    paste(send);
    assert_eq!(paste(list).lines().count(), 2, "the welcome message and ours");
    let mail = paste(read);
    assert!(mail.contains("Subject: Hello") && mail.contains("It works."), "{mail}");

    for path in all_below(&home) {
        let found = fs::metadata(&path).expect("it is there");
        let expected = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, expected, "{}", path.display());
    }
    process.signal(Signal::SIGTERM);
    assert!(process.wait().success());
}

#[test]
fn a_second_start_keeps_password_users_mail_and_settings() {
    let (folder, home) = home();
    let (process, printed) = start(&folder, &home);
    let first = password(&home);
    paste(&commands(&printed)[0]);
    process.signal(Signal::SIGTERM);
    process.wait();

    let config = home.join("dmail.conf");
    let edited = fs::read_to_string(&config).expect("a file") + "max_rcpts 7\n";
    fs::write(&config, &edited).expect("room");
    let mut set = program::dmail(&["authent", "set", "ann", "-c"]);
    set.arg(&config);
    assert_eq!(
        program::run(set, "anns-password\n").success().text(),
        "+OK ann added to database\n"
    );

    let (process, printed) = start(&folder, &home);
    assert_eq!(password(&home), first);
    assert!(!printed.contains(&first), "it is printed once only");
    assert_eq!(fs::read_to_string(&config).expect("a file"), edited);
    assert_eq!(paste(&commands(&printed)[1]).lines().count(), 2);
    let mut check = program::dmail(&["authent", "check", "ann", "-c"]);
    check.arg(&config);
    assert!(program::run(check, "anns-password\n").success().text().starts_with("+OK ann "));
    process.signal(Signal::SIGTERM);
    process.wait();
}

#[test]
fn a_fresh_home_has_a_postmaster() {
    let (folder, home) = home();
    let (_process, printed) = start(&folder, &home);
    let mail =
        commands(&printed)[0].replace("--mail-rcpt demo@localhost", "--mail-rcpt postmaster");
    paste(&mail);
    assert_eq!(paste(&commands(&printed)[1]).lines().count(), 2, "the welcome, and this one");
}

#[test]
fn a_start_that_was_cut_off_is_made_good_by_the_next() {
    let (folder, home) = home();
    let (process, _) = start(&folder, &home);
    process.kill();
    // As if it had been killed before the welcome message and the password file
    // were there.
    fs::write(home.join("mail/demo"), "").expect("emptied");
    leave_demo_pending(&home);
    let (_process, printed) = start(&folder, &home);
    assert!(printed.contains(&format!("password {}", password(&home))), "{printed}");
    assert_eq!(paste(&commands(&printed)[1]).lines().count(), 1, "one welcome message");
}

#[test]
fn a_start_that_was_cut_off_later_brings_no_second_message() {
    let (folder, home) = home();
    let (process, _) = start(&folder, &home);
    process.kill();
    leave_demo_pending(&home);
    let (_process, printed) = start(&folder, &home);
    assert_eq!(paste(&commands(&printed)[1]).lines().count(), 1, "one welcome message");
}

/// As a start leaves it that is cut off before the demo user is complete.
fn leave_demo_pending(home: &Path) {
    fs::remove_file(home.join("demo.password")).expect("removed");
    fs::write(home.join("demo.pending"), "").expect("made");
}

#[test]
fn a_demo_user_who_was_removed_does_not_come_back() {
    let (folder, home) = home();
    let (process, _) = start(&folder, &home);
    process.kill();
    fs::remove_file(home.join("demo.password")).expect("removed");
    for file in fs::read_dir(home.join("users")).expect("a folder").flatten() {
        fs::remove_file(file.path()).expect("removed");
    }
    let command = start_command(&home, &["--smtp-port", "0", "--pop-port", "0"]);
    let mut process = Process::start(command, folder.path());
    process.until("it serves", |process| process.out().contains("POP3 "));
    assert!(!process.out().contains("password"), "{}", process.out());
    assert!(!home.join("demo.password").exists());
}

#[test]
fn a_busy_port_is_an_error_that_names_what_to_change() {
    let (_folder, home) = home();
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = busy.local_addr().expect("bound").port().to_string();
    for (taken, free) in [("--smtp-port", "--pop-port"), ("--pop-port", "--smtp-port")] {
        let error = start_in_vain(&home, &[taken, &port, free, "0"]).err;
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.contains(&format!("change {taken}")), "{error}");
    }
    let config = home.join("dmail.conf");
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, text.replace("127.0.0.1:1110", &format!("127.0.0.1:{port}"))).expect("room");
    let error = start_in_vain(&home, &["--smtp-port", "0"]).err;
    assert!(error.contains("change pop_port ("), "{error}");
    assert!(error.contains("/dmail.conf:"), "the file and the line: {error}");
}

#[test]
fn control_c_ends_it_in_peace() {
    let (folder, home) = home();
    let (process, _) = start(&folder, &home);
    process.signal(Signal::SIGINT);
    assert!(process.wait().success());
}
