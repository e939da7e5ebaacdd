//! The dialects over HTTP through the real program, asked by curl and by
//! Dovecot: `http` as docs/http.md says, `auth-policy` by the lines of
//! docs/integrations/dovecot-policy.md.

use std::fs;
use std::path::Path;
use std::process::Command;

use dmail_tests::authority::Authority;
use dmail_tests::integration;
use dmail_tests::peer::dovecot::{Dovecot, PASSWD_FILE};
use dmail_tests::program;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

const SECRET: &str = "correct-horse-battery-staple";

fn write_secret(site: &Site, name: &str) {
    fs::write(site.home().join(name), format!("{SECRET}\n")).expect("room");
}

/// What curl gets for a JSON body: the status and the body.
fn curl(arguments: &[&str], body: &str) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"]);
    curl.args(["--header", "Content-Type: application/json", "--data-binary", "@-"]);
    curl.args(arguments);
    let said = program::run(curl, body).success().text();
    let (body, status) = said.rsplit_once('\n').expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

fn post(server: &Server, path: &str, body: &str) -> (u16, String) {
    let url = format!("http://{}{path}", server.dialect("http"));
    curl(&["--header", &format!("Authorization: Bearer {SECRET}"), &url], body)
}

fn http_site(site: Site) -> Site {
    write_secret(&site, "http.secret");
    site.set("dialect http 127.0.0.1:0 secret_file=http.secret service=web")
}

