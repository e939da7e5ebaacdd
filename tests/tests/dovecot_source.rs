//! A real Dovecot's auth service as user base.

use std::fs;

use dmail_tests::login::Way;
use dmail_tests::peer::dovecot::{Dovecot, PASSWD_FILE};
use dmail_tests::program;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::Signal;

const USERS: &str = "\
bob:{PLAIN}s3 cret:54321:54321::/home/bob::
ann:{PLAIN}other:54321:54321::/home/ann::
eve:{PLAIN}pw:54321:54321::/home/eve::nologin=y reason=on_leave
far:{PLAIN}pw:54321:54321::/home/far::allow_nets=192.0.2.0/24
";

/// A site whose users are those of this Dovecot.
fn site(dovecot: &Dovecot, settings: &str) -> Site {
    let site = Site::new("authent_method dovecot\nauthent_ini dovecotauth.ini\n");
    let ini = format!(
        "auth_socket {}\nuserdb_socket {}\n{settings}",
        dovecot.auth_socket().display(),
        dovecot.userdb_socket().display()
    );
    fs::write(site.home().join("dovecotauth.ini"), ini).expect("room");
    site
}

#[test]
fn users_of_dovecot_log_in_and_get_mail() {
    let dovecot = Dovecot::auth(PASSWD_FILE, USERS);
    let site = site(&dovecot, "");
    let server = site.serve();
    for way in Way::ALL {
        let answer = way.answer(&server, "bob", "s3 cret");
        assert!(answer.starts_with(way.yes()), "{way:?}: {answer}\n{}", dovecot.log());
        let answer = way.answer(&server, "bob", "wrong");
        assert!(answer.starts_with(way.no()), "{way:?}: {answer}");
        let answer = way.answer(&server, "nobody", "any");
        assert!(answer.starts_with(way.no()), "{way:?}: {answer}");
        // allow_nets: the address was told.
        let answer = way.answer(&server, "far", "pw");
        assert!(answer.starts_with(way.no()), "{way:?}: {answer}");
    }
    let mut client = server.smtp_client();
    client.ask("MAIL FROM:<>", "250 ");
    client.ask("RCPT TO:<ann@corp.example>", "250 ");
    client.ask("RCPT TO:<nobody@corp.example>", "550 ");
    // A session that goes on would hold up the end of the server.
    client.ask("QUIT", "221 ");
    server.stop();
    let config = site.config().display().to_string();
    let said = program::run(program::dmail(&["authent", "-c", &config, "search", "*"]), "");
    let text = said.success().text();
    assert!(["ann", "bob", "eve"].iter().all(|name| text.contains(name)), "{text}");
    let said = program::run(program::dmail(&["authent", "-c", &config, "lookup", "bob"]), "");
    assert!(said.success().text().contains("54321"));
}

#[test]
fn a_dovecot_that_is_gone_refuses_nobody_and_is_used_again_when_it_is_back() {
    let mut dovecot = Dovecot::auth(PASSWD_FILE, USERS);
    let site = site(&dovecot, "timeout 3\n");
    let server = site.serve();
    let way = Way::SmtpPlain;
    assert!(way.answer(&server, "bob", "s3 cret").starts_with(way.yes()));
    dovecot.stop();
    let answer = way.answer(&server, "ann", "other");
    assert!(answer.starts_with(way.later()), "{answer}");
    let answer = way.answer(&server, "ann", "wrong");
    assert!(answer.starts_with(way.later()), "{answer}");
    // Whoever was here a moment ago gets in from memory.
    let answer = way.answer(&server, "bob", "s3 cret");
    assert!(answer.starts_with(way.yes()), "{answer}");
    dovecot.restart();
    wait::until("ann gets in", || way.answer(&server, "ann", "other").starts_with(way.yes()));
    server.stop();
}

#[test]
fn a_dovecot_that_hangs_refuses_nobody() {
    let dovecot = Dovecot::auth(PASSWD_FILE, USERS);
    let site = site(&dovecot, "timeout 1\n");
    let server = site.serve();
    let way = Way::PopUser;
    assert!(way.answer(&server, "bob", "s3 cret").starts_with(way.yes()));
    dovecot.signal_auth(Signal::SIGSTOP);
    for _ in 0..2 {
        let answer = way.answer(&server, "ann", "other");
        assert!(answer.starts_with(way.later()), "{answer}");
    }
    dovecot.signal_auth(Signal::SIGCONT);
    wait::until("ann gets in", || way.answer(&server, "ann", "other").starts_with(way.yes()));
    // Its end in the middle costs nobody a login: the master starts another.
    dovecot.signal_auth(Signal::SIGKILL);
    wait::until("eve is answered", || {
        let answer = way.answer(&server, "far", "pw");
        assert!(!answer.starts_with("+OK"), "{answer}");
        answer.starts_with(way.no())
    });
    server.stop();
}
