//! SIGHUP: the gateway's settings are read again, the log goes on in new
//! files, and nobody notices.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dmail_tests::authority::{Authority, Certificate};
use dmail_tests::login::Way;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

/// How often the log says `text`.
fn logged(site: &Site, text: &str) -> usize {
    let log = fs::read_to_string(site.home().join("log/dmail.log")).unwrap_or_default();
    log.matches(text).count()
}

/// Sends SIGHUP and waits until the log says `text` once more.
fn hang_up(site: &Site, server: &Server, text: &str) {
    let before = logged(site, text);
    server.process().signal(Signal::SIGHUP);
    wait::until(text, || logged(site, text) > before);
}

#[test]
fn another_user_base_is_asked_after_a_reload_and_sessions_stay() {
    let site = Site::nwauth().user("bob", "old-base");
    fs::create_dir(site.home().join("others")).expect("a directory");
    let server = site.serve();
    let (mut client, answer) = Way::PopUser.log_in(&server, "bob", "old-base");
    assert!(answer.starts_with("+OK"), "{answer}");

    let site = site.set("nwauth_path others").user("ann", "new-base");
    hang_up(&site, &server, "reloaded the gateway's settings");
    assert!(Way::PopUser.answer(&server, "ann", "new-base").starts_with("+OK"));
    let answer = Way::SmtpPlain.answer(&server, "bob", "old-base");
    assert!(answer.starts_with("535 "), "bob is not in the new base: {answer}");
    client.ask("STAT", "+OK 0 0");
    client.ask("QUIT", "+OK");
    server.stop();
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing_and_says_where() {
    let site = Site::nwauth().user("bob", "bobs-password");
    let server = site.serve();
    let site = site.set("authent_cache many").set("nwauth_path /nowhere");
    let config = site.config();
    hang_up(&site, &server, "not reloaded; all stays as it was");
    let place = format!("{}:", config.display());
    assert!(logged(&site, &place) > 0, "the log names the line");
    assert!(Way::PopUser.answer(&server, "bob", "bobs-password").starts_with("+OK"));
    server.stop();
}

#[test]
fn modules_are_exchanged_under_load_and_no_login_fails() {
    let site = Site::module().set("authent_cache 0").set("authent_number 2");
    let server = site.serve();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut logins = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let answer = Way::SmtpPlain.answer(&server, "u1", "p1");
                        assert!(answer.starts_with("235 "), "{answer}");
                        logins += 1;
                    }
                    logins
                })
            })
            .collect();
        for _ in 0..5 {
            hang_up(&site, &server, "reloaded the gateway's settings");
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().expect("no login failed") > 0);
        }
    });
    wait::until("the old modules have left", || wait::children_of(server.pid()).len() <= 2);
    server.stop();
}

#[test]
fn the_log_goes_on_in_a_new_file() {
    // As it is without a word of the operator's: lines wait for each other.
    let site = Site::nwauth().unset("log_delay");
    let server = site.serve();
    let (log, moved) = (site.home().join("log/dmail.log"), site.home().join("log/dmail.log.1"));
    fs::rename(&log, &moved).expect("it can be moved away");
    hang_up(&site, &server, "reloaded the gateway's settings");
    assert!(fs::read_to_string(&moved).expect("the old one is there").contains(": started "));
    server.stop();
    assert!(logged(&site, "stopped") > 0, "the end is in the new file");
}

#[test]
fn new_clients_are_shown_a_renewed_certificate_and_a_bad_one_changes_nothing() {
    const DIALECTS: [&str; 4] = ["auth-http", "auth-policy", "http", "tcpauth"];
    let site = Site::nwauth().user("bob", "s3cret");
    let authority = Authority::new(site.folder(), "ours");
    let issue = |name| authority.issue(name, &["localhost"]);
    let Certificate { certificate, key } = issue("server");
    let tls = format!("certificate={} key={}", certificate.display(), key.display());
    fs::write(site.home().join("http.secret"), "opensesame\n").expect("room");
    let options = ["imap=127.0.0.1:143", "", "secret_file=http.secret", ""];
    let lines = DIALECTS.iter().zip(options);
    let site = lines.fold(site, |site, (name, options)| {
        site.set(&format!("dialect {name} 127.0.0.1:0 {options} {tls}"))
    });
    let server = site.serve();
    let are_shown =
        |wanted: &Certificate| DIALECTS.iter().all(|name| wanted.is_shown_at(server.dialect(name)));

    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-quiet", "-connect", &server.dialect("tcpauth").to_string()]);
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut openssl = openssl.spawn().expect("openssl is installed");
    let mut input = openssl.stdin.take().expect("a pipe");
    let mut output = BufReader::new(openssl.stdout.take().expect("a pipe"));
    let mut is_answered = || {
        input.write_all(b"check bob s3cret\n").expect("it reads");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("it answers");
        assert!(answer.starts_with("+OK "), "{answer}");
    };
    is_answered();

    let renewed = issue("server");
    assert!(!are_shown(&renewed), "nobody has asked for it");
    server.process().signal(Signal::SIGHUP);
    wait::until("the renewed one is shown", || are_shown(&renewed));

    let (kept, other) = (issue("kept"), issue("other"));
    fs::copy(&renewed.certificate, &kept.certificate).expect("room");
    let spoilt = [
        // A key that is not the certificate's; files that are cut off, or away.
        (fs::read(&other.certificate).ok(), "server-key.pem"),
        (Some(b"-----BEGIN".to_vec()), "server-cert.pem holds no certificate"),
        (None, "server-cert.pem holds no certificate"),
    ];
    for (content, problem) in spoilt {
        let before = logged(&site, "the old one goes on");
        match content {
            Some(content) => fs::write(&certificate, content).expect("room"),
            None => fs::remove_file(&certificate).expect("it is there"),
        }
        server.process().signal(Signal::SIGHUP);
        let all = before + DIALECTS.len();
        wait::until("it is not taken", || logged(&site, "the old one goes on") == all);
        assert!(logged(&site, problem) > 0, "{problem}: {}", site.log());
        assert!(are_shown(&kept), "{problem}");
    }

    // Certificates do not wait for a configuration that is right.
    let last = issue("server");
    let site = site.set("authent_cache many");
    let _ = site.config();
    hang_up(&site, &server, "not reloaded; all stays as it was");
    wait::until("the last one is shown", || are_shown(&last));

    is_answered();
    input.write_all(b"exit\n").expect("it reads");
    assert!(openssl.wait().expect("it has run").success());
    server.stop();
}
