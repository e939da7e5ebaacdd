//! Stopping: no new sessions, running ones finish, modules leave.

use std::time::{Duration, Instant};

use dmail_tests::client::Client;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

#[test]
fn running_sessions_finish_and_idle_ones_are_told() {
    let site = Site::module();
    let server = site.serve();
    server.smtp_client().deliver(&["bob@corp.example"], "Subject: to be deleted\r\n\r\n");

    let mut idle = server.smtp_client();
    let mut not_logged_in = server.pop_client();
    let mut sender = server.smtp_client();
    sender.ask("MAIL FROM:<>", "250 ");
    sender.ask("RCPT TO:<u1@corp.example>", "250 ");
    sender.ask("DATA", "354 ");
    sender.send("Subject: in the middle");
    let mut reader = server.pop_client();
    reader.ask("USER bob", "+OK");
    reader.ask("PASS s3cret", "+OK");
    reader.ask("DELE 1", "+OK");

    let (smtp, pop) = (server.smtp(), server.pop());
    server.ask_to_stop();
    idle.expect("421 4.3.2 ");
    assert_eq!(idle.rest(), "");
    not_logged_in.expect("-ERR [SYS/TEMP] ");
    for address in [smtp, pop] {
        wait::until("nobody new is taken", || Client::try_connect(address).is_err());
    }
    sender.send("");
    sender.ask(".", "250 ");
    sender.expect("421 4.3.2 ");
    reader.ask("STAT", "+OK 0 0");
    reader.ask("QUIT", "+OK");
    let status = server.wait();
    assert!(status.success(), "{status}");

    let exits = site.requests().iter().filter(|line| *line == "exit").count();
    assert_eq!(exits, 2, "both modules were asked to leave");
    assert_eq!(modules(&site), 0);
    let server = site.serve();
    assert_eq!(site.messages(&server, "bob", "s3cret").len(), 0);
    let [message] = &site.messages(&server, "u1", "p1")[..] else { panic!("one message") };
    assert!(message.contains("Subject: in the middle"), "{message}");
}

/// How many modules of this site run: their request log is in their command line.
fn modules(site: &Site) -> usize {
    wait::processes_with(&site.request_log().display().to_string())
}

#[test]
fn a_session_that_never_ends_is_cut_off() {
    let site = Site::nwauth().user("bob", "bobs-password").set("drain_timeout 1");
    let server = site.serve();
    let mut reader = server.pop_client();
    reader.ask("USER bob", "+OK");
    reader.ask("PASS bobs-password", "+OK");
    let started = Instant::now();
    server.stop();
    let took = started.elapsed();
    assert!(Duration::from_millis(900) < took && took < Duration::from_secs(9), "{took:?}");
    assert_eq!(reader.rest(), "");
}

#[test]
fn a_mailbox_that_another_program_keeps_locked_holds_up_no_end() {
    let site = Site::nwauth().user("bob", "bobs-password").set("drain_timeout 1");
    let site = site.set("lock_wait 60");
    let lock = site.drop_file("bob").with_extension("lock");
    std::fs::write(&lock, "").expect("a lock of somebody else's");
    let server = site.serve();
    let mut reader = server.pop_client();
    reader.ask("USER bob", "+OK");
    reader.send("PASS bobs-password");
    let session = site.drop_file("bob").with_file_name(".bob.session");
    wait::until("the session waits for the lock", || session.exists());
    let started = Instant::now();
    server.stop();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[test]
fn whoever_asks_twice_does_not_wait() {
    let site = Site::nwauth().user("bob", "bobs-password").set("drain_timeout 3600");
    let server = site.serve();
    let mut reader = server.pop_client();
    reader.ask("USER bob", "+OK");
    reader.ask("PASS bobs-password", "+OK");
    let mut idle = server.smtp_client();
    server.process().signal(Signal::SIGINT);
    idle.expect("421 ");
    server.process().signal(Signal::SIGINT);
    assert!(server.wait().success());
}

#[test]
fn modules_do_not_outlive_a_server_that_is_killed() {
    let site = Site::module();
    let server = site.serve();
    wait::until("both modules run", || modules(&site) == 2);
    server.kill();
    wait::until("no module is left", || modules(&site) == 0);
    assert_eq!(site.requests(), [""; 0], "nobody could ask them to leave");
}
