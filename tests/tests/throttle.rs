//! Guessers against the real servers, and the administrator's view of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use dmail_tests::base64;
use dmail_tests::client::Client;
use dmail_tests::login::Way;
use dmail_tests::process::Process;
use dmail_tests::program;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

/// A site whose clients on this machine are throttled like all others, but
/// nobody waits.
fn strict(failures: u32) -> Site {
    Site::nwauth()
        .unset("throttle_except")
        .set("throttle_delay_max 0")
        .set(&format!("throttle_failures {failures}"))
}

/// `dmail throttle` with these words.
fn throttle(site: &Site, words: &[&str]) -> String {
    let command = [&["throttle"], words].concat();
    site.dmail(&command, &[], "").success().text()
}

fn guess(server: &Server, user: &str, count: usize) {
    for number in 0..count {
        let answer = Way::PopUser.answer(server, user, &format!("guess{number}"));
        assert!(answer.starts_with("-ERR [AUTH]"), "{answer}");
    }
}

#[test]
fn a_reload_gives_nobody_new_guesses_and_the_owner_still_gets_in() {
    let site = strict(5).user("bob", "s3cret").user("ann", "s3cret");
    let server = site.serve();
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
    guess(&server, "eve", 5);
    let before = throttle(&site, &["list", "--refused"]);
    server.process().signal(Signal::SIGHUP);
    let log = site.home().join("log/dmail.log");
    let logged = || fs::read_to_string(&log).unwrap_or_default();
    wait::until("the server has reloaded", || logged().contains("reloaded the gateway's"));
    let after = throttle(&site, &["list", "--refused"]);
    assert_eq!(after.lines().count(), before.lines().count(), "{after}");
    assert!(Way::PopUser.answer(&server, "ann", "s3cret").starts_with("-ERR [AUTH]"));
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
    server.stop();
}

#[test]
fn what_is_counted_is_listed_and_forgotten_while_the_server_runs() {
    let site = strict(5).user("bob", "s3cret").user("ann", "s3cret");
    let server = site.serve();
    assert_eq!(throttle(&site, &["list"]), "0 counted for wrong passwords\n");
    guess(&server, "bob", 5);
    guess(&server, "bob@CORP.example", 5);
    let list = throttle(&site, &["list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 4, "{list}");
    for line in
        ["address 127.0.0.1 failures=5 limit=5 refused ", "user bob failures=5 limit=5 refused "]
    {
        assert!(lines.iter().any(|shown| shown.starts_with(line)), "{list}");
    }
    assert!(list.contains("network 127.0.0.0/24 failures=5 limit=20 counted "), "{list}");
    assert_eq!(throttle(&site, &["list", "--refused"]).lines().count(), 3);
    assert!(Way::PopUser.answer(&server, "ann", "s3cret").starts_with("-ERR [AUTH]"));
    // The name as an operator types it.
    let cleared = throttle(&site, &["clear", "Bob@corp.example"]);
    assert_eq!(cleared, "1 user, address or network forgotten\n");
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("-ERR [AUTH]"));
    assert!(throttle(&site, &["clear", "127.0.0.1"]).starts_with("2 users"));
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
    assert!(Way::PopUser.answer(&server, "ann", "s3cret").starts_with("+OK"));
    assert_eq!(throttle(&site, &["clear", "all"]), "nothing was counted\n");
    server.stop();
    let said = site.dmail(&["throttle", "list"], &[], "");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no dmail server runs in "), "{}", said.err);
}

#[test]
fn parallel_guesses_do_not_get_past_the_limit() {
    let site = Site::module()
        .unset("throttle_except")
        .set("throttle_delay_max 0")
        .set("throttle_failures 5");
    let server = site.serve();
    let together = Barrier::new(40);
    thread::scope(|scope| {
        for number in 0..40 {
            let (server, together) = (&server, &together);
            scope.spawn(move || {
                let plain = base64::plain("bob", &format!("guess{number}"));
                let mut client = server.smtp_client();
                together.wait();
                client.ask(&format!("AUTH PLAIN {plain}"), "535 5.7.8 ");
            });
        }
    });
    let asked = site.requests().iter().filter(|line| line.starts_with("check bob ")).count();
    assert_eq!(asked, 5, "of forty at once");
}

#[test]
fn a_trusted_host_is_not_blamed_for_what_its_users_try() {
    let site = strict(5).set("throttle_trust 127.0.0.0/8").user("ann", "s3cret");
    let server = site.serve();
    for number in 0..12 {
        guess(&server, &format!("user{number}"), 1);
    }
    assert!(Way::PopUser.answer(&server, "ann", "s3cret").starts_with("+OK"));
    guess(&server, "bob", 5);
    let list = throttle(&site, &["list", "--refused"]);
    assert!(list.starts_with("user bob failures=5 "), "{list}");
    assert_eq!(list.lines().count(), 2, "{list}");
}

#[test]
fn servers_that_run_alone_have_a_socket_each_and_one_folder_has_one_of_a_kind() {
    let site = strict(5).user("bob", "s3cret");
    let config = site.config().display().to_string();
    let outputs: Vec<_> = (0..2).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let work = site.home().join("work");
    let _alone: Vec<Process> = ["pop", "smtp"]
        .iter()
        .zip(&outputs)
        .map(|(role, output)| {
            let command = program::dmail(&["serve", "-c", &config, "--only", role]);
            let mut process = Process::start(command, output.path());
            let socket = work.join(format!("control-{role}.sock"));
            process.until("it has its socket", |_| socket.exists());
            process
        })
        .collect();
    let list = throttle(&site, &["list"]);
    assert_eq!(list.matches("0 counted").count(), 2, "{list}");
    assert!(list.contains("control-pop.sock:"), "{list}");

    let second = program::run(program::dmail(&["serve", "-c", &config, "--only", "pop"]), "");
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("another server works in "), "{}", second.err);
}

