//! The user bases as module programs: by their own name and as `dmail PROGRAM`,
//! on standard input and output and as a command line.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dmail_tests::program::{self, Said};
use tempfile::TempDir;

/// A folder with a chain of one base of files.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nwauth.txt"), "bob:*s3cret:name=\"Bob\"\nann:*p%q:\n")
        .expect("room");
    let ini = format!("module 1\n  source nwauth {}\n", folder.path().display());
    fs::write(folder.path().join("multiauth.ini"), ini).expect("room");
    folder
}

fn multiauth(folder: &Path, words: &[&str], input: &str) -> Said {
    let mut dmail = program::dmail(&["multiauth", "-path"]);
    dmail.arg(folder).args(words);
    program::run(dmail, input)
}

#[test]
fn a_base_serves_the_line_protocol_and_answers_in_order() {
    let folder = folder();
    let lines = "lookup bob\ncheck bob s3cret\ncheck bob wrong\nlookup eve\nexit\nlookup bob\n";
    let said = multiauth(folder.path(), &[], lines).success();
    let found = "+OK bob config 0 name=\"Bob\"\n";
    let text = said.text();
    assert!(text.starts_with(&format!("{found}{found}-ERR bob ")), "{text}");
    assert!(text.contains("-ERR eve ") && text.ends_with("+OK goodbye\n"), "{text}");
    // Percent-encoded arguments carry any password.
    let said = multiauth(folder.path(), &["-quote"], "check ann p%25q\n").success();
    assert!(said.text().starts_with("+OK ann "), "{}", said.text());
}

#[test]
fn a_base_answers_once_with_and_without_a_dash() {
    let folder = folder();
    let rows: [(&[&str], &str, i32, &str); 9] = [
        (&["-lookup", "bob"], "", 0, "+OK bob config 0 name=\"Bob\"\n"),
        (&["lookup", "eve"], "", 1, "-ERR eve does not exist\n"),
        (&["-check", "bob", "s3cret"], "", 0, "+OK bob "),
        (&["-check", "bob", "s3cret", "192.0.2.7"], "", 0, "+OK bob "),
        (&["-check", "bob", "-"], "s3cret\n", 0, "+OK bob "),
        (&["-check", "bob", "-"], "wrong\n", 1, "-ERR bob "),
        (&["-search", "b*", "-max", "5"], "", 0, "+DATA bob name=\"Bob\"\n+OK "),
        (&["-readonly", "-del", "bob"], "", 1, "-ERR changes are not allowed here\n"),
        (&["-version"], "", 0, "multiauth (dmail "),
    ];
    for (words, input, code, start) in rows {
        let said = multiauth(folder.path(), words, input);
        assert_eq!(said.code, Some(code), "{words:?}: {}{}", said.text(), said.err);
        assert!(said.text().starts_with(start), "{words:?}: {}", said.text());
    }
}

#[test]
fn a_base_goes_by_its_own_name() {
    let folder = folder();
    let link = folder.path().join("multiauth");
    symlink(program::path(), &link).expect("a link");
    let mut command = std::process::Command::new(&link);
    command.arg("-ini").arg(folder.path().join("multiauth.ini")).args(["-lookup", "bob"]);
    assert!(program::run(command, "").success().text().starts_with("+OK bob "));
}

#[test]
fn mistakes_are_named_before_anything_is_asked() {
    let folder = folder();
    let usage = multiauth(folder.path(), &["-nonsense"], "");
    assert_eq!(usage.code, Some(2));
    assert!(usage.err.contains("unknown option -nonsense"), "{}", usage.err);
    assert!(usage.err.contains("usage: multiauth"), "{}", usage.err);
    fs::write(folder.path().join("multiauth.ini"), "module 1\n  sorce nwauth x\n").expect("room");
    let wrong = multiauth(folder.path(), &["-lookup", "bob"], "");
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("multiauth.ini:"), "{}", wrong.err);
    let missing = multiauth(Path::new("/nonexistent"), &["-lookup", "bob"], "");
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("/nonexistent"), "{}", missing.err);
    let help = program::run(program::dmail(&["--help"]), "").success().text();
    for name in ["nwauth", "multiauth"] {
        assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
    }
    assert!(!help.contains("oauth2auth"), "it could not be asked about a token: {help}");
}
