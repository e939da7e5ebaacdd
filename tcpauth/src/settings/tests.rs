//! The files, right and wrong; and the manuals.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dmail_core::config::{Diagnostic, ListenOn, SocketFile, manual_markdown};

use super::*;
use crate::client::Endpoint;

/// A folder with a certificate, its key, and what a test writes.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let made = rcgen::generate_simple_self_signed(["auth.corp.example".to_owned()]);
        let made = made.expect("a certificate");
        folder.write("good.pem", &made.cert.pem());
        folder.write("good.key", &made.signing_key.serialize_pem());
        folder.write("bad.pem", "nothing\n");
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("room");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own");
        path
    }
}

fn said(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|one| format!("{one}\n")).collect()
}

#[test]
fn a_daemon_reads_its_file() {
    let folder = Folder::new();
    let file = folder.write(
        "tcpauthsvr.conf",
        "listen 127.0.0.1:2110\nlisten unix:auth.sock mode=660 owner=dmail:mail\n\
         source ldap ldapauth.ini\nallow 192.0.2.0/24\nallow_changes 192.0.2.1\n\
         shared_secret between us\ntls_certificate good.pem\ntls_key good.key\n\
         tls_client_ca good.pem\nrequire_client_certificate true\nauthent_cache 5\n",
    );
    let loaded = load_daemon(&file);
    assert_eq!(said(&loaded.diagnostics), "");
    let settings = loaded.settings.expect("no error");
    assert!(settings.tls.is_some());
    let socket = folder.0.path().join("auth.sock");
    assert!(matches!(
        &settings.listen.listen[1],
        ListenOn::Unix(SocketFile { path, mode: 0o660, owner: Some(_), group: Some(_), .. })
            if *path == socket
    ));
    let config = settings.config();
    assert!((config.allow)("192.0.2.9".parse().expect("an address")));
    assert!(!(config.allow)("127.0.0.1".parse().expect("an address")));
    assert!(!(config.changes)("192.0.2.9".parse().expect("an address")));
    // As the original's file was, with the one line that it did not need.
    let file = folder.write("old.conf", "authent_process /bin/nwauth\nlisten 127.0.0.1:2110\n");
    assert_eq!(said(&load_daemon(&file).diagnostics), "");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let folder = Folder::new();
    let daemon = "listen 127.0.0.1:0\nsource nwauth\n";
    let rows: &[(&str, &str)] = &[
        ("listen 127.0.0.1:0\n", "neither `authent_process` nor `source`"),
        ("source nwauth\n", "`listen` is not set"),
        ("listen here\nsource nwauth\n", "1"),
        ("listen unix:x mode=999\nsource nwauth\n", "octal"),
        ("listen unix:x colour=red\nsource nwauth\n", "neither mode= nor owner="),
        ("{}authent_process /bin/nwauth\n", "only one can be asked"),
        ("{}allow_changes 127.0.0.1\n", "no credential"),
        ("{}require_client_certificate true\n", "`tls_client_ca`"),
        ("{}tls_certificate good.pem\n", "needs its key"),
        ("{}tls_certificate bad.pem\ntls_key good.key\n", "bad.pem holds no certificate"),
        ("{}tls_certificate none.pem\ntls_key good.key\n", "none.pem holds no certificate"),
        ("{}tls_certificate good.pem\ntls_key bad.pem\n", "bad.pem holds no private key"),
        ("{}tls_client_ca good.pem\n", "without TLS"),
        (
            "listen unix:x\nsource nwauth\ntls_certificate good.pem\ntls_key good.key\n",
            "tcpauthsvr.conf:3:17: warning: `tls_certificate` has no effect",
        ),
        ("listen 2110\nsource nwauth\n", "clear text"),
    ];
    for (text, expected) in rows {
        let file = folder.write("tcpauthsvr.conf", &text.replace("{}", daemon));
        let loaded = load_daemon(&file);
        let said = said(&loaded.diagnostics);
        assert!(said.contains(expected), "{text}: {said}");
        assert!(said.contains("tcpauthsvr.conf"), "{said}");
    }
    let rows: &[(&str, &str)] = &[
        ("", "`server` is not set"),
        ("server auth\n", "neither a host with a port"),
        ("server ::1:2110\n", "neither a host with a port"),
        ("server a:0\n", "neither a host with a port"),
        ("server a:1\nversion 1\nshared_secret x\n", "cannot prove"),
        ("server a:1\ntls_ca good.pem\n", "without TLS"),
        ("server a:1\ntls true\ntls_ca bad.pem\n", "bad.pem holds no certificate"),
        ("server a:1\ntls true\ntls_ca good.pem\ntls_key good.key\n", "needs its key"),
        ("server a:1\nconnect_timeout 20\n", "is longer than `timeout`"),
    ];
    for (text, expected) in rows {
        let file = folder.write("tcpauth.ini", text);
        let said = said(&check_client(&file));
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_client_reads_its_file() {
    let folder = Folder::new();
    let file = folder.write(
        "tcpauth.ini",
        "server auth1.corp.example:2110\nserver [2001:db8::1]:2110\nserver unix:auth.sock\n\
         tls true\ntls_ca good.pem\ntls_certificate good.pem\ntls_key good.key\n",
    );
    let (config, warnings) = load_client(&file).expect("no error");
    assert_eq!(said(&warnings), "");
    let shown: Vec<String> = config.servers.iter().map(Endpoint::to_string).collect();
    let socket = folder.0.path().join("auth.sock");
    let socket = format!("unix:{}", socket.display());
    assert_eq!(shown, ["auth1.corp.example:2110", "[2001:db8::1]:2110", &socket]);
    assert!(config.tls.is_some());
}

#[test]
fn a_secret_that_others_may_read_is_warned_of() {
    let folder = Folder::new();
    let client = folder.write("tcpauth.ini", "server a:2110\nshared_secret between us\n");
    let daemon = folder.write("tcpauthsvr.conf", "source nwauth\nshared_secret between us\n");
    for (mode, expected) in [(0o640, false), (0o644, true)] {
        for file in [&client, &daemon] {
            std::fs::set_permissions(file, Permissions::from_mode(mode)).expect("our own");
        }
        for said in [said(&check_client(&client)), said(&load_daemon(&daemon).diagnostics)] {
            assert_eq!(said.contains("may read the password"), expected, "{mode:o} {said}");
        }
    }
}

#[test]
fn a_private_key_that_others_may_read_is_warned_of() {
    let folder = Folder::new();
    let tls = "tls_certificate good.pem\ntls_key good.key\n";
    let client =
        folder.write("tcpauth.ini", &format!("server a:1\ntls true\ntls_ca good.pem\n{tls}"));
    let daemon =
        folder.write("tcpauthsvr.conf", &format!("listen 127.0.0.1:0\nsource nwauth\n{tls}"));
    let key = folder.0.path().join("good.key");
    let warning =
        format!("everybody on this machine may read the private key in {}", key.display());
    for (mode, expected) in [(0o600, ""), (0o644, &*warning)] {
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).expect("our own");
        for said in [said(&check_client(&client)), said(&load_daemon(&daemon).diagnostics)] {
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
        }
    }
}

#[test]
fn the_documentation_is_the_manual() {
    for vocabulary in [&TCPAUTH_INI, &TCPAUTHSVR_CONF] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let file = folder.join(format!("{}.md", vocabulary.file));
        let manual = manual_markdown(vocabulary);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, &manual).expect("docs can be written");
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {file:?}");
        for row in vocabulary.rows() {
            assert_eq!(row.example.split(' ').next(), Some(row.name));
        }
    }
}
