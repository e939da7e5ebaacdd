//! Other servers' dialects over real sockets of a real server, through the
//! whole gateway.

mod faults;
mod life;
mod sockets;

use std::fs;

use dmail_tests::dialect::{Dialect, Heard, Place};
use dmail_tests::program;
use dmail_tests::server::Server;
use dmail_tests::site::Site;

/// The line that serves a dialect on a unix socket of the site.
fn unix_line(dialect: Dialect) -> String {
    let (name, options) = (dialect.name(), dialect.options());
    format!("dialect {name} unix:{name}.sock {options}")
}

/// A site that serves every dialect on a unix socket and on a port, asks the
/// Python module, and remembers nothing.
fn site_of_all() -> Site {
    let site = Site::module().set("authent_cache 0").set("authent_number 4");
    Dialect::ALL.into_iter().fold(site, |site, dialect| {
        let (name, options) = (dialect.name(), dialect.options());
        let tcp = format!("dialect {name} 127.0.0.1:0 {options}");
        site.set(&unix_line(dialect)).set(&tcp)
    })
}

/// The unix socket of a dialect.
fn unix(site: &Site, dialect: Dialect) -> Place {
    Place::Unix(site.home().join(format!("{}.sock", dialect.name())))
}

/// Both places that a dialect is served in.
fn places(site: &Site, server: &Server, dialect: Dialect) -> [Place; 2] {
    [unix(site, dialect), Place::Tcp(server.dialect(dialect.name()))]
}

fn log(site: &Site) -> String {
    fs::read_to_string(site.home().join("log/dmail.log")).unwrap_or_default()
}

#[test]
fn every_dialect_tells_a_yes_a_no_and_that_nobody_knows() {
    let site = site_of_all();
    let server = site.serve();
    for dialect in Dialect::ALL {
        for place in places(&site, &server, dialect) {
            let asked = |user, password| dialect.ask(&place, user, password);
            let wrong = if dialect.checks() { Heard::No } else { Heard::Yes };
            assert_eq!(asked("bob", "s3cret"), Heard::Yes, "{dialect:?} {place:?}");
            assert_eq!(asked("bob", "wrong"), wrong, "{dialect:?} {place:?}");
            assert_eq!(asked("nobody", "s3cret"), Heard::No, "{dialect:?} {place:?}");
            for trouble in ["dead", "garbage", "crash"] {
                assert_eq!(asked(trouble, "x"), Heard::Later, "{dialect:?} {trouble}");
            }
        }
    }
    server.stop();
}

