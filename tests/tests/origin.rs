//! What is known of where a login comes from: the dialect, how its client's
//! connection is protected, and what the other server's log calls the session.
//! `access_plaintext` acts on it, and the log and `dmail explain` show it.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;

use dmail_tests::client::Client;
use dmail_tests::dialect::{Dialect, Place};
use dmail_tests::login::Way;
use dmail_tests::peer::fd3;
use dmail_tests::program;
use dmail_tests::server::Server;
use dmail_tests::site::Site;

/// What the users read whose password came in clear text.
const REFUSED: &str = "this login needs an encrypted connection";

/// An address of this machine that is not the loopback's, if it has one. No
/// packet is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// A site that takes passwords in clear text from one network only.
fn site() -> Site {
    Site::nwauth().user("bob", "s3cret").set("access_plaintext 198.51.100.0/24")
}

#[test]
fn pop_and_smtp_refuse_a_password_in_clear_text_without_looking_at_it() {
    let Some(address) = own_address() else {
        eprintln!("skipped: this machine has no address but its own loopback");
        return;
    };
    let site = site().set("pop_auth_plaintext true").set("smtp_auth_plaintext true");
    let site = site.unset("pop_port").unset("smtp_port");
    let site = site.set(&format!("pop_port {address}:0")).set(&format!("smtp_port {address}:0"));
    let site = site.set("pop_port 127.0.0.1:0");
    let server = site.serve();
    for way in Way::ALL {
        for (user, password) in [("bob", "s3cret"), ("bob", "wrong"), ("nobody", "s3cret")] {
            let answer = way.answer(&server, user, password);
            let expected = if way.yes() == "235 " { "535 5.7.1 " } else { "-ERR [AUTH] " };
            assert_eq!(answer, format!("{expected}{REFUSED}"), "{way:?} {user} {password}");
        }
    }
    let mut local = Client::connect(server.pop_on([127, 0, 0, 1].into()));
    local.expect("+OK ");
    local.ask("USER bob", "+OK");
    local.ask("PASS s3cret", "+OK");
    local.ask("QUIT", "+OK");
    server.stop();
    let log = std::fs::read_to_string(site.home().join("log/dpop.log")).expect("a log");
    assert!(log.contains("(access_plaintext)"), "{log}");
    assert!(log.contains("transport=\"insecure\""), "{log}");
}

/// What curl gets of this server.
fn curl(server: &Server, dialect: &str, path: &str, words: &[&str], body: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--max-time", "60"]).args(words);
    curl.arg(format!("http://{}{path}", server.dialect(dialect)));
    program::run(curl, body).success().text()
}

