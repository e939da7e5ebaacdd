//! Moving users with the real program: import, export, diff, and weak hashes
//! that are replaced at login.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use dmail_tests::login::Way;
use dmail_tests::program::{self, Said};
use dmail_tests::site::Site;
use dmail_tests::wait;
use tempfile::TempDir;

/// Runs `dmail authent …` without any dmail.conf.
fn authent(arguments: &[&str], input: &str) -> Said {
    let mut dmail = program::dmail(&["authent"]);
    dmail.args(arguments);
    program::run(dmail, input)
}

fn folder(users: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nwauth.txt"), users).expect("room");
    folder
}

fn base(folder: &TempDir) -> String {
    format!("nwauth:{}", folder.path().display())
}

const USERS: &str = "ann:$6$saltsalt$hash:name=\"Ann Lee\" drop_path=\"/srv/ann\" drop_owner=\"1001\"\n\
                     bob:{SSHA}QUJDREVGR0hJSktMTU5PUFFSU1RVVldY:quota=\"5000000\" fwd=\"b@far.example\"\n\
                     max:!:\n";

#[test]
fn users_go_through_every_format_and_come_back_the_same() {
    let old = folder(USERS);
    for format in ["nwauth", "ldif", "csv", "passwd-file"] {
        let file = old.path().join(format!("users.{format}")).display().to_string();
        let said = authent(&["export", format, &file, "--from", &base(&old)], "").success();
        assert!(said.err.contains("3 written, 0 refused, 0 with"), "{format}: {}", said.err);
        assert_eq!(said.text(), "", "no secret is anywhere else");
        let mode = fs::metadata(&file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{format}");
        let new = folder("");
        let to = base(&new);
        let said = authent(&["import", format, &file, "--to", &to], "").success();
        let expected = "3 added, 0 changed, 0 same, 0 skipped, 0 refused";
        assert!(said.text().contains(expected), "{format}: {}{}", said.text(), said.err);
        let back = authent(&["export", "nwauth", "--from", &to], "").success();
        let fields = |text: &str| {
            let mut words: Vec<_> = text.split([' ', ':', '\n']).map(str::to_owned).collect();
            words.sort_unstable();
            words
        };
        assert_eq!(fields(&back.text()), fields(USERS), "{format}: {}", back.text());
        let same = authent(&["diff", &base(&old), &to], "").success();
        assert_eq!(same.text(), "3 equal, 0 differ, 0 only in old, 0 only in new\n");
    }
}

#[test]
fn an_export_replaces_files_and_nothing_else() {
    let base_folder = folder(USERS);
    let (pipe, link) = (base_folder.path().join("pipe"), base_folder.path().join("link"));
    let made = Command::new("mkfifo").arg(&pipe).status().expect("coreutils");
    assert!(made.success());
    let from = base(&base_folder);
    // Open for both, so that nobody waits for the other end.
    let ends = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    let mut text = vec![0; USERS.len()];
    let name = pipe.display().to_string();
    let said = authent(&["export", "nwauth", &name, "--from", &from], "").success();
    assert!(said.err.contains("3 written"), "{}", said.err);
    assert!(fs::symlink_metadata(&pipe).expect("a pipe").file_type().is_fifo());
    ends.expect("a pipe").read_exact(&mut text).expect("all users");
    assert_eq!(String::from_utf8(text).as_deref(), Ok(USERS));

    std::os::unix::fs::symlink("elsewhere", &link).expect("a link");
    let said = authent(&["export", "nwauth", &link.display().to_string(), "--from", &from], "");
    assert!(said.err.contains("symbolic link"), "{}", said.err);
    assert_ne!(said.code, Some(0));
}

#[test]
fn a_dry_run_changes_nothing_and_names_the_lines() {
    let target = folder(USERS);
    let to = base(&target);
    let text = "ann:{PLAIN}other\nnew:{CRYPT}$6$s$h\na b:x\nbad\n";
    let import = |more: &[&str]| {
        let arguments: Vec<&str> = ["import", "passwd-file", "-", "--to", &to]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        authent(&arguments, text)
    };
    let said = import(&["--dry-run", "--on-conflict", "replace"]);
    assert_eq!(said.code, Some(1), "some are refused");
    let expected = "line 1: ann: changed: password and fields\nline 2: new: added\n\
                    line 3: refused: the user name is a character that is not allowed, at position 2\n\
                    line 4: bad: refused: not written user:password:uid:gid:gecos:home:shell:extra\n\
                    would be: 1 added, 1 changed, 0 same, 0 skipped, 2 refused\n";
    assert_eq!(said.text(), expected);
    assert!(!said.text().contains("other"), "no password is shown");
    let names = |folder: &Path| -> Vec<_> {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        entries.map(|entry| entry.file_name()).filter(|name| name != "nwauth.idx").collect()
    };
    assert!(!names(target.path()).iter().any(|name| name == "nwauth.add"));

    let stopped = import(&["--on-conflict", "stop"]);
    assert_eq!(stopped.code, Some(1));
    assert!(stopped.text().contains("stopped"), "{}", stopped.text());
    let skipped = import(&[]);
    assert!(skipped.text().starts_with("1 added, 0 changed, 0 same, 1 skipped, 2 refused"));
    assert!(skipped.err.contains("line 1: ann: skipped: is there with another password"));
    let replaced = import(&["--on-conflict", "replace"]);
    assert!(replaced.text().starts_with("0 added, 1 changed, 1 same, 0 skipped, 2 refused"));
}

#[test]
fn the_configured_base_is_the_one_that_is_meant() {
    let site = Site::nwauth().user("bob", "bobs-password");
    let csv = "user;clear_password;Full Name\nann;anns-password;Ann Lee\n";
    let said = site.dmail(&["authent", "import"], &["csv", "-"], csv).success();
    assert!(said.text().starts_with("1 added"), "{}", said.text());
    let server = site.serve();
    assert!(Way::PopUser.answer(&server, "ann", "anns-password").starts_with("+OK"));
    assert!(Way::PopUser.answer(&server, "bob", "bobs-password").starts_with("+OK"));
    server.stop();
    let said = site.dmail(&["authent", "export"], &["ldif"], "").success();
    assert!(said.text().contains("uid: ann\nuserPassword: {CLEARTEXT}anns-password\n"));
    assert!(said.text().contains("\nFull_Name: ") || said.text().contains("Full_Name=\"Ann Lee\""));
    let other = folder("ann:!:\n");
    let said = site.dmail(&["authent", "diff"], &[&base(&other)], "");
    assert_eq!(said.code, Some(1));
    let expected = "differs: ann: Full_Name - | \"Ann Lee\"\nonly in new: bob\n\
                    0 equal, 1 differ, 0 only in old, 1 only in new\n";
    assert_eq!(said.text(), expected);
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let users = folder(USERS);
    let rows: [(&[&str], i32, &str); 6] = [
        (&["export", "xml", "--from", &base(&users)], 2, "expected one of csv, ldif, nwauth"),
        (&["export", "csv", "--from", "oracle:x"], 2, "METHOD one of nwauth"),
        (&["import", "csv", "/nonexistent/users", "--to", &base(&users)], 1, "/nonexistent/users"),
        (&["import", "--to", &base(&users)], 2, "required"),
        (&["export", "csv", "--from", "nwauth:/nonexistent"], 1, "/nonexistent"),
        (&["export", "csv", "/nonexistent/x", "--from", &base(&users)], 1, "/nonexistent"),
    ];
    for (arguments, code, part) in rows {
        let said = authent(arguments, "");
        assert_eq!(said.code, Some(code), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(part), "{arguments:?}: {}", said.err);
    }
    let bad = authent(&["import", "csv", "-", "--to", &base(&users)], "name\nbob\n");
    assert_eq!(bad.code, Some(1));
    assert!(bad.err.contains("line 1: no column is called \"user\""), "{}", bad.err);
}

#[test]
fn a_base_moves_into_another_without_a_file_between() {
    let (old, new) = (folder(USERS), folder("max:{SSHA}QUJD:\n"));
    let said = authent(&["import", "--from", &base(&old), "--to", &base(&new)], "");
    assert_eq!(said.code, Some(1), "max is there with another password");
    assert!(said.text().starts_with("2 added, 0 changed, 0 same, 1 skipped"), "{}", said.text());
    assert_eq!(said.err, "max: skipped: is there with another password\n");
}

#[test]
fn weak_passwords_are_stored_anew_when_their_users_log_in() {
    let site = Site::nwauth().set("nwauth_rehash true");
    let users = site.home().join("users");
    fs::write(users.join("nwauth.txt"), "bob:*bobs-password:name=\"Bob\"\nann:*anns-password:\n")
        .expect("room");
    let server = site.serve();
    assert!(Way::PopUser.answer(&server, "bob", "guess").starts_with("-ERR"));
    assert!(Way::PopUser.answer(&server, "bob", "bobs-password").starts_with("+OK"));
    let journal = || fs::read_to_string(users.join("nwauth.add")).unwrap_or_default();
    wait::until("the hash is stored", || journal().contains("bob:{SSHA512}"));
    assert!(journal().contains("name=\"Bob\"") && !journal().contains("ann"), "{}", journal());
    assert!(Way::PopUser.answer(&server, "bob", "bobs-password").starts_with("+OK"));
    server.stop();
}
