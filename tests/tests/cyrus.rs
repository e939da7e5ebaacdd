//! Whoever asks saslauthd or Courier's authdaemon asks us: Cyrus SASL's own
//! tool, a client that sends its fields as no tool does, Postfix, OpenLDAP's
//! slapd, and Courier's library. The lines that configure all of them are those of the
//! pages in `docs/integrations/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use dmail_tests::dialect::Place;
use dmail_tests::integration;
use dmail_tests::machine;
use dmail_tests::peer::postfix::{self, Postfix};
use dmail_tests::peer::slapd::{self, LdapOptions, Slapd};
use dmail_tests::peer::{courier, cyrus, swaks};
use dmail_tests::site::Site;
use dmail_tests::wait;

const YES: &str = "0: OK \"Success.\"\n";
const NO: &str = "0: NO \"authentication failed\"\n";
/// What `testsaslauthd` says if the connection ends without an answer.
const LATER: &str = "0: size read failed\n";

/// What `testsaslauthd` says.
fn testsaslauthd(site: &Site, login: [&str; 4]) -> String {
    let said = cyrus::testsaslauthd(&socket(site), login);
    said.text() + &said.err
}

/// The line of dmail.conf on `page`, with the socket of `site` in it.
fn documented(site: &Site, page: &str, place: &str) -> String {
    let line = integration::lines(page, "dmail.conf");
    assert!(line.contains(place), "{line}");
    let line = line.trim_end().replace(place, &socket(site).display().to_string());
    // Only root, or one of its members, can give a file to a group.
    if nix::unistd::geteuid().is_root() {
        return line;
    }
    line.split(' ').filter(|word| !word.starts_with("group=")).collect::<Vec<_>>().join(" ")
}

/// The socket. The libraries call it by their own names.
fn socket(site: &Site) -> PathBuf {
    site.home().join("socket")
}

/// `site`, which answers as saslauthd.
fn saslauthd(site: Site) -> Site {
    let line = documented(&site, "cyrus-sasl", "/run/saslauthd/mux");
    site.set(&line)
}

/// `site`, which answers as Courier's authdaemon.
fn authdaemon(site: Site) -> Site {
    let line = documented(&site, "courier", "/run/courier/authdaemon/socket");
    site.set(&line)
}

/// Ann and her password.
fn ann() -> Site {
    Site::nwauth().user("ann", "s3cret")
}

#[test]
fn testsaslauthd_hears_what_the_user_base_says() {
    let site = saslauthd(ann());
    let server = site.serve();
    let rows = [
        (["ann", "s3cret", "smtp", ""], YES),
        (["ann", "wrong", "smtp", ""], NO),
        (["ann@corp.example", "s3cret", "imap", ""], YES),
        (["ann", "s3cret", "imap", "corp.example"], YES),
        (["ann", "s3cret", "pop", "elsewhere.example"], NO),
        (["nobody", "s3cret", "smtp", ""], NO),
        (["ann", "", "smtp", ""], NO),
        (["", "s3cret", "smtp", ""], NO),
    ];
    for (login, expected) in rows {
        assert_eq!(testsaslauthd(&site, login), expected, "{login:?}");
    }
    server.stop();
    let log = site.log();
    for line in [
        "login service=smtp dialect=\"saslauthd\" user=\"ann\"",
        "login service=imap dialect=\"saslauthd\" user=\"ann\"",
        "login refused service=pop3 dialect=\"saslauthd\" user=\"ann@elsewhere.example\"",
    ] {
        assert!(log.contains(line), "no {line} in {log}");
    }
}

#[test]
fn nobodys_decision_is_silence_and_never_a_no() {
    let site = saslauthd(Site::module().set("authent_timeout 20")).set("authent_number 3");
    let line = format!("dialect saslauthd unix:{} timeout=1s", socket(&site).display());
    let site = site.unset("dialect").set(&line);
    let server = site.serve();
    let ask = |user: &str| testsaslauthd(&site, [user, "s3cret", "smtp", ""]);
    // A source that is down, one that is gone, and one that says nothing.
    for user in ["dead", "crash", "garbage"] {
        assert_eq!(ask(user), LATER, "{user}");
    }
    thread::scope(|scope| {
        let asked = Instant::now();
        let silent = scope.spawn(|| ask("hang"));
        // It holds nobody else back.
        assert_eq!(ask("bob"), YES);
        assert_eq!(ask("slow"), YES);
        assert_eq!(silent.join().expect("an answer"), LATER);
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    });
    server.kill();
    assert!(ask("bob").contains("connect() : "), "{}", ask("bob"));
}

