//! The TCPAuth daemon as a program, and mail servers that ask it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use dmail_tests::authority::{Authority, Certificate};
use dmail_tests::daemon::Daemon;
use dmail_tests::login::Way;
use dmail_tests::program;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

const OPEN: &str = "listen 127.0.0.1:0\nsource nwauth\n";

/// A site whose users are known to the daemon that `ini` names.
fn site(ini: &str) -> Site {
    let site = Site::new("authent_method tcpauth\nauthent_ini tcpauth.ini\n");
    fs::write(site.home().join("tcpauth.ini"), ini).expect("room");
    site
}

/// An old client: it speaks the line protocol, whose lines end in LF.
struct Old(BufReader<TcpStream>);

impl Old {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the daemon listens");
        stream.set_read_timeout(Some(wait::PATIENCE)).expect("a socket");
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, line: &str, start: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).expect("it reads");
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("an answer in time");
        assert!(answer.starts_with(start), "{line}: {answer}");
    }
}

#[test]
fn users_of_another_machine_log_in_here() {
    let daemon = Daemon::new(OPEN).user("bob", "s3cret");
    let running = daemon.start();
    let site = site(&format!("server {}\n", running.address()));
    let server = site.serve();
    for way in [Way::PopUser, Way::SmtpPlain] {
        let answer = way.answer(&server, "bob", "s3cret");
        assert!(answer.starts_with("+OK") || answer.starts_with("235"), "{answer}");
        let answer = way.answer(&server, "bob", "wrong");
        assert!(answer.starts_with("-ERR [AUTH]") || answer.starts_with("535"), "{answer}");
    }
    // Without the daemon: try again later, for whoever is not remembered.
    running.kill();
    let answer = Way::SmtpPlain.answer(&server, "ann", "any");
    assert!(answer.starts_with("454"), "{answer}");
    let _running = daemon.start();
    server.stop();
}

#[test]
fn a_daemon_stops_in_peace_while_clients_are_connected() {
    let daemon = Daemon::new(OPEN).user("bob", "s3cret");
    let running = daemon.start();
    let site = site(&format!("server {}\n", running.address()));
    let server = site.serve();
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
    let mut old = Old::connect(running.address());
    old.ask("lookup bob", "+OK bob config");
    running.stop();
    assert!(daemon.log().contains("stopped cut_off=0"), "{}", daemon.log());
    server.stop();
}

#[test]
fn a_unix_socket_lets_in_whom_its_file_lets_in() {
    let settings = "listen unix:auth.sock mode=660\nallow_changes 127.0.0.1\nsource nwauth\n";
    let daemon = Daemon::new(settings).user("bob", "s3cret");
    let running = daemon.start();
    let path = daemon.folder().join("auth.sock");
    let mode = fs::metadata(&path).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let site = site(&format!("server unix:{}\n", path.display()));
    let said = site.dmail(&["authent", "set"], &["ann"], "anns-password\n").success();
    assert!(said.text().starts_with("+OK "), "{}", said.text());
    let said = site.dmail(&["authent", "check"], &["ann"], "anns-password\n").success();
    assert!(said.text().starts_with("+OK ann"), "{}", said.text());
    running.stop();
    assert!(!path.exists(), "nobody listens there");
    // After a crash, the file of the socket is in nobody's way.
    daemon.start().kill();
    assert!(path.exists());
    drop(daemon.start());
    let _ = UnixStream::connect(&path);
}

#[test]
fn the_originals_file_needs_one_more_line() {
    let users = Daemon::new(OPEN).user("bob", "s3cret");
    let (own, folder) = (program::path().display(), users.folder().join("users"));
    let module = format!("authent_process {own} nwauth -path {}\n", folder.display());
    let daemon = Daemon::new(&format!("{module}listen 127.0.0.1:0\n"));
    let running = daemon.start();
    let mut client = Old::connect(running.address());
    client.ask("check bob s3cret", "+OK bob config");
    client.ask("check bob wrong", "-ERR ");
    client.ask("set bob new", "-ERR changes are not allowed here");
    running.stop();
}

#[test]
fn a_wrong_file_is_explained_and_nothing_starts() {
    let rows = [
        ("listen 127.0.0.1:0\nsource oracle\n", "there is no source oracle"),
        ("listen 127.0.0.1:0\nsource tcpauth none.ini\n", "none.ini"),
        ("listen 127.0.0.1:0\nsource nwauth\ntls_certificate x.pem\ntls_key x.key\n", "x.pem"),
    ];
    for (settings, expected) in rows {
        let daemon = Daemon::new(settings);
        let config = daemon.config().display().to_string();
        let command = program::dmail(&["tcpauthsvr", "-config", &config, "-check"]);
        let said = program::run(command, "");
        assert_ne!(said.code, Some(0));
        assert!(said.err.contains(expected), "{settings}: {}", said.err);
        assert!(said.err.contains("tcpauthsvr.conf:") || said.err.contains("none.ini"));
    }
    let daemon = Daemon::new(OPEN);
    let config = daemon.config().display().to_string();
    let command = program::dmail(&["tcpauthsvr", "-config", &config, "-check"]);
    assert!(program::run(command, "").success().text().ends_with(": good\n"));
}

/// Writes an authority, a daemon's certificate and a node's into `folder`.
fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("room");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.pem", params.self_signed(&key).expect("a certificate").pem());
    let issuer = Issuer::new(params, key);
    for name in ["auth.corp.example", "node.corp.example"] {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let short = name.split('.').next().expect("a name");
        write(&format!("{short}.pem"), params.signed_by(&key, &issuer).expect("signed").pem());
        write(&format!("{short}.key"), key.serialize_pem());
    }
}

