//! SMTP AUTH: Postfix with `smtpd_sasl_type = dovecot`.

use dmail_tests::peer::swaks;

use crate::kit::{Pair, Switch, dialogue};

impl Pair {
    fn log_in(&self, mechanism: &str, user: &str, password: &str) -> String {
        dialogue(&swaks::log_in(self.postfix.smtp(), mechanism, user, password))
    }
}

#[test]
fn clients_of_postfix_log_in_by_our_users() {
    let (site, _switch) = Switch::site();
    let test = "clients_of_postfix_log_in_by_our_users";
    let Some(pair) = Pair::start(test, || site, &["logins"]) else { return };
    for (mechanism, user, password, expected) in [
        ("PLAIN", "bob", "s3cret", "235 2.7.0"),
        ("LOGIN", "bob", "s3cret", "235 2.7.0"),
        ("PLAIN", "bob@corp.example", "s3cret", "235 2.7.0"),
        ("PLAIN", "bob", "wrong", "535 5.7.8"),
        ("LOGIN", "bob", "wrong", "535 5.7.8"),
        ("PLAIN", "nobody", "s3cret", "535 5.7.8"),
        ("PLAIN", "bob@other.example", "s3cret", "535 5.7.8"),
    ] {
        let said = pair.log_in(mechanism, user, password);
        assert!(said.contains(expected), "{mechanism} {user} {password}: {said}");
    }
    let log = std::fs::read_to_string(pair.site.home().join("log/dmail.log")).expect("a log");
    let login = |line: &str| line.contains("login") && line.contains("dovecot-auth");
    assert!(log.lines().any(|line| login(line) && line.contains("127.0.0.1")), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn a_user_base_that_is_down_or_slow_is_no_wrong_password() {
    let (site, switch) = Switch::site();
    let test = "a_user_base_that_is_down_or_slow_is_no_wrong_password";
    let Some(pair) = Pair::start(test, || site, &["logins"]) else { return };
    for (state, password, expected) in [
        ("up", "s3cret", "235 2.7.0"),
        ("down", "s3cret", "454 4.7.0"),
        ("down", "wrong", "454 4.7.0"),
        ("up", "wrong", "535 5.7.8"),
        ("slow", "s3cret", "454 4.7.0"),
        ("up", "s3cret", "235 2.7.0"),
        ("down", "s3cret", "454 4.7.0"),
        ("up", "s3cret", "235 2.7.0"),
    ] {
        switch.to(state);
        let said = pair.log_in("PLAIN", "bob", password);
        assert!(said.contains(expected), "{state} {password}: {said}");
    }
    // Even if there is no dmail at all.
    pair.server.kill();
    let said = dialogue(&swaks::log_in(pair.postfix.smtp(), "PLAIN", "bob", "s3cret"));
    assert!(said.contains("454 4.7.0"), "{said}");
}
