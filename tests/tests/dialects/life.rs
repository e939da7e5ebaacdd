//! Reloads and stops, while logins go on.

use std::fs;
use std::time::{Duration, Instant};

use dmail_tests::dialect::{Dialect, Heard, Place};
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

use super::{log, unix, unix_line};

fn hang_up(site: &Site, server: &Server) {
    const DONE: &str = "reloaded the gateway's settings";
    let count = || log(site).matches(DONE).count();
    let before = count();
    server.process().signal(Signal::SIGHUP);
    wait::until("the settings are read again", || count() > before);
}

#[test]
fn a_reload_opens_new_lines_closes_those_that_are_gone_and_keeps_the_rest() {
    let site = Site::nwauth().user("bob", "s3cret").set("authent_cache 0");
    let kept = Dialect::DovecotAuth;
    let both = site.set(&unix_line(kept)).set(&unix_line(Dialect::Saslauthd));
    let server = both.serve();
    let mut staying = kept.connect(&unix(&both, kept));
    let mut leaving = unix(&both, Dialect::Saslauthd).connect();

    let line = unix_line(Dialect::Saslauthd);
    let config = fs::read_to_string(both.config()).expect("it is there");
    let other =
        format!("{}{}\n", config.replace(&format!("{line}\n"), ""), unix_line(Dialect::Tcpauth));
    let path = both.home().join("dmail.conf");
    fs::write(&path, &other).expect("room");
    hang_up(&both, &server);
    let opened = unix(&both, Dialect::Tcpauth);
    wait::until("the new line is served", || opened.try_connect().is_ok());
    assert_eq!(Dialect::Tcpauth.ask(&opened, "bob", "s3cret"), Heard::Yes);
    assert!(unix(&both, Dialect::Saslauthd).try_connect().is_err(), "this one is closed");
    assert_eq!(leaving.rest(), b"", "and so are its connections");
    staying.send(&kept.request("bob", "s3cret"));
    assert_eq!(kept.hear(&mut staying), Heard::Yes, "a connection that stays is not disturbed");

    // The same address in another dialect.
    let renamed =
        other.replace("dialect tcpauth unix:tcpauth.sock", "dialect saslauthd unix:tcpauth.sock");
    fs::write(&path, &renamed).expect("room");
    hang_up(&both, &server);
    let answers = || {
        let Ok(mut connection) = opened.try_connect() else { return Vec::new() };
        connection.send(&Dialect::Saslauthd.request("bob", "s3cret"));
        connection.rest()
    };
    wait::until("the address speaks another dialect", || answers() == b"\0\x02OK");

    // What cannot be opened is told, and keeps nothing else from going on.
    let bad = format!("{renamed}dialect socketmap unix:no/such/folder\n");
    fs::write(&path, &bad).expect("room");
    hang_up(&both, &server);
    wait::until("the log tells of it", || log(&both).contains("a new dialect is not served"));
    assert_eq!(kept.ask(&unix(&both, kept), "bob", "s3cret"), Heard::Yes);
    server.stop();
}

#[test]
fn logins_over_a_kept_connection_survive_reloads() {
    let site = Site::module()
        .set("authent_cache 0")
        .set("authent_number 2")
        .set(&format!("{} tempfail=code", unix_line(Dialect::DovecotAuth)));
    let server = site.serve();
    let mut connection = Dialect::DovecotAuth.connect(&unix(&site, Dialect::DovecotAuth));
    for id in 1..=60 {
        connection.send_login(id, "u7", "p7", "service=imap");
        if id % 20 == 0 {
            hang_up(&site, &server);
        }
        assert_eq!(connection.line(), format!("OK\t{id}\tuser=u7"));
    }
    server.stop();
}

#[test]
fn what_was_asked_is_answered_before_a_stop() {
    let site = Site::module()
        .set("authent_cache 0")
        .set(&format!("{} tempfail=code", unix_line(Dialect::DovecotAuth)))
        .set(&unix_line(Dialect::Saslauthd));
    let server = site.serve();
    let place = unix(&site, Dialect::DovecotAuth);
    let mut connection = Dialect::DovecotAuth.connect(&place);
    let mut idle = Dialect::DovecotAuth.connect(&place);
    let mut once = unix(&site, Dialect::Saslauthd).connect();
    connection.send_login(1, "slow", "x", "service=imap");
    once.send(&Dialect::Saslauthd.request("slow", "y"));
    let asked =
        || site.requests().iter().filter(|line| line.starts_with("check slow")).count() == 2;
    wait::until("the module is asked", asked);
    let started = Instant::now();
    server.ask_to_stop();
    assert_eq!(connection.line(), "OK\t1\tuser=slow");
    assert_eq!(connection.line(), "", "then it ends");
    assert_eq!(once.rest(), b"\0\x02OK");
    assert_eq!(idle.rest(), b"");
    let status = server.wait();
    assert!(status.success(), "{status}");
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    let Place::Unix(path) = place else { panic!("a file") };
    assert!(!path.exists(), "clients see at once that nobody is there");
}
