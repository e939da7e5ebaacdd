//! Clients of Postfix that do not tell their passwords.

use dmail_tests::integration;
use dmail_tests::peer::gsasl;
use dmail_tests::peer::postfix::{self, Postfix};
use dmail_tests::site::Site;

use crate::kit::dialogue;

#[test]
fn clients_of_postfix_log_in_without_telling_their_passwords() {
    let test = "clients_of_postfix_log_in_without_telling_their_passwords";
    let Some(mut postfix) = Postfix::new(test) else { return };
    let private = postfix.private().display().to_string();
    let mut site = Site::nwauth();
    for line in integration::lines("postfix", "scram").lines() {
        site = site.set(&line.replace("/var/spool/postfix/private", &private));
    }
    site.set_user("bob", "s3cret");
    postfix::open_to_all(site.folder());
    postfix::open_to_all(&site.home());
    let _server = site.serve();
    postfix.start(&integration::lines("postfix", "logins"));
    for (mechanism, user, password, expected) in [
        ("SCRAM-SHA-256", "bob", "s3cret", "server trusted"),
        ("SCRAM-SHA-256", "bob@corp.example", "s3cret", "server trusted"),
        ("PLAIN", "bob", "s3cret", "235 2.7.0"),
        ("SCRAM-SHA-256", "bob", "wrong", "535 5.7.8"),
        ("SCRAM-SHA-256", "nobody", "s3cret", "535 5.7.8"),
    ] {
        let said = dialogue(&gsasl::log_in(postfix.smtp(), mechanism, user, password));
        assert!(said.contains(expected), "{mechanism} {user} {password}: {said}");
    }
    let log = std::fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("by=\"SCRAM-SHA-256\"") && !log.contains("s3cret"), "{log}");
}
