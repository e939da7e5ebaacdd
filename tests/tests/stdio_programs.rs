//! The programs that other servers start: ejabberd's extauth, OpenSMTPD's
//! proc-exec, Courier's authpipe; with the lines of their pages.

use std::fs;
use std::process::Command;

use dmail_tests::integration;
use dmail_tests::login::Way;
use dmail_tests::machine;
use dmail_tests::peer::authdaemond::Authdaemond;
use dmail_tests::program::{self, Said};
use dmail_tests::site::Site;

/// A site that programs of this machine may ask, as `page` says.
fn site(page: &str) -> Site {
    let line = integration::lines(page, "dmail.conf").replace("/run/dmail/", "");
    let words = line.split_whitespace().filter(|word| !word.starts_with("group="));
    Site::nwauth().user("bob", "s3 cret").set(&words.collect::<Vec<_>>().join(" "))
}

/// What a line of a page is on this machine.
fn here(line: &str, site: &Site) -> String {
    line.replace("/usr/local/bin/dmail", &program::path().display().to_string())
        .replace("/etc/dmail", &site.home().display().to_string())
}

/// ejabberd's requests, each behind its length.
fn frames(requests: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for request in requests {
        let length = u16::try_from(request.len()).expect("a short request");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(request.as_bytes());
    }
    bytes
}

/// The program of ejabberd.yml, as ejabberd starts it.
fn extauth(site: &Site, more: &[&str], requests: &[&str]) -> Said {
    let yml = integration::lines("ejabberd", "ejabberd.yml");
    let line = yml.lines().find_map(|line| line.strip_prefix("extauth_program: "));
    let line = here(line.expect("a program").trim_matches('"'), site);
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).args(more);
    program::run(command, frames(requests))
}

/// `y` or `n` for each answer.
fn letters(said: &Said) -> String {
    let letter = |answer: &[u8]| match answer {
        [0, 2, 0, 1] => 'y',
        [0, 2, 0, 0] => 'n',
        _ => '?',
    };
    said.out.chunks(4).map(letter).collect()
}

#[test]
fn ejabberd_is_answered_and_never_told_no_by_nobody() {
    let site = site("ejabberd");
    let server = site.serve();
    let requests = [
        "auth:bob:corp.example:s3 cret",
        "auth:bob:corp.example:wrong",
        "isuser:bob:corp.example",
        "isuser:ann:corp.example",
        "setpass:bob:corp.example:new",
        "removeuser:bob:corp.example",
        "nonsense",
    ];
    let said = extauth(&site, &[], &requests);
    assert_eq!((letters(&said).as_str(), said.code), ("ynynnnn", Some(0)), "{}", said.err);
    // The socket does not let it change anything either.
    let said = extauth(&site, &["-changes"], &["setpass:bob:corp.example:new"]);
    assert_eq!((letters(&said).as_str(), said.code), ("n", Some(0)), "{}", said.err);
    server.stop();
    let said = extauth(&site, &[], &requests);
    assert_eq!((letters(&said).as_str(), said.code), ("", Some(75)), "{}", said.err);
}

#[test]
fn ejabberd_changes_accounts_where_it_may() {
    let site = site("ejabberd")
        .unset("dialect")
        .set("dialect tcpauth unix:tcpauth.sock mode=660 changes=yes");
    let server = site.serve();
    let requests = [
        "setpass:bob:corp.example:new",
        "auth:bob:corp.example:new",
        "auth:bob:corp.example:s3 cret",
        "setpass:ann:corp.example:pw",
        "tryregister:ann:corp.example:pw",
        "tryregister:ann:corp.example:pw2",
        "auth:ann:corp.example:pw",
        "removeuser3:ann:corp.example:wrong",
        "removeuser3:ann:corp.example:pw",
        "isuser:ann:corp.example",
    ];
    let said = extauth(&site, &["-changes"], &requests);
    assert_eq!((letters(&said).as_str(), said.code), ("yynnynynyn", Some(0)), "{}", said.err);
    server.stop();
}

#[test]
fn opensmtpd_is_answered() {
    let site = site("opensmtpd");
    let server = site.serve();
    let ask = |lines: &str| {
        let home = site.home().display().to_string();
        let words = ["proc-exec", "-path", &home, "-uid", "5000", "-gid", "5001", "-home", "/m"];
        program::run(program::dmail(&words), lines)
    };
    let table = |rest: &str| format!("table|0.1|1700000000.123456|dmail|{rest}\n");
    let greeting = "config|smtpd-version|7.8.0\nconfig|protocol|0.1\nconfig|tablename|dmail\n\
                    config|ready\n";
    let said = ask(greeting).success();
    assert_eq!(said.text(), "register|auth\nregister|userinfo\nregister|ready\n");
    // smtpd waits for each answer.
    for (request, expected) in [
        ("check|auth|77|bob:s3 cret", "check-result|77|found\n"),
        ("check|auth|78|bob:wrong", "check-result|78|not-found\n"),
        ("lookup|userinfo|79|bob", "lookup-result|79|found|5000:5001:/m\n"),
        ("lookup|userinfo|80|ann", "lookup-result|80|not-found\n"),
        ("update|81", "update-result|81|ok\n"),
    ] {
        assert_eq!(ask(&table(request)).success().text(), expected);
    }
    server.stop();
    let said = ask(&table("check|auth|82|bob:s3 cret")).success();
    assert_eq!(said.text(), "check-result|82|error|try again later\n");
}

#[test]
fn courier_asks_us_and_we_ask_courier() {
    if !machine::is_ours("Courier's authdaemond") {
        return;
    }
    let site = site("authpipe");
    let server = site.serve();
    let script = here(&integration::lines("authpipe", "authProg"), &site);
    let courier = Authdaemond::start(&integration::lines("authpipe", "authdaemonrc"), &script);
    let told = |words: &[&str]| {
        let said = courier.ask(words);
        format!("{}{}", said.text(), said.err)
    };
    assert!(told(&["authtest", "bob", "s3 cret"]).contains("Authentication succeeded"));
    assert!(told(&["authtest", "bob"]).contains("Home Directory: /var/mail"));
    assert!(told(&["authtest", "bob", "wrong"]).contains("Operation not permitted"));
    assert!(told(&["authtest", "ann"]).contains("Operation not permitted"));
    assert!(told(&["authenumerate"]).contains("bob"));

    // And the way back: a gateway whose user base is that Courier.
    let other = Site::new("authent_method courier\nauthent_ini courierauth.ini\n");
    let ini = format!("socket {}\ntimeout 5\n", courier.socket().display());
    fs::write(other.home().join("courierauth.ini"), ini).expect("room");
    let asking = other.serve();
    let way = Way::SmtpPlain;
    for (user, password, start) in
        [("bob", "s3 cret", way.yes()), ("bob", "wrong", way.no()), ("ann", "any", way.no())]
    {
        let answer = way.answer(&asking, user, password);
        assert!(answer.starts_with(start), "{user} {password}: {answer}");
    }

    // The old password for a new one.
    let said = courier.ask(&["authtest", "bob", "s3 cret", "new one"]);
    assert!(format!("{}{}", said.text(), said.err).contains("hange"), "{said:?}");
    assert!(told(&["authtest", "bob", "new one"]).contains("Authentication succeeded"));

    // Nobody can say now: neither Courier's clients nor ours hear a no.
    server.stop();
    let said = told(&["authtest", "bob", "new one"]);
    assert!(!said.contains("succeeded") && !said.contains("not permitted"), "{said}");
    let answer = way.answer(&asking, "ann", "any");
    assert!(answer.starts_with(way.later()), "{answer}");
    asking.stop();
}