#[test]
fn tls_shows_each_side_who_the_other_is() {
    let daemon = Daemon::new(
        "listen 127.0.0.1:0\nsource nwauth\ntls_certificate auth.pem\ntls_key auth.key\n\
         tls_client_ca ca.pem\nrequire_client_certificate true\nallow_changes 127.0.0.1\n",
    );
    certificates(daemon.folder());
    let daemon = daemon.user("bob", "s3cret");
    let running = daemon.start();
    let folder = daemon.folder().display();
    let address = running.address();
    let common = format!("server {address}\ntls true\ntls_ca {folder}/ca.pem\n");
    let own = format!("tls_certificate {folder}/node.pem\ntls_key {folder}/node.key\n");
    let name = "tls_name auth.corp.example\n";
    let ask = |ini: &str| {
        let site = site(ini);
        let said = site.dmail(&["authent", "check"], &["bob"], "s3cret\n");
        format!("{}{}", said.text(), said.err)
    };
    let good = ask(&format!("{common}{own}{name}"));
    assert!(good.contains("+OK bob"), "{good}");
    // Each of these is nobody to ask, and no wrong password.
    for ini in [
        format!("{common}{name}"),
        format!("{common}{own}tls_name other.corp.example\n"),
        format!("server {address}\ntls true\n{own}{name}tls_ca {folder}/node.pem\n"),
        format!("server {address}\n"),
    ] {
        let said = ask(&ini);
        assert!(said.contains("-DEAD") && !said.contains("+OK"), "{ini}: {said}");
    }
    let site = site(&format!("{common}{own}{name}"));
    let said = site.dmail(&["authent", "set"], &["bob"], "new\n").success();
    assert!(said.text().starts_with("+OK "), "a certificate is a credential: {}", said.text());
    running.stop();
    wait::until("the log is written", || daemon.log().contains("stopped"));
    assert!(!daemon.log().contains("s3cret"));
}

#[test]
fn a_daemon_shows_new_clients_a_renewed_certificate_and_keeps_it_from_a_bad_one() {
    let daemon = Daemon::new(
        "listen 127.0.0.1:0\nsource nwauth\ntls_certificate server-cert.pem\n\
         tls_key server-key.pem\n",
    );
    let authority = Authority::new(daemon.folder(), "ours");
    let first = authority.issue("server", &["localhost"]);
    let running = daemon.start();
    assert!(first.is_shown_at(running.address()));
    let renewed = authority.issue("server", &["localhost"]);
    running.signal(Signal::SIGHUP);
    wait::until("the renewed one is shown", || renewed.is_shown_at(running.address()));
    let kept = authority.issue("kept", &["localhost"]);
    fs::copy(&renewed.certificate, &kept.certificate).expect("room");
    let _ = authority.issue("other", &["localhost"]);
    fs::copy(daemon.folder().join("other-key.pem"), &renewed.key).expect("room");
    running.signal(Signal::SIGHUP);
    wait::until("it is not taken", || daemon.log().contains("the old one goes on"));
    assert!(daemon.log().contains("server-key.pem"), "{}", daemon.log());
    assert!(kept.is_shown_at(running.address()));
    running.stop();
}

#[test]
fn a_running_gateway_is_asked_over_tls() {
    let asked = Site::nwauth().user("bob", "s3cret");
    let authority = Authority::new(asked.folder(), "ours");
    let Certificate { certificate, key } = authority.issue("server", &["localhost"]);
    let (certificate, key) = (certificate.display(), key.display());
    let line = format!("dialect tcpauth 127.0.0.1:0 certificate={certificate} key={key}");
    let asked = asked.set(&line).set("access_plaintext 127.0.0.1");
    let gateway = asked.serve();
    let port = gateway.dialect("tcpauth").port();
    let drops = format!("drop_root {}", asked.home().join("mail").display());

    let (server, ca) = (format!("server localhost:{port}\n"), authority.file().display());
    let asking = site(&format!("{server}tls true\ntls_ca {ca}\n")).set(&drops);
    let front = asking.serve();
    for way in [Way::PopUser, Way::SmtpPlain] {
        let answer = way.answer(&front, "bob", "s3cret");
        assert!(answer.starts_with(way.yes()), "{way:?}: {answer}");
        let answer = way.answer(&front, "bob", "wrong");
        assert!(answer.starts_with("-ERR [AUTH]") || answer.starts_with("535"), "{answer}");
    }
    front.stop();
    // Each of these is nobody to ask, and no wrong password.
    for tls in ["", "tls true\n", &format!("tls true\ntls_ca {ca}\ntls_name other.example\n")] {
        let asking = site(&format!("{server}{tls}timeout 3\nconnect_timeout 1\n")).set(&drops);
        let front = asking.serve();
        let answer = Way::SmtpPlain.answer(&front, "bob", "s3cret");
        assert!(answer.starts_with("454 "), "{tls:?}: {answer}");
        front.stop();
    }

    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"]);
    openssl.args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile", &ca.to_string()]);
    let said = program::run(openssl, "check bob s3cret\ncheck bob wrong\nexit\n");
    let lines: Vec<_> = said.text().lines().map(|line| line[..4].to_owned()).collect();
    assert_eq!(lines, ["+OK ", "-ERR", "+OK "], "{} {}", said.text(), said.err);
    gateway.stop();
    assert!(!asked.log().contains("s3cret"), "{}", asked.log());
}
