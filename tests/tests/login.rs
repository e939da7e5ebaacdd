//! Logging in: the right password, the wrong one, and nobody who could say.

use std::sync::Barrier;
use std::thread;

use dmail_tests::login::Way;
use dmail_tests::peer::{curl, swaks};
use dmail_tests::site::Site;

/// How many requests for this user the module got, with this verb.
fn asked(site: &Site, verb: &str, user: &str) -> usize {
    let start = format!("{verb} {user} ");
    site.requests().iter().filter(|line| format!("{line} ").starts_with(&start)).count()
}

#[test]
fn every_way_in_takes_the_right_password_only() {
    for site in [Site::module(), Site::nwauth().user("bob", "s3cret")] {
        let server = site.serve();
        for way in Way::ALL {
            let yes = way.answer(&server, "bob", "s3cret");
            assert!(yes.starts_with(way.yes()), "{way:?}: {yes}");
            let wrong = way.answer(&server, "bob", "S3cret");
            assert!(wrong.starts_with(way.no()), "{way:?}: {wrong}");
            for (user, password) in
                [("nobody", "s3cret"), ("bob", ""), ("bob@far.example", "s3cret")]
            {
                let no = way.answer(&server, user, password);
                assert_eq!(no, wrong, "{way:?} {user}: the same for every no");
            }
        }
        server.stop();
    }
}

#[test]
fn real_clients_log_in() {
    let site = Site::module();
    let server = site.serve();
    let _ = curl::log_in(server.smtp(), "bob", "s3cret").success();
    let _ = curl::read(server.pop(), "bob", "s3cret", "").success();
    assert_eq!(curl::log_in(server.smtp(), "bob", "guess").code, Some(67), "login denied");
    assert_eq!(curl::read(server.pop(), "bob", "guess", "").code, Some(67), "login denied");
    for mechanism in ["PLAIN", "LOGIN"] {
        let _ = swaks::log_in(server.smtp(), mechanism, "bob", "s3cret").success();
        let refused = swaks::log_in(server.smtp(), mechanism, "bob", "guess");
        assert!(refused.text().contains("535 5.7.8"), "{}", refused.text());
    }
}

/// Every fault of a module is "try again later", in every protocol, and never
/// a wrong password; the next user is served as if nothing had been.
#[test]
fn a_module_that_cannot_answer_is_never_a_wrong_password() {
    let site = Site::module().set("authent_timeout 2").set("authent_number 3");
    let server = site.serve();
    let faults = [
        "dead",
        "hang",
        "noflush",
        "crash",
        "crashmid",
        "garbage",
        "twice",
        "overlong",
        "wronguser",
    ];
    for user in faults {
        for way in [Way::PopUser, Way::SmtpPlain] {
            let later = way.answer(&server, user, "s3cret");
            assert!(later.starts_with(way.later()), "{user}, {way:?}: {later}");
        }
        let mut client = server.smtp_client();
        client.ask("MAIL FROM:<>", "250 ");
        client.ask(&format!("RCPT TO:<{user}@corp.example>"), "451 4.3.0 ");
        client.ask("RCPT TO:<bob@corp.example>", "250 ");
    }
    for way in Way::ALL {
        let yes = way.answer(&server, "bob", "s3cret");
        assert!(yes.starts_with(way.yes()), "{way:?}: {yes}");
    }
    server.stop();
}

#[test]
fn a_module_that_cannot_be_started_is_no_wrong_password_either() {
    let site = Site::with_module(&["/nonexistent/module".to_owned()]);
    let server = site.serve();
    for way in Way::ALL {
        let later = way.answer(&server, "bob", "s3cret");
        assert!(later.starts_with(way.later()), "{way:?}: {later}");
    }
}