#[test]
fn the_socket_of_a_killed_server_is_replaced_and_is_nobody_elses() {
    let site = strict(5).user("bob", "s3cret");
    site.serve().kill();
    let socket = site.home().join("work/control.sock");
    assert!(socket.exists(), "kill -9 leaves it");
    let server = site.serve();
    assert_eq!(throttle(&site, &["list"]), "0 counted for wrong passwords\n");
    let mode = fs::metadata(&socket).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop();
    assert!(!socket.exists());
}

/// Logs in over `client` and returns how long the no took.
fn time_of_no(client: &mut Client, user: &str, password: &str) -> Duration {
    let line = format!("AUTH PLAIN {}", base64::plain(user, password));
    let start = Instant::now();
    client.ask(&line, "535 5.7.8 ");
    start.elapsed()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Whether two medians are within 1 ms and 2 %.
fn same_time(one: Duration, two: Duration) -> bool {
    one.abs_diff(two) <= Duration::from_millis(1) + one.max(two) / 50
}

/// The medians of the time of a no to each of `users`, in turns.
fn medians(server: &Server, users: &[&str], samples: usize) -> Vec<Duration> {
    let mut clients: Vec<Client> = users.iter().map(|_| server.smtp_client()).collect();
    let mut times = vec![Vec::new(); users.len()];
    for sample in 0..samples {
        for (at, user) in users.iter().enumerate() {
            times[at].push(time_of_no(&mut clients[at], user, &format!("guess{sample}")));
        }
    }
    times.iter_mut().map(|times| median(times)).collect()
}

/// A user in the usual scheme, one in a much quicker scheme, and nobody: the
/// time of a no does not tell which.
#[test]
fn the_time_of_a_no_does_not_tell_who_is_there() {
    // sha512-crypt takes some milliseconds, a salted digest none.
    let site = strict(0).set("max_errors 10000").user("quick", "s3cret");
    let site = site.set("nwauth_scheme sha512-crypt").user("usual", "s3cret");
    let server = site.serve();
    let users = ["usual", "quick", "nobody"];
    // The machine may be busy with something else for a while.
    let mut found = Vec::new();
    for _ in 0..3 {
        found = medians(&server, &users, 200);
        eprintln!("medians of 200: {users:?} {found:?}");
        if found.iter().all(|median| same_time(*median, found[0])) {
            return;
        }
    }
    panic!("{users:?} {found:?}");
}

/// One who is refused unasked, and one who is asked about, in turns: what else
/// the machine does meets both.
#[test]
fn the_time_of_a_no_does_not_tell_who_is_throttled() {
    // Only users are counted, for both guess from one address.
    let site = strict(100).set("max_errors 10000").set("throttle_trust 127.0.0.1");
    let site = site.set("nwauth_scheme sha512-crypt").user("bob", "s3cret").user("ann", "s3cret");
    let server = site.serve();
    guess(&server, "bob", 100);
    let list = throttle(&site, &["list", "--refused"]);
    assert!(list.contains("bob"), "{list}");
    let found = medians(&server, &["ann", "bob"], 100);
    eprintln!("medians of 100: asked, refused: {found:?}");
    assert!(same_time(found[0], found[1]), "asked, refused: {found:?}");
}
