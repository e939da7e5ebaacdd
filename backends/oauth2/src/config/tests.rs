//! What is said about mistakes in the file.

use std::fs;

use tempfile::TempDir;

use super::*;

/// An Ed25519 key (RFC 8037 appendix A.1) as DER in PEM.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
    -----END PUBLIC KEY-----\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("room");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(file, mode).expect("it is ours");
    };
    write("key.pem", PEM);
    write("secret", "opensesame\n");
    write("strong", "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    write("empty", "\n");
    write("jwks", r#"{"keys": []}"#);
    folder
}

/// All that is said of these lines, behind the name of the file.
fn said(folder: &TempDir, lines: &str) -> Vec<String> {
    let file = folder.path().join("oauth2.ini");
    fs::write(&file, lines).expect("room");
    let shown = |diagnostic: &Diagnostic| {
        let text = diagnostic.to_string().replace(&*folder.path().to_string_lossy(), "");
        text.trim_start_matches("/oauth2.ini:").to_owned()
    };
    check(&file).iter().map(shown).collect()
}

const SOUND: &str = "issuer https://id.example\naudience mail\nkey a key.pem\n";

#[test]
fn the_documentation_is_the_manual() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/oauth2.ini.md");
    let manual = config::manual_markdown(&VOCABULARY);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(docs, &manual).expect("docs can be written");
    }
    let written = fs::read_to_string(docs).unwrap_or_default();
    assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {docs}");
}

#[test]
fn a_sound_file_is_silent_and_read() {
    let folder = folder();
    let lines = format!(
        "{SOUND}scope openid mail\nshared_key * strong\nintrospection_url https://id.example/i\n\
         client_id us\nclient_secret_file secret\nintrospect all\n"
    );
    assert_eq!(said(&folder, &lines), [] as [&str; 0]);
    let (config, _) = load(&folder.path().join("oauth2.ini")).into_result().expect("sound");
    assert_eq!(config.keys.len(), 2);
    assert_eq!(config.told.0.as_deref(), Some("openid mail"));
    assert_eq!(config.rules.scopes, ["openid", "mail"]);
    assert!(config.algorithms.contains(&Algorithm::Hs256));
    let asking = config.introspection.expect("an issuer that is asked");
    assert_eq!(asking.which, Introspect::All);
    assert!(!format!("{:?}", asking.identity).contains("sesame"));
    // Without a key that is shared, no algorithm is.
    let _ = said(&folder, SOUND);
    let (config, _) = load(&folder.path().join("oauth2.ini")).into_result().expect("sound");
    assert!(!config.algorithms.iter().any(|algorithm| algorithm.is_shared()));
}

#[test]
fn mistakes_are_named_with_their_lines() {
    let folder = folder();
    let rows = [
        ("", "error: there are no keys, and nobody to ask"),
        ("key a key.pem\n", "1:5: warning: no `issuer` is set, and whatever these keys"),
        ("jwks_url https://id.example/k\n", "1:10: error: no `issuer` is set, and issuers of many"),
        ("issuer a\nkey a key.pem\n", "2:5: warning: no `audience` is set"),
        ("key a nothing.pem\n", "1:5: error: cannot use /nothing.pem: No such file"),
        ("key a secret\n", "1:5: error: cannot use /secret: it is no public key in PEM"),
        ("key key.pem\n", "1:5: error: `key` needs the name of a key, or *, and a file"),
        ("shared_key a secret\n", "1:12: error: cannot use /secret: a shared key needs 32 bytes"),
        ("shared_key a empty\n", "1:12: error: cannot use /empty: its first line has no secret"),
        ("jwks_file jwks\n", "1:11: error: cannot use /jwks: it has no public key"),
        ("jwks_file secret\n", "1:11: error: cannot use /secret: it is no JWK Set"),
        ("jwks_url id.example\n", "1:10: error: `jwks_url` needs an address such as"),
        (
            "issuer a\njwks_url http://id.example/k\n",
            "2:10: warning: whoever is on the way can put keys",
        ),
        (
            "introspection_url http://id.example/i\n",
            "1:19: warning: tokens cross the network to this address in clear text",
        ),
        ("introspection_url https://id.example/i\n", "1:19: warning: no `audience` is set"),
        (
            "introspection_url https://id.example/i\nclient_id us\n",
            "2:11: error: `client_id` has no password",
        ),
        (
            "introspection_url https://id.example/i\nclient_secret_file secret\n",
            "2:20: error: the password has no `client_id`",
        ),
        (
            "introspection_url https://id.example/i\nclient_id us\nclient_secret_file secret\n\
             bearer_file secret\n",
            "4:13: error: we are `client_id`, or show the token of `bearer_file`",
        ),
        (
            "introspection_url https://id.example/i\nca_file key.pem\n",
            "2:9: error: cannot use /key.pem: there is no certificate in it",
        ),
        ("key a key.pem\nintrospect all\n", "2:12: warning: `introspect` is not used"),
        ("key a key.pem\nca_file x\n", "2:9: warning: `ca_file` is not used"),
        ("key a key.pem\nalgorithms HS256\n", "2:12: error: `algorithms` needs a comma list"),
        ("key a key.pem\nalgorithms none\n", "2:12: error: `algorithms` needs a comma list"),
        ("key a key.pem\nscope a\"b\n", "2:7: error: `scope` needs words"),
        ("key a key.pem\njwks_refresh 60\n", "2:14: warning: `jwks_refresh` is not used"),
    ];
    for (lines, expected) in rows {
        let said = said(&folder, lines);
        assert!(said.iter().any(|line| line.contains(expected)), "{lines}: {said:#?}");
        assert!(!said.iter().any(|line| line.contains("sesame")), "{said:#?}");
    }
}

#[test]
fn a_secret_that_others_may_read_is_warned_of() {
    let folder = folder();
    let secret = folder.path().join("secret");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&secret, mode).expect("it is ours");
    let lines = "audience a\nintrospection_url https://id.example/i\nbearer_file secret\n";
    let said = said(&folder, lines);
    assert!(said.len() == 1 && said[0].contains("everybody on this machine may read"), "{said:?}");
}
