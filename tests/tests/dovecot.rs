//! A real Dovecot whose logins and users are the gateway's, set up by the very
//! lines of `docs/integrations/dovecot.md`.

use dmail_tests::client::Client;
use dmail_tests::integration;
use dmail_tests::peer::dovecot::Dovecot;
use dmail_tests::peer::swaks;
use dmail_tests::program::Said;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

const AUTH: &str = "/run/dovecot/login/dmail/auth";
const MASTER: &str = "/run/dmail/dovecot-master";

/// A gateway that asks the Python module, and a Dovecot that asks the gateway.
struct Pair {
    // In the order in which they end.
    dovecot: Dovecot,
    server: Option<Server>,
    site: Site,
}

impl Pair {
    /// Both run; `None` if Dovecot cannot run here.
    fn start(test: &str) -> Option<Self> {
        Self::start_with(test, "")
    }

    /// The same, with more words behind each line `dialect`.
    fn start_with(test: &str, options: &str) -> Option<Self> {
        let mut dovecot = Dovecot::mail(test)?;
        dovecot.make_places(&integration::lines("dovecot", "tmpfiles"));
        let mut site = Site::module();
        for line in dovecot.here(&integration::lines("dovecot", "dmail.conf")).lines() {
            site = site.set(&format!("{line}{options}"));
        }
        let server = Some(site.serve());
        dovecot.start(&integration::lines("dovecot", "dovecot.conf"));
        Some(Self { dovecot, server, site })
    }

    /// What IMAP and POP3 say to a login, without its numbers.
    fn log_in(&self, user: &str, password: &str) -> [String; 2] {
        let mut imap = self.dovecot.imap();
        imap.send(&format!("a LOGIN {user} \"{password}\""));
        let by_imap = answer_to(&mut imap, "a ");
        let mut pop = self.dovecot.pop();
        pop.ask(&format!("USER {user}"), "+OK");
        pop.send(&format!("PASS {password}"));
        let by_pop = pop.try_reply().expect("an answer");
        [by_imap, by_pop]
    }

    /// Dovecot's "high-performance mode": a login process serves many clients.
    fn with_lasting_login_processes(&mut self) {
        let mut lines = integration::lines("dovecot", "dovecot.conf");
        for service in ["imap-login", "pop3-login"] {
            lines.push_str(&format!("service {service} {{\n  service_count = 0\n}}\n"));
        }
        self.dovecot.start(&lines);
    }

    fn doveadm(&self, words: &[&str]) -> Said {
        let words: Vec<String> = words.iter().map(|word| self.dovecot.here(word)).collect();
        self.dovecot.doveadm(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn deliver(&self, user: &str) -> Said {
        swaks::send(self.dovecot.lmtp(), user, "to a user of the gateway", &["--protocol", "LMTP"])
    }
}

/// The reply to the IMAP command with this tag.
fn answer_to(imap: &mut Client, tag: &str) -> String {
    loop {
        let line = imap.try_line().expect("an answer");
        if line.starts_with(tag) {
            return line;
        }
    }
}

const YES: [&str; 2] = ["a OK ", "+OK Logged in"];
const NO: [&str; 2] = ["a NO [AUTHENTICATIONFAILED] ", "-ERR [AUTH] "];
const LATER: [&str; 2] = ["a NO [UNAVAILABLE] ", "-ERR [SYS/TEMP] "];

fn assert_said(said: &[String; 2], expected: [&str; 2]) {
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said}: not {expected}");
    }
}

