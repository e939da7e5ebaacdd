use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dmail_core::config::{entry, manual_markdown};

use super::*;

/// What is said about a file with these lines.
fn complaints(lines: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("ldapauth.ini");
    std::fs::write(&file, lines).expect("a file");
    let prefix = format!("{}", folder.path().display());
    check(&file).iter().map(|found| found.to_string().replace(&prefix, "")).collect()
}

#[test]
fn the_documentation_is_the_manual() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ldapauth.ini.md");
    let manual = manual_markdown(&VOCABULARY);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &manual).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {file:?}");
}

#[test]
fn every_setting_has_a_meaning_and_an_example_of_itself() {
    let mut names: Vec<&str> = VOCABULARY.rows().map(|row| row.name).collect();
    for row in VOCABULARY.rows() {
        assert!(row.meaning.trim().ends_with(['.', '…']), "{}", row.name);
        assert_eq!(row.example.split(' ').next(), Some(row.name));
        assert!(entry(row).contains(row.example));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), VOCABULARY.rows().count(), "a name stands in the table twice");
}

#[test]
fn a_small_file_is_enough() {
    for lines in [
        "ldap_server ldap://localhost\nldap_base dc=x\n",
        "ldap_server ldapi://%2Frun%2Fldapi\nldap_mode bind_dn\nldap_user_dn uid=%n,dc=x\n",
    ] {
        assert_eq!(complaints(lines), [] as [&str; 0], "{lines}");
    }
}

#[test]
fn a_contradiction_is_shown_with_its_line_and_a_way_out() {
    const GOOD: &str = "ldap_server ldap://localhost\nldap_base dc=x\n";
    let rows = [
        ("ldap_mode bind_dn\n", "ldapauth.ini:3:11: error: `ldap_mode bind_dn` needs the name"),
        ("ldap_bind_dn cn=x\n", "ldapauth.ini:3:14: error: `ldap_bind_dn` has no password"),
        ("ldap_bind_password x\n", "ldapauth.ini:3:20: error: the password has no `ldap_bind_dn`"),
        ("ldap_user_dn uid=%n,dc=x\n", "ldapauth.ini:3:14: warning: `ldap_user_dn` is not used"),
        ("ldap_ca_file /none\n", "ldapauth.ini:3:14: warning: `ldap_ca_file` is not used"),
        ("ldap_ca_file /none\n", "ldapauth.ini:3:14: error: cannot use /none"),
        ("ldap_client_cert /none\n", "ldapauth.ini:3:18: error: a client certificate is two"),
        ("ldap_server ldap://far\n", "ldapauth.ini:3:13: warning: passwords cross the network"),
        (
            "ldap_server ldaps://far\nldap_starttls true\n",
            "ldapauth.ini:3:13: error: an ldaps:// server has TLS already",
        ),
        (
            "ldap_bind_dn cn=x\nldap_bind_password x\nldap_bind_password_file y\n",
            "ldapauth.ini:5:25: error: the password of `ldap_bind_dn` is set twice",
        ),
        (
            "ldap_bind_dn cn=x\nldap_bind_password_file none\n",
            "ldapauth.ini:4:25: error: cannot read /none: No such file",
        ),
        ("ldap_new_dn uid=%n,dc=x\n", "ldapauth.ini:3:13: warning: `ldap_new_dn` is not used"),
        ("ldap_scheme rot13\n", "ldapauth.ini:3:13: error: `ldap_scheme` needs one of"),
        ("ldap_serch_name uid\n", "ldapauth.ini:3:1: warning: "),
        (
            "ldap_readonly false\nldap_set_method unicodepwd\n",
            "ldapauth.ini:4:17: error: Active Directory takes `unicodePwd` over TLS only",
        ),
    ];
    for (lines, expected) in rows {
        let found = complaints(&format!("{GOOD}{lines}"));
        assert!(found.iter().any(|text| text.contains(expected)), "{lines}{found:#?}");
    }
    let found = complaints("ldap_server ldap://localhost\n");
    assert!(found[0].contains("a search for users needs `ldap_base`"), "{found:?}");
}

#[test]
fn the_password_is_never_shown() {
    let file = "ldap_server ldap://localhost\nldap_base dc=x\nldap_bind_password opensesame\n";
    let text = complaints(file).concat();
    assert!(!text.contains("opensesame") && !text.is_empty(), "{text}");
}

#[test]
fn a_password_that_others_may_read_is_warned_of() {
    const BASE: &str = "ldap_server ldap://localhost\nldap_base dc=x\nldap_bind_dn cn=x\n";
    let folder = tempfile::tempdir().expect("a directory");
    let (file, password) = (folder.path().join("ldapauth.ini"), folder.path().join("password"));
    let inside = format!("{BASE}ldap_bind_password x\n");
    let beside = format!("{BASE}ldap_bind_password_file password\n");
    let rows = [
        (&inside, 0o600, 0o600, None),
        (&inside, 0o644, 0o600, Some(&file)),
        (&beside, 0o644, 0o640, None),
        (&beside, 0o600, 0o644, Some(&password)),
    ];
    for (lines, own, other, expected) in rows {
        for (path, text, mode) in [(&file, lines.as_str(), own), (&password, "x\n", other)] {
            std::fs::write(path, text).expect("written");
            std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own");
        }
        let found: Vec<String> = check(&file).iter().map(ToString::to_string).collect();
        let told = expected.map(|path| format!("may read the password in {}", path.display()));
        assert_eq!(found.len(), usize::from(told.is_some()), "{lines}{found:?}");
        assert!(told.is_none_or(|told| found[0].contains(&told)), "{lines}{found:?}");
    }
}

#[test]
fn a_private_key_that_others_may_read_is_warned_of() {
    let folder = tempfile::tempdir().expect("a directory");
    let (file, key) = (folder.path().join("ldapauth.ini"), folder.path().join("own.key"));
    let lines = "ldap_server ldaps://localhost\nldap_base dc=x\n\
                 ldap_client_cert own.pem\nldap_client_key own.key\n";
    for (path, text) in [(&file, lines), (&key, "x\n")] {
        std::fs::write(path, text).expect("written");
    }
    for (mode, expected) in [(0o600, false), (0o644, true)] {
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).expect("our own");
        let said: String = check(&file).iter().map(|found| format!("{found}\n")).collect();
        assert_eq!(said.contains("may read the private key in"), expected, "{said}");
    }
}

/// Nothing is wrong with them but that their files are not on this machine.
#[test]
fn the_files_of_the_documentation_are_right() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ldapauth.md");
    let page = std::fs::read_to_string(page).expect("a page");
    let blocks = page.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole: Vec<&str> = blocks.filter(|block| block.starts_with("ldap_server")).collect();
    assert!(whole.len() >= 4, "{whole:?}");
    for block in whole {
        let found = complaints(block);
        let wrong: Vec<_> = found.iter().filter(|text| !text.contains("/etc/dmail/")).collect();
        assert!(wrong.is_empty(), "{block}{wrong:#?}");
    }
}
