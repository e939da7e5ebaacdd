//! Slow sources, garbage, half requests, clients that do not read: each costs
//! only whom it comes from.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use dmail_tests::dialect::{Dialect, Heard};
use dmail_tests::site::Site;

use super::{site_of_all, unix, unix_line};

#[test]
fn a_source_that_hangs_is_a_temporary_failure_in_time_and_others_overtake() {
    let site = Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::Tcpauth).fold(
        // Longer than all of them take together: equal questions are one.
        Site::module().set("authent_cache 0").set("authent_number 8").set("authent_timeout 60"),
        |site, dialect| site.set(&format!("{} timeout=2s", unix_line(dialect))),
    );
    let server = site.serve();
    std::thread::scope(|scope| {
        for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect != Dialect::Tcpauth) {
            let place = unix(&site, dialect);
            let hanging = {
                let place = place.clone();
                scope.spawn(move || {
                    let started = Instant::now();
                    let heard = dialect.ask(&place, "hang", "x");
                    (heard, started.elapsed())
                })
            };
            assert_eq!(dialect.ask(&place, "bob", "s3cret"), Heard::Yes, "{dialect:?}");
            let (heard, took) = hanging.join().expect("no panic");
            assert_eq!(heard, Heard::Later, "{dialect:?}");
            let in_time = Duration::from_secs(2)..Duration::from_secs(9);
            assert!(in_time.contains(&took), "{dialect:?}: {took:?}");
        }
    });
    server.stop();
}

#[test]
fn answers_overtake_each_other_on_one_connection() {
    let site = Site::module()
        .set("authent_cache 0")
        .set("authent_number 4")
        .set(&format!("{} tempfail=code timeout=2s", unix_line(Dialect::DovecotAuth)))
        .set(&unix_line(Dialect::DovecotUserdb));
    let server = site.serve();
    let mut connection = Dialect::DovecotAuth.connect(&unix(&site, Dialect::DovecotAuth));
    connection.send_login(1, "hang", "x", "service=imap");
    connection.send_login(2, "slow", "x", "service=imap");
    connection.send_login(3, "bob", "s3cret", "service=imap");
    connection.send_login(4, "bob", "wrong", "service=imap");
    let lines: Vec<_> = (0..4).map(|_| connection.line()).collect();
    assert_eq!(lines[3], "FAIL\t1\tcode=temp_fail", "{lines:?}");
    let first: HashSet<_> = lines[..3].iter().map(String::as_str).collect();
    assert_eq!(first, HashSet::from(["OK\t2\tuser=slow", "OK\t3\tuser=bob", "FAIL\t4"]));

    let mut connection = Dialect::DovecotUserdb.connect(&unix(&site, Dialect::DovecotUserdb));
    connection.send(b"USER\t1\tslow\tservice=lmtp\nUSER\t2\tbob\tservice=lmtp\nLIST\t3\n");
    let lines: Vec<_> = (0..5).map(|_| connection.line()).collect();
    assert!(lines[..4].iter().any(|line| line == "USER\t2\tbob"), "{lines:?}");
    for line in ["LIST\t3\tbob", "LIST\t3\tu1", "DONE\t3\t"] {
        assert!(lines.iter().any(|said| said == line), "{lines:?}");
    }
    server.stop();
}

#[test]
fn garbage_and_half_requests_end_their_own_connections_only() {
    let site = site_of_all();
    let server = site.serve();
    let random = RandomState::new();
    for dialect in Dialect::ALL {
        let place = unix(&site, dialect);
        let mut good = (!matches!(dialect, Dialect::Saslauthd | Dialect::Authdaemon))
            .then(|| dialect.connect(&place));
        let request = dialect.request("bob", "s3cret");
        for length in (0..request.len()).step_by(3) {
            // It is gone in the middle of a request.
            let mut half = dialect.connect(&place);
            half.send(&request[..length]);
        }
        for round in 0..32_u64 {
            let noise = (0..64).flat_map(|n| random.hash_one((round, n)).to_le_bytes());
            let mut noisy = dialect.connect(&place);
            // The server may have closed it by then.
            let _ = noisy.try_send(&noise.chain(*b"\n\n").collect::<Vec<_>>());
        }
        let mut endless = dialect.connect(&place);
        let _ = endless.try_send(&[b'7'; 1 << 20]);
        if let Some(good) = &mut good {
            good.send(&request);
            assert_eq!(dialect.hear(good), Heard::Yes, "{dialect:?}");
        }
        assert_eq!(dialect.ask(&place, "bob", "s3cret"), Heard::Yes, "{dialect:?}");
    }
    server.stop();
}

#[test]
fn a_client_that_does_not_read_stops_nobody_else() {
    let site = site_of_all();
    let server = site.serve();
    let dialect = Dialect::Socketmap;
    let place = unix(&site, dialect);
    let mut deaf = dialect.connect(&place);
    let requests = dialect.request("u1", "").repeat(1000);
    let started = Instant::now();
    let mut sent = 0;
    while deaf.try_send(&requests).is_ok() {
        sent += requests.len();
        assert!(sent < 64 << 20, "it is read for ever, though it does not read itself");
        assert_eq!(dialect.ask(&place, "bob", ""), Heard::Yes);
    }
    let took = started.elapsed();
    assert!(took > Duration::from_secs(5), "it had some time: {took:?}");
    assert_eq!(dialect.ask(&place, "bob", ""), Heard::Yes);
    server.stop();
}