#[test]
fn imap_and_pop3_log_in_by_the_documented_lines() {
    let Some(pair) = Pair::start("imap_and_pop3_log_in") else { return };
    assert_said(&pair.log_in("u1", "p1"), YES);
    assert_said(&pair.log_in("u1", "wrong"), NO);
    assert_said(&pair.log_in("nobody", "p1"), NO);
    assert_eq!(pair.log_in("u1", "gu3ss")[0], pair.log_in("nobody", "gu3ss")[0]);
    // A mailbox behind the login, of the documented owner.
    let mut imap = pair.dovecot.imap();
    imap.send("a AUTHENTICATE PLAIN AHUxAHAx");
    assert!(answer_to(&mut imap, "a ").starts_with("a OK "));
    imap.send("b SELECT INBOX");
    assert!(answer_to(&mut imap, "b ").starts_with("b OK "));
    assert!(pair.dovecot.path("/var/vmail/u1/Maildir/cur").exists());
    // The gateway knows who came from where for what; no log knows a password.
    let log = pair.site.log();
    let refused = log.lines().find(|line| line.contains("refused") && line.contains("u1"));
    let refused = refused.unwrap_or_else(|| panic!("no refusal in {log}"));
    for word in ["dovecot-auth", "127.0.0.1", "imap"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
    // One login is found in both logs.
    let theirs = pair.dovecot.log();
    let login = theirs.lines().find(|line| line.contains("imap-login: Info: Login: user=<u1>"));
    let session = login.and_then(|line| Some(line.split_once("session=<")?.1.split_once('>')?.0));
    let session = session.unwrap_or_else(|| panic!("no session in {theirs}"));
    let ours = format!("transport=\"insecure\" session={session}");
    let is_it = |line: &str| line.contains(": login service=imap") && line.contains(&ours);
    assert!(log.lines().any(is_it), "{ours} in {log}");
    for log in [log, theirs.clone()] {
        assert!(!log.contains("gu3ss") && !log.contains("AHUxAHAx"), "{log}");
    }
}

#[test]
fn a_dead_user_base_is_no_wrong_password() {
    let Some(pair) = Pair::start("a_dead_user_base") else { return };
    assert_said(&pair.log_in("u1", "p1"), YES);
    pair.site.spoil_module("dead");
    for _ in 0..3 {
        assert_said(&pair.log_in("u2", "p2"), LATER);
        assert_said(&pair.log_in("u2", "wrong"), LATER);
        // Whoever was here lately is known.
        assert_said(&pair.log_in("u1", "p1"), YES);
        pair.site.spoil_module("");
        assert_said(&pair.log_in("u3", "p3"), YES);
        assert_said(&pair.log_in("u3", "wrong"), NO);
        pair.site.spoil_module("dead");
    }
    assert!(!pair.dovecot.log().contains("Auth connection closed"), "{}", pair.dovecot.log());
}

#[test]
fn a_slow_user_base_is_no_wrong_password_and_stops_nobody_else() {
    let Some(pair) = Pair::start_with("a_slow_user_base", " timeout=1s") else { return };
    let mut slow = pair.dovecot.imap();
    slow.send("a LOGIN hang secret");
    assert_said(&pair.log_in("u1", "p1"), YES);
    let said = answer_to(&mut slow, "a ");
    assert!(said.starts_with(LATER[0]), "{said}");
}

#[test]
fn a_login_that_the_gateway_was_asked_is_answered_before_it_stops() {
    let Some(mut pair) = Pair::start_with("a_login_that_the_gateway_was_asked", " timeout=2s")
    else {
        return;
    };
    let mut slow = pair.dovecot.imap();
    slow.send("a LOGIN hang secret");
    let asked = || pair.site.requests().iter().any(|line| line.starts_with("check hang"));
    wait::until("the module is asked", asked);
    let server = pair.server.take().expect("it runs");
    server.ask_to_stop();
    let said = answer_to(&mut slow, "a ");
    assert!(said.starts_with(LATER[0]), "{said}");
    assert!(server.wait().success());
}

#[test]
fn both_are_restarted_and_reloaded_in_any_order() {
    let Some(mut pair) = Pair::start("both_are_restarted") else { return };
    assert_said(&pair.log_in("u1", "p1"), YES);
    pair.dovecot.reload();
    assert_said(&pair.log_in("u1", "p1"), YES);
    // With the gateway's sockets in place.
    pair.dovecot.restart();
    assert_said(&pair.log_in("u1", "p1"), YES);
    pair.server.take().expect("it runs").stop();
    pair.server = Some(pair.site.serve());
    assert_said(&pair.log_in("u1", "p1"), YES);
    pair.dovecot.stop();
    pair.server.take().expect("it runs").stop();
    pair.server = Some(pair.site.serve());
    pair.dovecot.restart();
    assert_said(&pair.log_in("u1", "p1"), YES);
    assert_eq!(pair.deliver("u1").code, Some(0));
}

#[test]
fn login_processes_that_live_on_find_a_gateway_that_came_back() {
    let Some(mut pair) = Pair::start("login_processes_that_live_on") else { return };
    pair.with_lasting_login_processes();
    for _ in 0..2 {
        assert_said(&pair.log_in("u1", "p1"), YES);
        pair.server.take().expect("it runs").stop();
        pair.server = Some(pair.site.serve());
    }
    assert_said(&pair.log_in("u1", "p1"), YES);
    assert_said(&pair.log_in("u1", "wrong"), NO);
}

#[test]
fn many_clients_of_one_login_process_are_told_apart() {
    let Some(mut pair) = Pair::start("many_clients_of_one_login_process") else { return };
    pair.with_lasting_login_processes();
    std::thread::scope(|scope| {
        for number in 1..=20 {
            let pair = &pair;
            scope.spawn(move || {
                let (user, password) = (format!("u{number}"), format!("p{number}"));
                for _ in 0..3 {
                    assert_said(&pair.log_in(&user, &password), YES);
                    assert_said(&pair.log_in(&user, "wrong"), NO);
                    assert_said(&pair.log_in("dead", "wrong"), LATER);
                }
            });
        }
    });
}

#[test]
fn doveadm_asks_all_three_sockets() {
    let Some(pair) = Pair::start("doveadm_asks") else { return };
    let test = |user, password| pair.doveadm(&["auth", "test", "-a", AUTH, user, password]);
    let said = test("bob", "s3cret").success();
    assert!(said.text().contains("bob auth succeeded"), "{}", said.text());
    assert_eq!(test("bob", "wrong").code, Some(77), "EX_NOPERM");
    let temporary = test("dead", "wrong");
    assert!(temporary.text().contains("code=temp_fail"), "{}", temporary.text());

    let known = pair.doveadm(&["auth", "lookup", "bob"]).success();
    assert!(known.text().contains("user      : bob"), "{}", known.text());
    let user = pair.doveadm(&["user", "bob"]).success().text();
    for field in ["uid\t5000", "gid\t5000", &pair.dovecot.here("home\t/var/vmail/bob")] {
        assert!(user.contains(field), "{field}: {user}");
    }
    assert_eq!(pair.doveadm(&["user", "nobody"]).code, Some(67), "EX_NOUSER");
    assert_eq!(pair.doveadm(&["user", "dead"]).code, Some(75), "EX_TEMPFAIL");
    let all = pair.doveadm(&["user", "*"]).success().text();
    assert_eq!(all.lines().collect::<Vec<_>>(), ["bob", "u1"]);

    // What is remembered of bob serves when nobody else can; until it is flushed.
    pair.site.spoil_module("dead");
    assert_eq!(test("bob", "s3cret").code, Some(0));
    let flushed = pair.doveadm(&["auth", "cache", "flush", "-a", MASTER, "bob"]).success();
    assert_eq!(flushed.text(), "1 cache entries flushed\n");
    assert!(test("bob", "s3cret").text().contains("code=temp_fail"));
}

#[test]
fn lmtp_delivers_to_users_whom_only_the_gateway_knows() {
    let Some(pair) = Pair::start("lmtp_delivers") else { return };
    let said = pair.deliver("u1").success();
    assert!(said.text().contains("<-  250 2.0.0 <u1>"), "{}", said.text());
    let mut pop = pair.dovecot.pop();
    pop.ask("USER u1", "+OK");
    pop.ask("PASS p1", "+OK");
    assert_eq!(pop.list().len(), 1);
    assert!(pop.retrieve(1).contains("Subject: to a user of the gateway\r\n"));

    let unknown = pair.deliver("nobody").text();
    assert!(unknown.contains("<** 550 5.1.1 <nobody>"), "{unknown}");
    for trouble in ["dead", "garbage", "crash"] {
        let later = pair.deliver(trouble).text();
        assert!(later.contains(&format!("<** 451 4.3.0 <{trouble}>")), "{later}");
    }
    pair.site.spoil_module("dead");
    let later = pair.deliver("u2").text();
    assert!(later.contains("<** 451 4.3.0 <u2>"), "{later}");
    // Whoever was here lately is known.
    let _ = pair.deliver("u1").success();
}

#[test]
fn the_documented_commands_work() {
    let Some(pair) = Pair::start("the_documented_commands_work") else { return };
    for line in integration::lines("dovecot", "try").lines() {
        let line = pair.dovecot.here(line);
        let words = line.strip_prefix("doveadm ").expect("a line with doveadm");
        let words = words.replace('\'', "").replace("dmail/auth bob", "dmail/auth bob s3cret");
        let _ = pair.doveadm(&words.split(' ').collect::<Vec<_>>()).success();
    }
}
