//! Passwords that are shown without being told, over the socket that Postfix
//! and Dovecot ask.

use std::fs;
use std::path::PathBuf;

use dmail_tests::daemon::Daemon;
use dmail_tests::peer::auth_client;
use dmail_tests::site::Site;
use dmail_tests::wait;

/// A site that stores SCRAM keys.
fn site(mechanisms: &str) -> Site {
    Site::nwauth()
        .set("nwauth_scheme scram-sha-256")
        .set(&format!("dialect dovecot-auth unix:auth.sock tempfail=code mechanisms={mechanisms}"))
        .user("bob", "Geh eim")
}

fn socket(site: &Site) -> PathBuf {
    site.home().join("auth.sock")
}

#[test]
fn a_client_logs_in_without_telling_its_password_and_knows_whom_it_talked_to() {
    let site = site("SCRAM-SHA-256,SCRAM-SHA-1,PLAIN");
    let _server = site.serve();
    let log_in = |mechanism: &str, user: &str, password: &str, words: &[&str]| {
        let said = auth_client::log_in(&socket(&site), 2, mechanism, user, password, words);
        let text = said.success().text();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>().join("; ")
    };
    let knows = "salt 12 100000; OK 1 user=bob; the server knows the password";
    assert_eq!(log_in("SCRAM-SHA-256", "bob", "Geh eim", &["final"]), knows);
    assert_eq!(log_in("SCRAM-SHA-256", "bob", "Geh eim", &[]), knows);
    // The other mechanism has no keys, and nobody is not there: both look like
    // a wrong password.
    let wrong = "salt 12 100000; FAIL 1";
    for (mechanism, user, password) in [
        ("SCRAM-SHA-256", "bob", "falsch"),
        ("SCRAM-SHA-1", "bob", "Geh eim"),
        ("SCRAM-SHA-256", "eve", "Geh eim"),
        ("SCRAM-SHA-256", "eve@elsewhere.example", "Geh eim"),
    ] {
        assert_eq!(log_in(mechanism, user, password, &["final"]), wrong, "{mechanism} {user}");
    }
    // Whoever tells it can get in, too.
    assert_eq!(log_in("PLAIN", "bob", "Geh eim", &[]), "OK 1 user=bob");
    assert_eq!(log_in("PLAIN", "bob", "geh eim", &[]), "FAIL 1");
    let unsupported = "FAIL 1 reason=Unsupported authentication mechanism";
    assert_eq!(log_in("SCRAM-SHA-256-PLUS", "bob", "Geh eim", &[]), unsupported);
}

#[test]
fn a_binding_to_tls_is_offered_to_those_who_can_tell_of_it_and_must_be_true() {
    let site = site("SCRAM-SHA-256-PLUS,SCRAM-SHA-256");
    let _server = site.serve();
    let log_in = |minor, words: &[&str]| {
        let mechanism = "SCRAM-SHA-256-PLUS";
        let said = auth_client::log_in(&socket(&site), minor, mechanism, "bob", "Geh eim", words);
        said.success().text()
    };
    let plus = "offers SCRAM-SHA-256-PLUS:mutual-auth:channel-binding SCRAM-SHA-256:mutual-auth\n\
                salt 12 100000 channel_binding=tls-exporter\n";
    let knows = format!("{plus}OK 1 user=bob\nthe server knows the password\n");
    assert_eq!(log_in(4, &["final", "bind=00ff1234"]), knows);
    assert_eq!(log_in(4, &["final", "bind=00ff1234", "lie"]), format!("{plus}FAIL 1\n"));
    assert_eq!(log_in(4, &["final"]), format!("{plus}FAIL 1\n"), "nothing to bind to");
    let without = "offers SCRAM-SHA-256:mutual-auth\n\
                   FAIL 1 reason=Unsupported authentication mechanism\n";
    assert_eq!(log_in(2, &["final", "bind=00ff1234"]), without);
}

