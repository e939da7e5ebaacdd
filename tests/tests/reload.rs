//! SIGHUP: the gateway's settings are read again, the log goes on in new
//! files, and nobody notices.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

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