#[test]
fn every_dialect_that_tells_of_the_connection_refuses_as_much() {
    let site = site()
        .set("dialect dovecot-auth unix:auth.sock")
        .set("dialect http 127.0.0.1:0 secret_file=secret service=web")
        .set("dialect auth-http 127.0.0.1:0 imap=127.0.0.1:143");
    std::fs::write(site.home().join("secret"), "between us\n").expect("room");
    let server = site.serve();

    // The client's address, how it is connected, and whether it gets in.
    let rows = [
        ("203.0.113.9", "insecure", false),
        ("198.51.100.9", "insecure", true),
        ("127.0.0.1", "insecure", true),
        ("203.0.113.9", "secured", true),
        ("203.0.113.9", "tls", true),
        ("203.0.113.9", "tls-client-cert", true),
    ];
    for (client, transport, allowed) in rows {
        let told = match transport {
            "insecure" => "",
            "secured" => "\tsecured",
            "tls" => "\tsecured=tls",
            _ => "\tsecured\tvalid-client-cert",
        };
        let mut auth = Dialect::DovecotAuth.connect(&Place::Unix(site.home().join("auth.sock")));
        let origin = format!("service=imap\trip={client}{told}\tsession=a+b1");
        auth.send_login(1, "bob", "s3cret", &origin);
        let expected = match allowed {
            true => "OK\t1\tuser=bob".to_owned(),
            false => format!("FAIL\t1\tcode=user_disabled\treason={REFUSED}"),
        };
        assert_eq!(auth.line(), expected, "dovecot-auth {client} {transport}");

        let body = format!(
            r#"{{"user":"bob","password":"s3cret","client":"{client}","transport":"{transport}","session":"h-1"}}"#
        );
        let words = ["--header", "Authorization: Bearer between us", "--data-binary", "@-"];
        let words = [&words[..], &["--header", "Content-Type: application/json"]].concat();
        let answer = curl(&server, "http", "/v1/check", &words, &body);
        assert_eq!(answer.contains("\"accepted\""), allowed, "http {client}: {answer}");
        assert_eq!(answer.contains(REFUSED), !allowed, "http {client}: {answer}");
        assert_eq!(answer.contains("\"not-allowed\""), !allowed, "http {client}: {answer}");

        if transport == "secured" {
            continue; // nginx says of TLS only.
        }
        let client = format!("Client-IP: {client}");
        let lines = ["Auth-Method: plain", "Auth-Protocol: imap", "Auth-User: bob"];
        let lines = [&lines[..], &["Auth-Pass: s3cret", "Auth-Login-Attempt: 1", &client]].concat();
        let tls: &[&str] = match transport {
            "insecure" => &[],
            "tls" => &["Auth-SSL: on", "Auth-SSL-Verify: NONE"],
            _ => &["Auth-SSL: on", "Auth-SSL-Verify: SUCCESS"],
        };
        let words: Vec<&str> =
            lines.iter().chain(tls).flat_map(|line| ["--header", line]).collect();
        let answer = curl(&server, "auth-http", "/auth", &words, "");
        assert_eq!(answer.contains("Auth-Status: OK"), allowed, "auth-http {client}: {answer}");
        assert_eq!(answer.contains(REFUSED), !allowed, "auth-http {client}: {answer}");
    }
    server.stop();
    let log = site.log();
    let lines: Vec<&str> = log.lines().collect();
    for (what, words) in [
        ("login", &["dovecot-auth", "transport=\"tls\"", "session=a+b1"]),
        ("login", &["dovecot-auth", "transport=\"tls-client-cert\"", "session=a+b1"]),
        ("login", &["dialect=\"http\"", "transport=\"secured\"", "session=h-1"]),
        ("login", &["auth-http", "transport=\"tls-client-cert\"", "client=203.0.113.9"]),
        ("login refused", &["dovecot-auth", "transport=\"insecure\"", "reason=\"not-allowed\""]),
        ("login refused", &["auth-http", "transport=\"insecure\"", "reason=\"not-allowed\""]),
    ] {
        let what = format!(": {what} service=");
        let said =
            |line: &&&str| line.contains(&what) && words.iter().all(|word| line.contains(word));
        assert!(lines.iter().any(|line| said(&line)), "{what}{words:?}: {log}");
    }
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn programs_that_ask_over_tcpauth_are_named_in_the_log_of_the_gateway() {
    let site = site().set("dialect tcpauth unix:tcpauth.sock");
    let server = site.serve();
    let home = site.home().display().to_string();
    let dmail = program::path().display().to_string();

    let check = |password: &str, words: &[&str], variables: &[(&str, &str)]| {
        let words = [&[&dmail, "checkpassword", "-path", &home], words, &["true"]].concat();
        fd3::ask(&words, &fd3::login("bob", password), variables).code
    };
    let client = ("TCPREMOTEIP", "203.0.113.9");
    assert_eq!(check("s3cret", &[], &[client]), Some(0));
    assert_eq!(check("s3cret", &[], &[client, ("SSL_PROTOCOL", "TLSv1.3")]), Some(0));
    // Dovecot tells whether there is TLS.
    let dovecot = [client, ("SERVICE", "imap"), ("AUTH_SESSION", "c3czgQcVdMKsEQAB")];
    assert_eq!(check("s3cret", &["-dovecot"], &dovecot), Some(1));
    let secured = [&dovecot[..], &[("AUTH_SECURED", "TLS")]].concat();
    assert_eq!(check("s3cret", &["-dovecot"], &secured), Some(0));
    assert_eq!(check("wrong", &["-dovecot"], &secured), Some(1));

    let words = ["proc-exec", "-path", &home];
    let lines = "config|ready\ntable|0.1|1700000000.1|dmail|check|auth|7|bob:s3cret\n";
    let said = program::run(program::dmail(&words), lines).success();
    assert!(said.text().contains("check-result|7|found"), "{}", said.text());

    // A program that does not say who asks it.
    let mut first = Place::Unix(site.home().join("tcpauth.sock")).connect();
    first.send(b"check bob s3cret 192.0.2.7\n");
    assert!(first.line().starts_with("+OK bob "));
    server.stop();
    let log = site.log();
    for line in [
        r#"login service=line dialect="checkpassword" user="bob" client=203.0.113.9"#,
        r#"login service=line dialect="checkpassword" user="bob" client=203.0.113.9 transport="tls""#,
        r#"login service=imap dialect="checkpassword" user="bob" client=203.0.113.9 transport="tls" session=c3czgQcVdMKsEQAB"#,
        r#"login refused service=imap dialect="checkpassword" user="bob" client=203.0.113.9 transport="insecure" session=c3czgQcVdMKsEQAB reason="not-allowed""#,
        r#"login refused service=imap dialect="checkpassword" user="bob" client=203.0.113.9 transport="tls" session=c3czgQcVdMKsEQAB reason="not-verified""#,
        r#"login service=smtp dialect="proc-exec" user="bob""#,
        r#"login service=line dialect="tcpauth" user="bob" client=192.0.2.7"#,
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn explain_shows_what_is_known_and_what_follows() {
    let site = site();
    let explain = |words: &[&str]| {
        let common = ["bob", "--check", "--service", "imap", "--ip", "203.0.113.9"];
        let said = site.dmail(&["explain"], &[&common, words].concat(), "s3cret\n");
        (said.code, said.text())
    };
    let way = ["--dialect", "extauth", "--session", "a-1"];
    let (code, text) = explain(&[&way[..], &["--transport", "insecure"]].concat());
    let head = "check bob for imap in extauth over a connection: insecure, session a-1, by ";
    assert!(text.starts_with(head), "{text}");
    let refused = "access     refused: bob: no imap password in clear text from 203.0.113.9";
    assert!(text.contains(refused) && !text.contains("nwauth"), "nobody is asked: {text}");
    assert_eq!(code, Some(1));
    let (code, text) = explain(&[&way[..], &["--transport", "tls"]].concat());
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = explain(&way);
    assert_eq!(code, Some(0), "what is not known is not held against anybody: {text}");
    assert_eq!(explain(&["--transport", "telepathy"]).0, Some(2));
    assert_eq!(explain(&["--session", "a b"]).0, Some(2));
}