#[test]
fn curl_checks_and_looks_up() {
    let site = http_site(Site::nwauth().user("bob", "s3cret"));
    let server = site.serve();
    let check = |user: &str, password: &str| {
        let body = format!(
            r#"{{"user":"{user}","password":"{password}","client":"192.0.2.7","service":"imap"}}"#
        );
        post(&server, "/v1/check", &body)
    };
    let (status, body) = check("bob", "s3cret");
    assert!(
        status == 200 && body.starts_with(r#"{"result":"accepted","account":{"name":"bob","#),
        "{body}"
    );
    let wrong =
        r#"{"result":"rejected","reason":"not-verified","message":"wrong user name or password"}"#;
    assert_eq!(check("bob", "wrong"), (200, wrong.to_owned()));
    assert_eq!(check("nobody", "s3cret"), (200, wrong.to_owned()));
    assert_eq!(check("bob", ""), (200, wrong.to_owned()));
    assert_eq!(check("bob smith", "s3cret"), (200, wrong.to_owned()));
    let (status, body) = post(&server, "/v1/lookup", r#"{"user":"bob@corp.example"}"#);
    assert!(status == 200 && body.contains("accepted"), "{body}");
    let (status, body) = post(&server, "/v1/lookup", r#"{"user":"nobody"}"#);
    assert!(status == 200 && body.contains("unknown-user"), "{body}");
    let url = format!("http://{}/v1/check", server.dialect("http"));
    assert_eq!(curl(&[&url], "{}").0, 401);
    assert_eq!(curl(&["--header", "Authorization: Bearer guess", &url], "{}").0, 401);
    // A body for which curl waits for leave, in chunks.
    let chunked = ["--header", "Transfer-Encoding: chunked", "--header", "Expect: 100-continue"];
    let bearer = format!("Authorization: Bearer {SECRET}");
    let chunked = [&chunked[..], &["--header", &bearer, &url]].concat();
    assert_eq!(curl(&chunked, r#"{"user":"bob","password":"s3cret"}"#).0, 200);
    assert_eq!(post(&server, "/v1/check", &"x".repeat(100_000)).0, 413);

    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("dialect=\"http\""), "the log names the dialect: {log}");
    let origin = "login refused service=imap dialect=\"http\"";
    let unasked = "client=192.0.2.7 reason=\"bad-input\"";
    for expected in [
        format!("{origin} user=\"bob\" {unasked} text=\"the password is empty\""),
        format!("{origin} {unasked} text=\"user name: "),
    ] {
        assert_eq!(log.matches(&expected).count(), 1, "{expected}: {log}");
    }
    for secret in [SECRET, "s3cret", "guess"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    server.stop();
}

#[test]
fn a_user_base_that_does_not_answer_is_a_503() {
    let site = http_site(Site::module().set("authent_timeout 2").set("authent_cache 0"));
    let server = site.serve();
    for user in ["dead", "hang", "garbage", "crash"] {
        let body = format!(r#"{{"user":"{user}","password":"s3cret"}}"#);
        let (status, body) = post(&server, "/v1/check", &body);
        assert!(status == 503 && body.contains("unavailable"), "{user}: {status} {body}");
        let (status, _) = post(&server, "/v1/lookup", &format!(r#"{{"user":"{user}"}}"#));
        assert_eq!(status, 503, "{user}");
    }
    server.stop();
}

#[test]
fn tls_and_unix_sockets_serve_the_same() {
    let site = Site::nwauth().user("bob", "s3cret");
    let authority = Authority::new(site.folder(), "ours");
    let certificate = authority.issue("server", &["localhost"]);
    write_secret(&site, "http.secret");
    let site = site
        .set(&format!(
            "dialect http 127.0.0.1:0 secret_file=http.secret certificate={} key={}",
            certificate.certificate.display(),
            certificate.key.display()
        ))
        .set("dialect http unix:http.sock");
    let server = site.serve();
    let body = r#"{"user":"bob","password":"s3cret"}"#;
    let port = server.dialect("http").port();
    let (url, bearer) =
        (format!("https://localhost:{port}/v1/check"), format!("Authorization: Bearer {SECRET}"));
    let ca = text(authority.file());
    let (status, _) = curl(&["--cacert", &ca, "--header", &bearer, &url], body);
    assert_eq!(status, 200);
    let socket = site.home().join("http.sock");
    let (status, _) = curl(&["--unix-socket", &text(&socket), "http://x/v1/check"], body);
    assert_eq!(status, 200);
    server.stop();
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_line_that_would_let_everybody_guess_is_refused_with_what_to_add() {
    let rows = [
        ("dialect http 127.0.0.1:0", "add secret_file=FILE, or listen on unix:FILE"),
        ("dialect auth-http 127.0.0.1:0", "imap= is missing"),
        ("dialect auth-policy 127.0.0.1:0 secret_file=nothing.here", "nothing.here"),
    ];
    for (line, help) in rows {
        let site = Site::nwauth().set(line);
        let said = site.dmail(&["serve"], &[], "");
        assert!(said.code != Some(0) && said.err.contains(help), "{line}: {}", said.err);
    }
}

#[test]
fn dovecots_guesses_count_with_ours_and_are_refused_with_ours() {
    let mut site = Site::nwauth()
        .user("bob", "other")
        .unset("throttle_except")
        .set("throttle_failures 6")
        .set("throttle_delay_first 1")
        .set("throttle_delay_max 1");
    write_secret(&site, "policy.secret");
    for line in integration::lines("dovecot-policy", "dmail.conf").lines() {
        site = site.set(&line.replace("127.0.0.1:7081", "127.0.0.1:0"));
    }
    let server = site.serve();
    let lines = integration::lines("dovecot-policy", "dovecot.conf")
        .replace("127.0.0.1:7081", &server.dialect("auth-policy").to_string())
        .replace("SECRET", SECRET)
        .replace("NONCE", "some text");
    let users = "bob:{PLAIN}s3cret::::::\nann:{PLAIN}s3cret::::::\n";
    let dovecot = Dovecot::auth(&format!("{PASSWD_FILE}{lines}"), users);

    assert!(dovecot.lets_in("bob", "s3cret", "203.0.113.7"), "{}", dovecot.log());
    let listed = || site.dmail(&["throttle", "list"], &[], "").success().text();
    for guess in 0..6 {
        assert!(!dovecot.lets_in("bob", &format!("guess{guess}"), "192.0.2.1"));
        // A device that repeats its password counts once.
        if guess == 0 {
            assert!(!dovecot.lets_in("bob", "guess0", "192.0.2.1"));
        }
        let count = format!("user bob failures={} ", guess + 1);
        // The report is on its way when Dovecot answers.
        wait::until("the guess is counted", || listed().contains(&count));
    }
    assert!(listed().contains("address 192.0.2.1 failures=6 limit=6 refused"), "{}", listed());
    // Refused unasked, even with the right password, by user and by address;
    // but not where he was let in before.
    assert!(!dovecot.lets_in("bob", "s3cret", "198.51.100.1"));
    assert!(!dovecot.lets_in("ann", "s3cret", "192.0.2.1"));
    assert!(dovecot.lets_in("bob", "s3cret", "203.0.113.7"), "{}", dovecot.log());
    // And so at DPOP.
    let mut pop = server.pop_client();
    pop.ask("USER bob", "+OK");
    pop.ask("PASS other", "-ERR [AUTH]");
    let _ = site.dmail(&["throttle", "clear"], &["all"], "").success();
    assert!(dovecot.lets_in("ann", "s3cret", "192.0.2.1"), "{}", dovecot.log());
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("dialect=\"auth-policy\""), "{log}");
    assert!(!log.contains("a request that is not policy JSON"), "{log}");

    // Without dmail, Dovecot goes on.
    server.stop();
    assert!(dovecot.lets_in("bob", "s3cret", "192.0.2.1"), "{}", dovecot.log());
}