#[test]
fn one_connection_after_the_other_is_served_and_none_is_left_behind() {
    const CONNECTIONS: u32 = 1_000;
    let site = saslauthd(ann());
    let server = site.serve();
    let ask = |fields: &[&[u8]]| cyrus::ask(&socket(&site), fields).expect("a server");
    assert_eq!(ask(&[b"ann", b"s3cret", b"smtp", b""]), "OK");
    let open = wait::open_files(server.pid());
    let start = Instant::now();
    for number in 0..CONNECTIONS {
        let right = number % 10 != 0;
        let password: &[u8] = if right { b"s3cret" } else { b"wrong" };
        let answer = ask(&[b"ann", password, b"smtp", b""]);
        assert_eq!(answer, if right { "OK" } else { "NO" }, "number {number}");
    }
    let each = start.elapsed() / CONNECTIONS;
    eprintln!("{CONNECTIONS} connections, one in ten with a wrong password: {each:?} each");
    wait::until("all connections are closed", || wait::open_files(server.pid()) <= open);
    server.stop();
}

#[test]
fn fields_may_come_in_any_pieces_and_as_many_as_the_client_knows() {
    let site = saslauthd(Site::module());
    let server = site.serve();
    let place = Place::Unix(socket(&site));
    let four: &[&[u8]] = &[b"bob", b"s3cret", b"smtp", b""];
    let five: &[&[u8]] = &[b"bob", b"s3cret", b"smtp", b"", b"192.0.2.7;4242"];
    let longest = vec![b'x'; 65_535];
    let rows: [(&[&[u8]], &str); 8] = [
        (four, "OK"),
        (five, "OK"),
        (&[b"bob", b"wrong", b"smtp", b"", b"2001:db8::7;4242"], "NO"),
        (&[b"bob", b"s3cret", b"smtp", b"", b"no address"], "OK"),
        (&[&longest, b"s3cret", b"smtp", b""], "NO"),
        (&[b"bob", &longest, b"smtp", b""], "NO"),
        (&[b"bob", b"s3cret", &longest, b""], "OK"),
        (&[&longest, &longest, &longest, &longest], "NO"),
    ];
    for (number, (fields, expected)) in rows.into_iter().enumerate() {
        let mut client = place.connect();
        client.send(&cyrus::request(fields));
        assert_eq!(cyrus::answer(&client.rest()), expected, "row {number}");
    }
    for fields in [four, five] {
        let mut client = place.connect();
        // The answer to four fields may be there before the fifth has come.
        let _ = cyrus::request(fields).iter().try_for_each(|byte| client.try_send(&[*byte]));
        assert_eq!(cyrus::answer(&client.rest()), "OK");
    }
    // The end of the connection is no excuse for not answering.
    let mut client = place.connect();
    client.send(&cyrus::request(four));
    client.finish().expect("a connection");
    assert_eq!(cyrus::answer(&client.rest()), "OK");
    // Half a request is none.
    let mut client = place.connect();
    client.send(&cyrus::request(four)[..9]);
    client.finish().expect("a connection");
    assert_eq!(cyrus::answer(&client.rest()), "");
    server.stop();
    let requests = site.requests();
    for line in ["check bob s3cret 192.0.2.7", "check bob wrong 2001:db8::7", "check bob s3cret"] {
        assert!(requests.iter().any(|request| request == line), "no {line} in {requests:?}");
    }
}

#[test]
fn postfix_with_cyrus_sasl_tells_its_clients_yes_no_and_later() {
    let Some(mut postfix) = Postfix::new("Postfix with Cyrus SASL") else { return };
    let private = postfix.private().display().to_string();
    let line = integration::lines("cyrus-sasl", "postfix dmail.conf");
    let line = line.trim_end().replace("/var/spool/postfix/private", &private);
    let site = Site::module().set("authent_timeout 5").set(&line);
    postfix::open_to_all(site.folder());
    let folder = postfix.settings().join("sasl");
    fs::create_dir(&folder).expect("a directory");
    let settings = integration::lines("cyrus-sasl", "smtpd.conf");
    fs::write(folder.join("smtpd.conf"), settings).expect("room");
    let server = site.serve();
    postfix.start(&integration::lines("cyrus-sasl", "main.cf"));
    let log_in = |mechanism, user, password| {
        let said = swaks::log_in(postfix.smtp(), mechanism, user, password);
        said.text() + &said.err
    };
    for (mechanism, user, password, expected) in [
        ("PLAIN", "bob", "s3cret", "235 2.7.0"),
        ("LOGIN", "bob", "s3cret", "235 2.7.0"),
        ("PLAIN", "bob@corp.example", "s3cret", "235 2.7.0"),
        ("PLAIN", "bob", "wrong", "535 5.7.8"),
        ("PLAIN", "nobody", "s3cret", "535 5.7.8"),
        ("PLAIN", "dead", "s3cret", "454 4.7.0"),
        ("LOGIN", "crash", "s3cret", "454 4.7.0"),
        ("PLAIN", "hang", "s3cret", "454 4.7.0"),
        ("PLAIN", "slow", "s3cret", "235 2.7.0"),
    ] {
        let said = log_in(mechanism, user, password);
        assert!(said.contains(expected), "{mechanism} {user}: {said} {}", postfix.log());
    }
    server.stop();
    // Even if there is no dmail at all.
    let said = log_in("PLAIN", "bob", "s3cret");
    assert!(said.contains("454 4.7.0"), "{said}");
    assert!(site.log().contains("login service=smtp dialect=\"saslauthd\" user=\"bob"));
}