#[test]
fn each_login_is_one_line_of_the_log_that_names_the_dialect_and_no_password() {
    let site = site_of_all();
    let server = site.serve();
    for dialect in Dialect::ALL {
        for (user, password) in [("bob", "s3cret"), ("bob", "wr0ng-one"), ("dead", "wr0ng-two")] {
            let _ = dialect.ask(&unix(&site, dialect), user, password);
        }
    }
    server.stop();
    let log = log(&site);
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.checks()) {
        if dialect == Dialect::Tcpauth {
            continue; // Whoever asks in our own protocol has a log of its own.
        }
        let name = format!("dialect=\"{}\"", dialect.name());
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&name)).collect();
        let said = |words: &[&str]| {
            lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
        };
        assert_eq!(said(&[": login service=imap", "user=\"bob\""]), 1, "{dialect:?}: {lines:?}");
        let refused = [": login refused ", "user=\"bob\"", "reason=\"not-verified\""];
        assert_eq!(said(&refused), 1, "{dialect:?}: {lines:?}");
        let refused = [": login refused ", "user=\"dead\"", "reason=\"source-down\""];
        assert_eq!(said(&refused), 1, "{dialect:?}: {lines:?}");
    }
    for secret in ["s3cret", "wr0ng"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn the_master_socket_tells_how_well_memory_serves() {
    let lines = [Dialect::DovecotAuth, Dialect::DovecotMaster].map(unix_line);
    let [auth, master] = &lines;
    let site = Site::module().set("authent_cache 500").set(auth).set(master);
    let server = site.serve();
    for password in ["s3cret", "s3cret", "wrong", "s3cret"] {
        let _ = Dialect::DovecotAuth.ask(&unix(&site, Dialect::DovecotAuth), "bob", password);
    }
    let mut master = unix(&site, Dialect::DovecotMaster).connect();
    let mut told = |text: &str| {
        master.send(text.as_bytes());
        std::iter::repeat_with(|| master.line())
            .find(|line| line.starts_with("OK"))
            .expect("a line")
    };
    let entries = "pos_entries=1\tneg_entries=0\tused_size=1\tmax_size=500";
    let status = told("VERSION\t1\t0\nCACHE-STATUS\t1\treset\n");
    assert_eq!(status, format!("OK\t1\thits=2\tmisses=2\t{entries}"));
    assert_eq!(told("CACHE-STATUS\t2\n"), format!("OK\t2\thits=0\tmisses=0\t{entries}"));
    assert_eq!(told("CACHE-FLUSH\t3\tbob\n"), "OK\t3\t1");
    assert!(told("CACHE-STATUS\t4\n").contains("\tpos_entries=0\t"));
    server.stop();
}

/// Sends logins of `user` with these passwords from `client`, and returns what
/// was said to each.
fn guess(place: &Place, client: &str, user: &str, passwords: &[&str]) -> Vec<String> {
    let mut connection = Dialect::DovecotAuth.connect(place);
    let numbered = (1..).zip(passwords);
    numbered
        .map(|(id, password)| {
            connection.send_login(id, user, password, &format!("service=smtp\trip={client}"));
            connection.line()
        })
        .collect()
}

#[test]
fn guesses_are_counted_for_the_address_that_the_dialect_tells() {
    let site = Site::nwauth()
        .set("throttle_delay_max 0")
        .set("throttle_failures 4")
        .user("bob", "s3cret")
        .set(&unix_line(Dialect::DovecotAuth));
    let server = site.serve();
    let place = unix(&site, Dialect::DovecotAuth);
    let said = guess(&place, "192.0.2.7", "eve", &["a", "b", "c", "d", "e"]);
    assert!(said.iter().all(|line| line.starts_with("FAIL\t")), "{said:?}");
    let listed = site.dmail(&["throttle", "list"], &[], "").success().text();
    assert!(listed.contains("192.0.2.7"), "{listed}");
    let said = guess(&place, "192.0.2.7", "bob", &["s3cret"]);
    assert_eq!(said, ["FAIL\t1"], "the guesser's address is refused for everybody");
    assert!(log(&site).contains("reason=\"throttled\""));
    let said = guess(&place, "198.51.100.1", "bob", &["s3cret"]);
    assert_eq!(said, ["OK\t1\tuser=bob"], "another one is not");
    server.stop();
}

#[test]
fn another_gateway_asks_this_one_and_tells_where_its_client_is() {
    let site = Site::nwauth()
        .set("throttle_delay_max 0")
        .user("bob", "s3cret")
        .set(&unix_line(Dialect::Tcpauth));
    let server = site.serve();
    // What it is told is the account as this one has mapped it.
    let mail = site.home().join("mail").display().to_string();
    let asking = Site::new("authent_method tcpauth\nauthent_ini tcpauth.ini\n");
    let asking = asking.set(&format!("drop_root {mail}"));
    let socket = site.home().join("tcpauth.sock");
    let ini = format!("server unix:{}\nversion 2\n", socket.display());
    fs::write(asking.home().join("tcpauth.ini"), ini).expect("room");
    let check = |password: &str| {
        let from = ["bob", "--ip", "192.0.2.77", "--service", "imap"];
        {
            let said = asking.dmail(&["authent", "check"], &from, &format!("{password}\n"));
            format!("{}{}", said.text(), said.err)
        }
    };
    let said = check("s3cret");
    assert!(said.starts_with("+OK bob"), "{said}");
    assert!(check("wrong").starts_with("-ERR"));
    let listed = site.dmail(&["throttle", "list"], &[], "").success().text();
    assert!(listed.contains("192.0.2.77"), "{listed}");
    // Accounts are managed where they are kept.
    let set = asking.dmail(&["authent", "set"], &["bob"], "other\n").text();
    assert!(set.contains("not allowed"), "{set}");
    server.stop();
}

#[test]
fn what_is_wrong_with_a_line_is_told_with_its_place() {
    for (line, told) in [
        ("dialect saslauth unix:mux", "there is no such dialect"),
        ("dialect saslauthd unix:mux map=x", "saslauthd has no option map="),
        ("dialect saslauthd 7126", "anybody who reaches this address"),
        ("dialect tcp-table 127.0.0.1:7126", "map= is missing"),
    ] {
        let site = Site::nwauth().set(line);
        let config = site.config();
        let file = config.display().to_string();
        let said = program::run(program::dmail(&["check-config", &file]), "");
        let text = said.err;
        let number = fs::read_to_string(&config).expect("it is there").lines().count();
        assert!(text.contains(&format!("{file}:{number}:")), "{text}");
        assert!(text.contains(told), "{text}");
    }
    // Two lines that are each fine by themselves.
    let one = "dialect saslauthd unix:mux";
    let site = Site::nwauth().set(one).set("dialect dovecot-auth unix:mux");
    let file = site.config().display().to_string();
    let text = program::run(program::dmail(&["check-config", &file]), "").err;
    assert!(text.contains("dovecot-auth and saslauthd are on the same address"), "{text}");
}
