//! Logins by token: the accounts are in NWAuth files, the tokens an issuer's.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use dmail_tests::authority::Authority;
use dmail_tests::integration;
use dmail_tests::peer::dovecot::Dovecot;
use dmail_tests::peer::issuer::{self, Issuer};
use dmail_tests::peer::postfix::{self, Postfix};
use dmail_tests::peer::{auth_client, curl};
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

const ANN: &str = r#""aud":"dmail","email":"ann@corp.example""#;
const MECHANISMS: [&str; 2] = ["OAUTHBEARER", "XOAUTH2"];
const REFUSED: [&str; 2] =
    [r#"told {"status":"invalid_token"}"#, r#"told {"status":"401","schemes":"bearer"}"#];

/// A site with the documented modules, ann's account, and these lines of
/// oauth2.ini.
fn site(oauth2: &str) -> Site {
    // Here, one client shows many wrong tokens.
    let site = Site::new("nwauth_scheme ssha512\n").set("throttle_except 127.0.0.0/8,192.0.2.0/24");
    let home = site.home();
    let write = |name: &str, lines: &str| {
        fs::write(home.join(name), issuer::here(lines, &home)).expect("room");
    };
    write("multiauth.ini", &integration::lines("../oauth2", "multiauth.ini"));
    write("oauth2.ini", oauth2);
    let lines = integration::lines("../oauth2", "dmail.conf");
    let lines = issuer::here(&lines, &home).replace("/run/dmail/auth", "auth.sock");
    let lines = lines.replace(" mode=660 group=mail", " tempfail=code");
    lines.lines().fold(site, |site, line| site.set(line)).user("ann", "s3cret")
}

/// The documented lines of oauth2.ini, for this issuer.
fn by_keys(issuer: &Issuer) -> String {
    let lines = integration::lines("../oauth2", "oauth2.ini");
    let line = |line: &str| match line.split_once(' ').map(|(name, _)| name) {
        Some("issuer") => "issuer https://id.example\n".to_owned(),
        Some("jwks_url") => format!("jwks_url {}/jwks\n", issuer.url()),
        _ => format!("{line}\n"),
    };
    lines.lines().map(line).collect()
}

/// What is said to a login, behind what is offered; the parts with `; `.
fn log_in(site: &Site, mechanism: &str, user: &str, secret: &str) -> String {
    let socket = site.home().join("auth.sock");
    let said = auth_client::log_in(&socket, 2, mechanism, user, secret, &[]).success().text();
    said.lines().skip(1).collect::<Vec<_>>().join("; ")
}

/// Checks what both mechanisms say to a token.
#[track_caller]
fn check(site: &Site, user: &str, token: &str, expected: &str) {
    for (mechanism, refused) in MECHANISMS.into_iter().zip(REFUSED) {
        let said = log_in(site, mechanism, user, token);
        let expected = match expected {
            "OK" => "OK 1 user=ann".to_owned(),
            "later" => "FAIL 1 code=temp_fail".to_owned(),
            "disabled" => {
                format!("{refused}; FAIL 1 code=user_disabled reason=this account is suspended")
            }
            _ => format!("{refused}; FAIL 1"),
        };
        assert_eq!(said, expected, "{mechanism} {user}");
    }
}

fn set(site: &Site, words: &[&str]) {
    let said = site.dmail(&["authent", "set"], words, "s3cret\n").success();
    assert!(said.text().starts_with("+OK "), "{}", said.text());
}

#[test]
fn tokens_are_the_issuers_and_accounts_the_user_bases() {
    let mut issuer = Issuer::start(None);
    let site = site(&by_keys(&issuer));
    let server = site.serve();
    let token = issuer.token(ANN);
    check(&site, "ann", &token, "OK");
    check(&site, "Ann@corp.example", &token, "OK");
    assert_eq!(log_in(&site, "OAUTHBEARER", "", &token), "OK 1 user=ann");
    assert_eq!(log_in(&site, "PLAIN", "ann", "s3cret"), "OK 1 user=ann");
    // A token is no password, and a password no token.
    assert_eq!(log_in(&site, "PLAIN", "ann", &token), "FAIL 1");
    check(&site, "ann", "s3cret", "no");
    set(&site, &["bob"]);
    for (user, token) in [
        ("bob", token.clone()),
        ("ann", issuer.token(&ANN.replace("dmail", "wiki"))),
        ("ann", issuer.token(&ANN.replace("email", "sub"))),
        ("ann", issuer.token_until(issuer::now() - 61, ANN)),
        ("ann", Issuer::start(None).token(ANN)),
        ("ann", token[..token.len() - 1].to_owned()),
        // A good token of somebody without an account.
        ("eve", issuer.token(&ANN.replace("ann", "eve"))),
        ("eve@elsewhere.example", issuer.token(&ANN.replace("ann@corp", "eve@elsewhere"))),
    ] {
        check(&site, user, &token, "no");
    }
    // The account's state counts at each login.
    set(&site, &["ann", "mailstatus=suspended"]);
    check(&site, "ann", &token, "disabled");
    set(&site, &["ann", "mailstatus=ok"]);
    check(&site, "ann", &token, "OK");
    // Keys that are known go on.
    issuer.stop();
    check(&site, "ann", &issuer.token(ANN), "OK");
    server.process().signal(Signal::SIGHUP);
    wait::until("it is reloaded", || site.log().contains("reloaded the gateway's settings"));
    check(&site, "ann", &issuer.token(ANN), "OK");
    assert_eq!(log_in(&site, "PLAIN", "ann", "s3cret"), "OK 1 user=ann");
    server.stop();
    let log = site.log();
    for part in ["by=\"token\"", "the token is another user's", "the token has expired"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!log.contains(signature) && !log.contains("s3cret"), "{log}");
}

#[test]
fn an_issuer_that_is_not_there_yet_is_found_and_stops_no_password() {
    let issuer = Issuer::start(None);
    for mood in ["dead", "fails", "garbage", "huge", "hangs"] {
        issuer.spoil(mood);
        let site = site(&format!("{}timeout 1\n", by_keys(&issuer)));
        let server = site.serve();
        let token = issuer.token(ANN);
        check(&site, "ann", &token, "later");
        assert_eq!(log_in(&site, "PLAIN", "ann", "s3cret"), "OK 1 user=ann", "{mood}");
        assert_eq!(log_in(&site, "PLAIN", "ann", "wrong"), "FAIL 1", "{mood}");
        issuer.spoil("");
        wait::until("the keys are there", || {
            log_in(&site, "XOAUTH2", "ann", &token) == "OK 1 user=ann"
        });
        server.stop();
    }
}

/// A site whose issuer is asked about each token, over TLS.
fn asking_site(issuer: &Issuer, authority: &Authority, more: &str) -> Site {
    let secret = issuer.jwks().with_file_name("secret");
    fs::write(&secret, "opensesame\n").expect("room");
    site(&format!(
        "audience dmail\nintrospection_url {}/introspect\nclient_id dmail\n\
         client_secret_file {}\nca_file {}\n{more}",
        issuer.url(),
        secret.display(),
        authority.file().display()
    ))
}

/// What `doveadm auth cache flush` does.
fn forget(site: &Site, user: &str) -> String {
    let mut master = UnixStream::connect(site.home().join("master.sock")).expect("it is served");
    write!(master, "VERSION\t1\t1\nCACHE-FLUSH\t1\t{user}\n").expect("it reads");
    let mut lines = BufReader::new(master).lines().map_while(Result::ok);
    lines.find(|line| line.starts_with("OK")).unwrap_or_default()
}

#[test]
fn the_issuer_is_asked_about_tokens_that_only_it_understands() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path(), "authority");
    let mut issuer = Issuer::start(Some(&authority.issue("issuer", &["127.0.0.1"])));
    let site = asking_site(&issuer, &authority, "timeout 1\nscope mail\n")
        .set("dialect dovecot-master unix:master.sock uid=5000 gid=5000 home=/var/vmail/%u");
    let server = site.serve();
    let active = format!(r#"{{"active":true,"scope":"openid mail",{ANN}}}"#);
    issuer.says("opaque+1/=", &active);
    let log_in = |token: &str| log_in(&site, "OAUTHBEARER", "ann", token);
    let yes = "OK 1 user=ann";
    let no = r#"told {"status":"invalid_token","scope":"mail"}; FAIL 1"#;
    for _ in 0..3 {
        assert_eq!(log_in("opaque+1/="), yes);
    }
    assert_eq!(issuer.asked("/introspect"), 1, "it is remembered");
    assert_eq!(log_in("opaque-2"), no);
    issuer.says("opaque-3", &active.replace("mail\"", "x\""));
    assert_eq!(log_in("opaque-3"), no, "a scope is missing");
    // What is revoked is refused as soon as it is forgotten.
    issuer.says("opaque+1/=", r#"{"active": false}"#);
    assert_eq!(log_in("opaque+1/="), yes);
    assert_eq!(forget(&site, "ann"), "OK\t1\t1");
    assert_eq!(log_in("opaque+1/="), no);
    for mood in ["dead", "fails", "garbage", "huge", "hangs"] {
        issuer.spoil(mood);
        assert_eq!(log_in("opaque-4"), "FAIL 1 code=temp_fail", "{mood}");
    }
    issuer.spoil("");
    issuer.says("opaque-4", &active);
    assert_eq!(log_in("opaque-4"), yes);
    issuer.stop();
    assert_eq!(log_in("opaque-4"), yes, "it is remembered");
    assert_eq!(log_in("opaque-5"), "FAIL 1 code=temp_fail");
    server.stop();
    let log = site.log();
    assert!(!log.contains("opaque") && !log.contains("opensesame"), "{log}");
}

#[test]
fn an_issuer_with_a_certificate_of_nobodys_is_not_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let [known, other] = ["known", "other"].map(|name| Authority::new(folder.path(), name));
    let issuer = Issuer::start(Some(&other.issue("issuer", &["127.0.0.1"])));
    let site = asking_site(&issuer, &known, "");
    issuer.says("opaque", &format!(r#"{{"active":true,{ANN}}}"#));
    let _server = site.serve();
    check(&site, "ann", "opaque", "later");
    assert_eq!(issuer.asked("/introspect"), 0);
}

/// Our server with the account of ann, whose socket is where the page says.
fn beside(line: &str, issuer: &Issuer) -> (Site, Server) {
    let site = site(&format!("{}user_claim email\n", by_keys(issuer))).set(line);
    postfix::open_to_all(site.folder());
    postfix::open_to_all(&site.home());
    let server = site.serve();
    (site, server)
}

/// A token of some 5,000 characters, as issuers make them that put a user's
/// groups in.
fn long_token(issuer: &Issuer) -> String {
    issuer.token(&format!(r#"{ANN},"groups":"{}""#, "x".repeat(3500)))
}

#[test]
fn clients_of_postfix_log_in_by_token() {
    let Some(mut postfix) = Postfix::new("clients_of_postfix_log_in_by_token") else { return };
    let private = postfix.private().display().to_string();
    let line = integration::lines("postfix", "oauth2");
    let issuer = Issuer::start(None);
    let line = line.trim_end().replace("/var/spool/postfix/private", &private);
    let (site, server) = beside(&line, &issuer);
    let blocks = ["logins", "tokens"].map(|block| integration::lines("postfix", block));
    postfix.start(&blocks.concat());
    let url = format!("smtp://{}/client.example", postfix.smtp());
    let (short, long) = (issuer.token(ANN), long_token(&issuer));
    for mechanism in MECHANISMS {
        for (user, token, expected) in [
            ("ann", &short, "< 235 2.7.0"),
            ("ann@corp.example", &long, "< 235 2.7.0"),
            ("bob", &short, "< 535 5.7.8"),
            ("ann", &issuer.token_until(1, ANN), "< 535 5.7.8"),
        ] {
            let said = curl::show_token(&url, mechanism, user, token);
            assert!(said.err.contains(expected), "{mechanism} {user} {}", said.err);
        }
    }
    // A server that has no keys, and an issuer that tells it none.
    drop(server);
    issuer.spoil("dead");
    let server = site.serve();
    let said = curl::show_token(&url, "XOAUTH2", "ann", &short);
    assert!(said.err.contains("< 454 4.7.0"), "{}", said.err);
    drop(server);
    let signature = short.rsplit('.').next().expect("a signature");
    assert!(!site.log().contains(signature), "{}", site.log());
}

#[test]
fn clients_of_dovecot_log_in_by_token() {
    let Some(mut dovecot) = Dovecot::mail("clients_of_dovecot_log_in_by_token") else { return };
    dovecot.make_places(&integration::lines("dovecot", "tmpfiles"));
    let issuer = Issuer::start(None);
    let mut site = site(&by_keys(&issuer));
    let documented = dovecot.here(&integration::lines("dovecot", "dmail.conf"));
    let with_tokens = dovecot.here(&integration::lines("dovecot", "oauth2"));
    for line in with_tokens.lines().chain(documented.lines().skip(1)) {
        site = site.set(line);
    }
    issuer.spoil("dead");
    let _server = site.serve();
    dovecot.start(&integration::lines("dovecot", "dovecot.conf"));
    let (short, long) = (issuer.token(ANN), long_token(&issuer));
    let [imap, pop] = [dovecot.imap_url(), dovecot.pop_url()];
    let said = curl::show_token(&imap, "OAUTHBEARER", "ann", &short);
    assert!(said.err.contains("NO [UNAVAILABLE]"), "{}", said.err);
    let said = curl::show_token(&pop, "XOAUTH2", "ann", &short);
    assert!(said.err.contains("-ERR [SYS/TEMP]"), "{}", said.err);
    issuer.spoil("");
    wait::until("the keys are there", || {
        curl::show_token(&imap, "OAUTHBEARER", "ann", &short).code == Some(0)
    });
    let expired = issuer.token_until(1, ANN);
    for mechanism in MECHANISMS {
        for (url, yes, no) in [
            (&imap, " OK ", " NO [AUTHENTICATIONFAILED]"),
            (&pop, "< +OK Logged in", "< -ERR [AUTH]"),
        ] {
            for (user, token, expected) in [
                ("ann", &short, yes),
                ("ann@corp.example", &long, yes),
                ("bob", &short, no),
                ("ann", &expired, no),
            ] {
                let said = curl::show_token(url, mechanism, user, token);
                assert!(said.err.contains(expected), "{mechanism} {user} {}", said.err);
                // CURLE_LOGIN_DENIED.
                assert_eq!(said.code == Some(67), expected == no, "{mechanism} {user}");
            }
        }
    }
    for log in [site.log(), dovecot.log()] {
        let signature = short.rsplit('.').next().expect("a signature");
        assert!(!log.contains(signature), "{log}");
    }
}