#[test]
fn a_right_password_is_asked_once_and_a_wrong_one_every_time() {
    let site = Site::module();
    let server = site.serve();
    for _ in 0..3 {
        for way in Way::ALL {
            assert!(way.answer(&server, "bob", "s3cret").starts_with(way.yes()));
        }
    }
    assert_eq!(asked(&site, "check", "bob"), 1);
    assert_eq!(site.requests()[0], "check bob s3cret 127.0.0.1");
    for round in 2..5 {
        assert!(Way::PopUser.answer(&server, "bob", "guess").starts_with("-ERR [AUTH]"));
        assert_eq!(asked(&site, "check", "bob"), round);
    }
    // Without the cache every login is a question.
    server.stop();
    let site = site.set("authent_cache 0");
    let server = site.serve();
    for round in 5..8 {
        assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
        assert_eq!(asked(&site, "check", "bob"), round);
    }
}

#[test]
fn a_hundred_equal_logins_at_once_are_one_question() {
    let site = Site::module().set("max_connections_per_ip 200");
    let server = site.serve();
    let together = Barrier::new(100);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let plain = dmail_tests::base64::plain("slow", "any");
                let mut client = server.smtp_client();
                together.wait();
                client.ask(&format!("AUTH PLAIN {plain}"), "235 ");
            });
        }
    });
    assert_eq!(asked(&site, "check", "slow"), 1);
}

/// `dmail authent set` in another process: the new password works at once, and
/// from then on the old one does not, although it was remembered.
#[test]
fn a_changed_password_works_at_once_and_the_old_one_no_longer() {
    let site = Site::nwauth().user("bob", "old-password");
    let server = site.serve();
    let pop = |password: &str| Way::PopUser.answer(&server, "bob", password);
    assert!(pop("old-password").starts_with("+OK"));
    assert!(pop("new-password").starts_with("-ERR [AUTH]"));
    site.set_user("bob", "new-password");
    assert!(pop("new-password").starts_with("+OK"));
    assert!(pop("old-password").starts_with("-ERR [AUTH]"));
    assert!(pop("new-password").starts_with("+OK"));
}

/// Who was here today does not feel an outage; who was not is told to wait.
#[test]
fn an_outage_is_not_felt_by_those_who_logged_in_before() {
    let site = Site::module().set("authent_cache_fresh 0");
    // A module that can be taken away.
    let script = site.folder().join("module.py");
    std::fs::copy(dmail_tests::module::script(), &script).expect("a copy");
    let site = site.set(&format!("authent_process python3 {}", script.display()));
    let server = site.serve();
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
    std::fs::write(&script, "raise SystemExit(1)").expect("room");
    // Both children fall ill; those after them never get well.
    for _ in 0..2 {
        assert!(Way::PopUser.answer(&server, "crash", "x").starts_with("-ERR [SYS/TEMP]"));
    }
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
    assert!(Way::PopUser.answer(&server, "bob", "guess").starts_with("-ERR [SYS/TEMP]"));
    assert!(Way::PopUser.answer(&server, "u1", "p1").starts_with("-ERR [SYS/TEMP]"));
}

#[test]
fn guessing_is_slowed_down_and_then_refused_unasked() {
    let site = Site::module()
        .unset("throttle_except")
        .set("throttle_delay_max 0")
        .set("throttle_failures 5");
    let server = site.serve();
    let guess = |n: usize| Way::SmtpPlain.answer(&server, "bob", &format!("guess{n}"));
    let first = guess(0);
    for n in 0..10 {
        assert_eq!(guess(n), first, "a guesser learns nothing");
    }
    assert_eq!(asked(&site, "check", "bob"), 6, "five guesses, one of them twice");
    // The network guessed too much for everybody.
    assert_eq!(Way::SmtpPlain.answer(&server, "bob", "s3cret"), first);
    // One old password again and again is no guessing.
    server.stop();
    let server = site.serve();
    for _ in 0..10 {
        assert!(Way::PopUser.answer(&server, "bob", "old").starts_with("-ERR [AUTH]"));
    }
    assert!(Way::PopUser.answer(&server, "bob", "s3cret").starts_with("+OK"));
}
