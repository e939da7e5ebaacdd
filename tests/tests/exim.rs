//! A real Exim whose SMTP AUTH is the gateway's, set up by the very lines of
//! `docs/integrations/exim.md`.

use std::thread;

use dmail_tests::integration;
use dmail_tests::peer::exim::Exim;
use dmail_tests::peer::swaks;
use dmail_tests::server::Server;
use dmail_tests::site::Site;

/// A gateway that asks the Python module, and an Exim that asks the gateway.
struct Pair {
    // In the order in which they end.
    exim: Exim,
    server: Option<Server>,
    site: Site,
}

impl Pair {
    /// Both run; `None` if Exim cannot run here. `way` starts the names of the
    /// blocks on the page.
    fn start(test: &str, way: &str, options: &str) -> Option<Self> {
        let mut exim = Exim::new(test)?;
        let mut site = Site::module();
        let lines = integration::lines("exim", &format!("{way}dmail.conf"));
        for line in exim.here(&lines).lines() {
            site = site.set(&format!("{line}{options}"));
        }
        let server = Some(site.serve());
        exim.start(&integration::lines("exim", &format!("{way}authenticators")));
        Some(Self { exim, server, site })
    }

    /// What Exim says to a login.
    fn log_in(&self, mechanism: &str, user: &str, password: &str) -> String {
        let said = swaks::log_in(self.exim.smtp(), mechanism, user, password).text();
        // The answer to the last line of the exchange, before QUIT's.
        let answers = said
            .lines()
            .filter_map(|line| line.strip_prefix("<-  ").or_else(|| line.strip_prefix("<** ")));
        let known = ["235 ", "435 ", "454 ", "535 "];
        let mut last = answers.filter(|answer| known.iter().any(|code| answer.starts_with(code)));
        last.next_back().unwrap_or_else(|| panic!("no answer: {said}")).to_owned()
    }

    fn assert_answers(&self, user: &str, password: &str, code: &str) {
        for mechanism in ["PLAIN", "LOGIN"] {
            let said = self.log_in(mechanism, user, password);
            assert!(said.starts_with(code), "{mechanism} {user} {password}: {said}");
        }
    }
}

/// The two ways of the page: how the names of their blocks begin.
const WAYS: [&str; 2] = ["", "saslauthd "];

#[test]
fn exim_logs_in_by_the_documented_lines() {
    for way in WAYS {
        let Some(pair) = Pair::start("exim_logs_in", way, "") else { return };
        pair.assert_answers("bob", "s3cret", "235 ");
        pair.assert_answers("bob", "gu3ss", "535 ");
        pair.assert_answers("nobody", "gu3ss", "535 ");
        assert_eq!(pair.log_in("PLAIN", "bob", "gu3ss"), pair.log_in("PLAIN", "nobody", "gu3ss"));
        let log = pair.site.log();
        let refused = log.lines().find(|line| line.contains("refused") && line.contains("bob"));
        let refused = refused.unwrap_or_else(|| panic!("no refusal in {log}"));
        assert!(refused.contains("smtp"), "{refused}");
        // saslauthd's format has no place for an address.
        assert_eq!(refused.contains("127.0.0.1"), way.is_empty(), "{refused}");
        assert!(!log.contains("gu3ss") && !pair.exim.log().contains("gu3ss"));
    }
}

#[test]
fn a_dead_or_flapping_user_base_is_no_wrong_password() {
    for way in WAYS {
        let Some(mut pair) = Pair::start("a_dead_or_flapping_user_base", way, "") else { return };
        for round in 1..=3 {
            pair.site.spoil_module("dead");
            pair.assert_answers("u1", "wrong", "435 ");
            pair.assert_answers(&format!("u{round}"), &format!("p{round}"), "435 ");
            pair.site.spoil_module("");
            pair.assert_answers(&format!("u{round}"), &format!("p{round}"), "235 ");
            pair.assert_answers("u1", "wrong", "535 ");
        }
        // Nor is a gateway that is not there.
        pair.server.take().expect("it runs").stop();
        pair.assert_answers("bob", "s3cret", "435 ");
        pair.server = Some(pair.site.serve());
        pair.assert_answers("bob", "s3cret", "235 ");
    }
}

#[test]
fn a_slow_user_base_is_no_wrong_password_and_stops_nobody_else() {
    for way in WAYS {
        let Some(pair) = Pair::start("a_slow_user_base", way, " timeout=1s") else { return };
        thread::scope(|scope| {
            let slow = scope.spawn(|| pair.log_in("PLAIN", "hang", "secret"));
            pair.assert_answers("bob", "s3cret", "235 ");
            let said = slow.join().expect("an answer");
            assert!(said.starts_with("435 "), "{said}");
        });
    }
}

#[test]
fn exim_asks_over_tcp_as_well() {
    let Some(mut exim) = Exim::new("exim_asks_over_tcp") else { return };
    let site = Site::module().set("dialect dovecot-auth 127.0.0.1:0");
    let server = site.serve();
    let address = server.dialect("dovecot-auth");
    let socket = format!("{} {}", address.ip(), address.port());
    exim.start(&integration::lines("exim", "authenticators").replace("/run/dmail/exim", &socket));
    let pair = Pair { exim, server: Some(server), site };
    pair.assert_answers("bob", "s3cret", "235 ");
    pair.assert_answers("bob", "wrong", "535 ");
    pair.site.spoil_module("dead");
    pair.assert_answers("u1", "p1", "435 ");
}