/// A slapd in whose directory ann's password is ours, and which asks us as the
/// page `page` says. `None`, and a word on why, if that cannot be.
fn slapd_that_asks(site: &Site, page: &str, place: &str) -> Option<Slapd> {
    if !machine::is_ours("slapd looks for Cyrus SASL's settings in one place only") {
        return None;
    }
    let settings = integration::lines(page, "sasl.conf");
    assert!(settings.contains(place), "{settings}");
    let folder = site.folder().join("sasl");
    fs::create_dir(&folder).expect("a directory");
    let settings = settings.replace(place, &socket(site).display().to_string());
    fs::write(folder.join("slapd.conf"), settings).expect("room");
    let entries = integration::lines("openldap", "entry.ldif") + "\n";
    let sasl = Some(folder);
    Some(Slapd::start(&LdapOptions { entries, sasl, ..LdapOptions::default() }))
}

/// Fails unless a bind of ann's succeeds with the right password alone, and
/// with none while nobody answers.
fn assert_slapd_asks(site: &Site, slapd: &Slapd) {
    let server = site.serve();
    let ann = slapd::dn("ann");
    assert!(slapd.lets_in(&ann, "s3cret"));
    assert!(!slapd.lets_in(&ann, "wrong"));
    assert!(!slapd.lets_in(&ann, ""));
    server.stop();
    assert!(!slapd.lets_in(&ann, "s3cret"), "nobody is there to say yes");
    let server = site.serve();
    assert!(slapd.lets_in(&ann, "s3cret"));
    server.stop();
}

#[test]
fn an_entry_of_openldap_leaves_its_password_to_us() {
    let site = saslauthd(ann());
    let Some(slapd) = slapd_that_asks(&site, "openldap", "/run/saslauthd/mux") else { return };
    assert_slapd_asks(&site, &slapd);
    assert!(site.log().contains("dialect=\"saslauthd\" user=\"ann\""), "{}", site.log());
}

#[test]
fn cyrus_sasl_asks_the_socket_of_courier_as_well() {
    let site = authdaemon(ann());
    let place = "/run/courier/authdaemon/socket";
    let Some(slapd) = slapd_that_asks(&site, "courier", place) else { return };
    assert_slapd_asks(&site, &slapd);
    assert!(site.log().contains("dialect=\"authdaemon\" user=\"ann\""), "{}", site.log());
}

/// What Courier's tool says: all of it, for it tells a "no" on standard error.
fn authtest(folder: &Path, tool: &str, arguments: &[&str]) -> String {
    let said = courier::ask(folder, tool, arguments);
    said.text() + &said.err
}

#[test]
fn couriers_library_hears_of_logins_accounts_and_failures() {
    if !machine::is_ours("Courier's socket has one place only, and authtest is for root") {
        return;
    }
    let site = authdaemon(Site::module().set("authent_timeout 2").set("authent_send_ip false"));
    let server = site.serve();
    let home = site.home();
    let account = "Authenticated: bob  (uid 5000, gid 5000)";
    let rows: [(&str, &[&str], &str); 9] = [
        ("authtest", &["bob", "s3cret"], account),
        ("authtest", &["-s", "imap", "bob", "s3cret"], account),
        ("authtest", &["bob"], account),
        ("authtest", &["bob", "wrong"], "FAILED: Operation not permitted"),
        ("authtest", &["nobody"], "FAILED: Operation not permitted"),
        ("authtest", &["dead", "s3cret"], "FAILED: Input/output error"),
        ("authtest", &["hang", "s3cret"], "FAILED: Input/output error"),
        ("authtest", &["-s", "pop3", "slow", "s3cret"], "Authenticated: slow  (uid 5000"),
        ("authenumerate", &[], "bob\t5000\t5000\t/var/mail"),
    ];
    for (tool, arguments, expected) in rows {
        let said = authtest(&home, tool, arguments);
        assert!(said.contains(expected), "{tool} {arguments:?}: {said}");
    }
    server.stop();
    assert!(!authtest(&home, "authtest", &["bob", "s3cret"]).contains("succeeded"));
    let log = site.log();
    for service in ["service=imap", "service=pop3"] {
        assert!(log.contains(&format!("login {service} dialect=\"authdaemon\"")), "{log}");
    }
}
