//! SMTP AUTH: Postfix with `smtpd_sasl_type = dovecot`.

use dmail_tests::authority::{Authority, Certificate};
use dmail_tests::peer::{python, swaks};
use dmail_tests::site::Site;

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

#[test]
fn a_password_in_clear_text_is_refused_and_one_under_tls_is_not() {
    let test = "a_password_in_clear_text_is_refused_and_one_under_tls_is_not";
    let site = || Site::nwauth().user("bob", "s3cret").set("access_plaintext 198.51.100.0/24");
    let folder = tempfile::tempdir().expect("a directory");
    let authority = Authority::new(folder.path(), "ours");
    let Certificate { certificate, key } = authority.issue("mx", &["mx.far.example"]);
    let main_cf = format!(
        "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_tls_security_level = may\n\
         smtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n",
        certificate.display(),
        key.display()
    );
    let Some(pair) = Pair::start_with(test, site, &["logins"], &main_cf) else { return };
    for (address, tls, password, expected) in [
        ("203.0.113.9", false, "s3cret", "535 "),
        ("203.0.113.9", false, "guess", "535 "),
        ("203.0.113.9", true, "s3cret", "235 "),
        ("203.0.113.9", true, "wrong", "535 "),
        ("198.51.100.9", false, "s3cret", "235 "),
        ("127.0.0.1", false, "s3cret", "235 "),
    ] {
        let said = python::log_in_from(address, pair.postfix.smtp(), ["bob", password], tls);
        let said = said.success().text();
        let (xclient, login) = said.split_once('\n').expect("two answers");
        assert!(xclient.starts_with("220 "), "{said}");
        assert!(login.starts_with(expected), "{address} {tls} {password}: {said}");
    }
    let log = pair.site.log();
    for line in [
        "client=203.0.113.9 transport=\"insecure\" reason=\"not-allowed\"",
        "client=203.0.113.9 transport=\"secured\" reason=\"not-verified\"",
        "login service=smtp dialect=\"dovecot-auth\" user=\"bob\" client=203.0.113.9 transport=\"secured\"",
        "login service=smtp dialect=\"dovecot-auth\" user=\"bob\" client=198.51.100.9 transport=\"insecure\"",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    // What was not looked at is no guess.
    let counted = pair.site.dmail(&["throttle", "list"], &[], "").success().text();
    assert!(counted.contains("address 203.0.113.9 failures=1 "), "the one under TLS: {counted}");
}