#[test]
fn a_user_base_that_cannot_say_is_no_wrong_password_and_no_key_reaches_a_log() {
    let site = site("SCRAM-SHA-256");
    let server = site.serve();
    // A record that cannot be judged.
    let users = site.home().join("users/nwauth.add");
    let mut text = fs::read_to_string(&users).expect("bob is there");
    let stored = text.split(':').nth(1).expect("his keys").to_owned();
    text.push_str("ann:{SCRAM-SHA-256}100000,brokenkey:\n");
    fs::write(&users, &text).expect("room");
    let log_in = |user: &str, password: &str| {
        let socket = socket(&site);
        let said = auth_client::log_in(&socket, 2, "SCRAM-SHA-256", user, password, &["final"]);
        said.success().text()
    };
    let said = log_in("ann", "x");
    assert!(said.ends_with("FAIL 1 code=temp_fail\n"), "{said}");
    let said = log_in("bob", "Geh eim");
    assert!(said.contains("OK 1 user=bob"), "{said}");
    assert!(log_in("bob", "other").ends_with("FAIL 1\n"));
    drop(server);
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    for part in ["login ", "login refused", "record-unusable", "by=\"SCRAM-SHA-256\""] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let keys = stored.split(',').skip(2);
    for secret in keys.chain(["brokenkey", "Geh eim"]) {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn what_the_user_base_cannot_judge_is_not_offered() {
    let site = Site::module()
        .set("dialect dovecot-auth unix:auth.sock mechanisms=SCRAM-SHA-256,OAUTHBEARER,PLAIN");
    let _server = site.serve();
    let said = auth_client::log_in(&socket(&site), 4, "SCRAM-SHA-256", "bob", "x", &[]);
    let text = said.success().text();
    assert!(text.starts_with("offers PLAIN:plaintext\nFAIL 1 reason="), "{text}");
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("not offered") && log.contains("OAUTHBEARER"), "{log}");
}

#[test]
fn a_user_is_found_behind_a_gateway_that_does_not_know_him() {
    let keys = |user: &str| {
        let site = Site::nwauth().set("nwauth_scheme scram-sha-256");
        site.set("dialect tcpauth unix:tcpauth.sock").user(user, "Geh eim")
    };
    let (gateway, own) = (keys("ann"), keys("bob"));
    let serving = gateway.serve();
    let front = Site::new("authent_method multi\nauthent_ini multiauth.ini\n");
    let front = front.set(&format!("drop_root {}", gateway.home().join("mail").display()));
    let front = front.set("dialect dovecot-auth unix:auth.sock mechanisms=SCRAM-SHA-256");
    let server = format!("server unix:{}\n", gateway.home().join("tcpauth.sock").display());
    fs::write(front.home().join("tcpauth.ini"), server).expect("room");
    let users = own.home().join("users").display().to_string();
    let chain =
        format!("module 10\nsource tcpauth tcpauth.ini\nmodule 20\nsource nwauth {users}\n");
    fs::write(front.home().join("multiauth.ini"), chain).expect("room");
    let front_server = front.serve();
    for (user, password, expected) in [
        ("ann", "Geh eim", "OK 1 user=ann; the server knows the password"),
        ("bob", "Geh eim", "OK 1 user=bob; the server knows the password"),
        ("ann", "falsch", "FAIL 1"),
        ("bob", "falsch", "FAIL 1"),
        ("eve", "Geh eim", "FAIL 1"),
    ] {
        let said =
            auth_client::log_in(&socket(&front), 2, "SCRAM-SHA-256", user, password, &["final"]);
        let text = said.success().text();
        let said = text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>().join("; ");
        assert_eq!(said, format!("salt 12 100000; {expected}"), "{user} {password}");
    }
    front_server.stop();
    serving.stop();
}

#[test]
fn a_daemon_on_another_machine_judges_proofs_for_those_who_ask_it() {
    // A daemon of users and a whole gateway both judge: the one knows names as
    // the user base does, the other maps them.
    let daemon =
        Daemon::new("listen 127.0.0.1:0\nsource nwauth\nplain_quote true\n").user("bob", "none");
    let keys = site("PLAIN");
    let gateway = keys.set("dialect tcpauth unix:tcpauth.sock");
    fs::copy(gateway.home().join("users/nwauth.add"), daemon.folder().join("users/nwauth.add"))
        .expect("bob is there");
    let (running, serving) = (daemon.start(), gateway.serve());
    let socket_of_gateway = gateway.home().join("tcpauth.sock");
    for server in [running.address().to_string(), format!("unix:{}", socket_of_gateway.display())] {
        let front = Site::new("authent_method tcpauth\nauthent_ini tcpauth.ini\n");
        // Its drop files are those that the gateway names.
        let front = front.set(&format!("drop_root {}", gateway.home().join("mail").display()));
        let front = front.set("dialect dovecot-auth unix:auth.sock mechanisms=SCRAM-SHA-256,PLAIN");
        fs::write(front.home().join("tcpauth.ini"), format!("server {server}\n")).expect("room");
        let front_server = front.serve();
        let log_in = |mechanism: &str, user: &str, password: &str| {
            let socket = front.home().join("auth.sock");
            let said = auth_client::log_in(&socket, 2, mechanism, user, password, &["final"]);
            said.success().text().lines().skip(1).map(str::to_owned).collect::<Vec<_>>().join("; ")
        };
        let knows = "salt 12 100000; OK 1 user=bob; the server knows the password";
        assert_eq!(log_in("SCRAM-SHA-256", "bob", "Geh eim"), knows, "{server}");
        for (user, password) in [("bob", "falsch"), ("eve", "Geh eim")] {
            let said = log_in("SCRAM-SHA-256", user, password);
            assert_eq!(said, "salt 12 100000; FAIL 1", "{server} {user}");
        }
        assert_eq!(log_in("PLAIN", "bob", "Geh eim"), "OK 1 user=bob", "{server}");
        let log = front.log();
        assert!(!log.contains("not offered"), "{log}");
        front_server.stop();
    }
    // Of whoever speaks the first version only, no proof is asked.
    let front = Site::new("authent_method tcpauth\nauthent_ini tcpauth.ini\n");
    let front = front.set("dialect dovecot-auth unix:auth.sock mechanisms=SCRAM-SHA-256,PLAIN");
    let ini = format!("server {}\nversion 1\nplain_quote true\n", running.address());
    fs::write(front.home().join("tcpauth.ini"), ini).expect("room");
    let front_server = front.serve();
    let socket = front.home().join("auth.sock");
    let said = auth_client::log_in(&socket, 2, "PLAIN", "bob", "Geh eim", &[]).success().text();
    assert_eq!(said, "offers PLAIN:plaintext\nOK 1 user=bob\n");
    assert!(front.log().contains("not offered"), "{}", front.log());
    front_server.stop();
    serving.stop();
    running.stop();
    let log = gateway.log();
    let line = "login service=imap dialect=\"dovecot-auth\" user=\"bob\" client=192.0.2.7 \
                transport=\"insecure\" by=\"SCRAM-SHA-256\"";
    assert!(log.contains(line), "the gateway names what the front end was asked in: {log}");
}

#[test]
fn while_only_daemons_that_know_passwords_are_there_nothing_else_is_offered() {
    let keys = site("PLAIN");
    let able = Daemon::new("listen 127.0.0.1:0\nsource nwauth\n");
    fs::copy(keys.home().join("users/nwauth.add"), able.folder().join("users/nwauth.add"))
        .expect("bob is there");
    let other = Site::module().set("dialect tcpauth unix:tcpauth.sock");
    let (running, serving) = (able.start(), other.serve());
    let front = Site::new("authent_method tcpauth\nauthent_ini tcpauth.ini\n");
    let front = front.set("dialect dovecot-auth unix:auth.sock mechanisms=SCRAM-SHA-256,PLAIN");
    let front = front.set(&format!("drop_root {}", other.home().join("mail").display()));
    let second = other.home().join("tcpauth.sock");
    let ini = format!("server {}\nserver unix:{}\n", running.address(), second.display());
    fs::write(front.home().join("tcpauth.ini"), ini).expect("room");
    let front_server = front.serve();
    let log_in = |password: &str| {
        let socket = socket(&front);
        auth_client::log_in(&socket, 2, "PLAIN", "bob", password, &[]).success().text()
    };
    let (both, one) =
        ("offers SCRAM-SHA-256:mutual-auth PLAIN:plaintext\n", "offers PLAIN:plaintext\n");
    let said = format!("{both}OK 1 user=bob\n");
    wait::until("both daemons are there", || log_in("Geh eim") == said);
    running.stop();
    let said = format!("{one}OK 1 user=bob\n");
    wait::until("nobody is offered what nobody can judge", || log_in("s3cret") == said);
    front_server.stop();
    serving.stop();
}
