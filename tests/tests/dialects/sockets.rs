//! The sockets themselves: their permissions, their files, how many may come.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use dmail_tests::dialect::{Connection, Dialect, Heard, Place};
use dmail_tests::program;
use dmail_tests::site::Site;
use dmail_tests::wait;

use super::{log, unix, unix_line};

fn site() -> Site {
    Site::nwauth().user("bob", "s3cret")
}

#[test]
fn the_file_of_a_socket_has_its_mode_and_its_owner() {
    // Another group can be given away by root only.
    let root = nix::unistd::geteuid().is_root();
    let group = if root { "group=mail" } else { "" };
    let site = site()
        .set(&unix_line(Dialect::Saslauthd))
        .set(&format!("dialect dovecot-auth unix:dovecot-auth.sock mode=660 {group}"));
    let server = site.serve();
    let found = |name: &str| fs::metadata(site.home().join(name)).expect("a socket");
    let (private, shared) = (found("saslauthd.sock"), found("dovecot-auth.sock"));
    assert_eq!(private.permissions().mode() & 0o777, 0o600);
    assert_eq!(shared.permissions().mode() & 0o777, 0o660);
    if root {
        let mail = nix::unistd::Group::from_name("mail").expect("a list").expect("a group");
        assert_eq!((shared.uid(), shared.gid()), (private.uid(), mail.gid.as_raw()));
    }
    server.stop();
}

#[test]
fn a_dead_servers_socket_is_replaced_and_a_living_ones_is_not() {
    let site = site().set(&unix_line(Dialect::Saslauthd));
    let place = unix(&site, Dialect::Saslauthd);
    site.serve().kill();
    assert!(place.try_connect().is_err(), "its file is left, and nobody is there");
    let server = site.serve();
    assert_eq!(Dialect::Saslauthd.ask(&place, "bob", "s3cret"), Heard::Yes);
    let config = site.config().display().to_string();
    let said = program::run(program::dmail(&["serve", "-c", &config]), "");
    assert_ne!(said.code, Some(0));
    assert!(said.err.contains("another process listens there"), "{}", said.err);
    assert!(said.err.contains("dmail.conf:"), "it names the line: {}", said.err);
    assert_eq!(Dialect::Saslauthd.ask(&place, "bob", "s3cret"), Heard::Yes, "it is still there");
    server.stop();
}

#[test]
fn a_thousand_clients_are_served_at_once_and_no_more() {
    let site = site().set(&unix_line(Dialect::DovecotAuth)).set(&unix_line(Dialect::Socketmap));
    let server = site.serve();
    let place = unix(&site, Dialect::DovecotAuth);
    let mut clients: Vec<Connection> =
        (0..1000).map(|_| Dialect::DovecotAuth.connect(&place)).collect();
    let mut one_more = place.connect();
    assert_eq!(one_more.line(), "", "it is cut off");
    wait::until("the log tells why", || log(&site).contains("reason=too many connections"));
    for client in &mut clients {
        client.send(&Dialect::DovecotAuth.request("bob", "s3cret"));
    }
    for client in &mut clients {
        assert_eq!(Dialect::DovecotAuth.hear(client), Heard::Yes);
    }
    let other = unix(&site, Dialect::Socketmap);
    assert_eq!(Dialect::Socketmap.ask(&other, "bob", ""), Heard::Yes, "each line has its own");
    clients.truncate(999);
    wait::until("the place is free again", || place.connect().line().starts_with("VERSION"));
    server.stop();
}

#[test]
fn only_servers_that_are_allowed_may_ask_over_tcp() {
    let site = site()
        .set("dialect saslauthd 127.0.0.1:0 allow=192.0.2.0/24")
        .set("dialect socketmap 127.0.0.1:0 allow=192.0.2.0/24,127.0.0.1");
    let server = site.serve();
    let refused = Place::Tcp(server.dialect("saslauthd"));
    let mut connection = refused.connect();
    assert_eq!(connection.rest(), b"", "closed without a word");
    let allowed = Place::Tcp(server.dialect("socketmap"));
    assert_eq!(Dialect::Socketmap.ask(&allowed, "bob", ""), Heard::Yes);
    server.stop();
}

#[test]
fn dialects_can_be_served_by_a_process_of_their_own() {
    let site = site().set(&unix_line(Dialect::Saslauthd));
    let config = site.config();
    let mut command = program::dmail(&["serve", "--only", "dialects", "-c"]);
    command.arg(&config);
    let mut process = dmail_tests::process::Process::start(command, site.folder());
    let place = unix(&site, Dialect::Saslauthd);
    process.until("it listens", |_| place.try_connect().is_ok());
    assert_eq!(Dialect::Saslauthd.ask(&place, "bob", "s3cret"), Heard::Yes);
    let listed = site.dmail(&["throttle", "list"], &[], "").success();
    assert_eq!(listed.err, "", "it has a control socket of its own");
    process.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(process.wait().success());
}
