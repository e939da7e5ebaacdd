//! A real Dovecot whose login and mail processes ask dmail, configured by the
//! very lines of `docs/integrations/dovecot.md`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use dmail_tests::client::Client;
use dmail_tests::integration;
use dmail_tests::peer::dovecot_imap::DovecotImap;
use dmail_tests::peer::postfix::open_to_all;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use nix::unistd::{Gid, Uid, chown};

/// A site of ours and the Dovecot in front of it.
struct Pair {
    dovecot: DovecotImap,
    site: Site,
    _server: Server,
}

impl Pair {
    fn start(test: &str, mut site: Site) -> Option<Self> {
        let folder = site.folder().display().to_string();
        let here = |text: &str| {
            let homes = text.replace("/var/vmail", &format!("{folder}/homes"));
            homes.replace("/run/dmail", &folder)
        };
        let dovecot =
            DovecotImap::start(test, &here(&integration::lines("dovecot", "dovecot.conf")))?;
        for line in integration::lines("dovecot", "dmail.conf").lines() {
            site = site.set(&here(line));
        }
        for path in [site.folder().to_owned(), site.home(), site.home().join("mail")] {
            open_to_all(&path);
        }
        // The owner that the page names.
        let homes = site.folder().join("homes");
        fs::create_dir(&homes).expect("a directory");
        for path in [homes, site.home().join("mail")] {
            fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("our own folder");
            chown(&path, Some(Uid::from_raw(5000)), Some(Gid::from_raw(5000))).expect("root may");
        }
        let server = site.serve();
        Some(Self { dovecot, site, _server: server })
    }
}

/// Logs in, and returns the connection with the answer.
fn log_in(dovecot: &DovecotImap, user: &str, password: &str) -> (Client, String) {
    let mut client = Client::connect(dovecot.imap());
    let _ = client.try_line().expect("a greeting");
    client.send(&format!("a login {user} {password}"));
    let answer = until(&mut client, "a ");
    (client, answer)
}

/// The first line that starts so.
fn until(client: &mut Client, start: &str) -> String {
    loop {
        let line = client.try_line().expect("an answer");
        if line.starts_with(start) {
            return line;
        }
    }
}

#[test]
fn a_mail_process_of_dovecot_takes_up_a_login() {
    // The module knows bob, and says of some users that it is down.
    let site = Site::module().set("authent_timeout 2");
    let test = "a_mail_process_of_dovecot_takes_up_a_login";
    let Some(pair) = Pair::start(test, site) else { return };
    let (mut client, answer) = log_in(&pair.dovecot, "bob", "s3cret");
    assert!(answer.starts_with("a OK"), "{answer} {}", pair.dovecot.log());
    let mail = "From: ann@far.example\r\nSubject: hello\r\n\r\nhello\r\n";
    client.send(&format!("b append INBOX {{{}}}", mail.len()));
    let _ = until(&mut client, "+ ");
    client.send(mail);
    let appended = until(&mut client, "b ");
    assert!(appended.starts_with("b OK"), "{appended} {}", pair.dovecot.log());
    // It is the drop file of ours.
    let drop_file = fs::read_to_string(pair.site.drop_file("bob")).expect("mail");
    assert!(drop_file.contains("Subject: hello"), "{drop_file}");
    for (user, password, expected) in [
        ("bob", "wrong", "a NO [AUTHENTICATIONFAILED]"),
        ("nobody", "s3cret", "a NO [AUTHENTICATIONFAILED]"),
        ("dead", "s3cret", "a NO [UNAVAILABLE]"),
        ("hang", "s3cret", "a NO [UNAVAILABLE]"),
        ("bob", "s3cret", "a OK"),
    ] {
        let (_, answer) = log_in(&pair.dovecot, user, password);
        assert!(answer.starts_with(expected), "{user}: {answer}");
    }
}

#[test]
fn doveadm_finds_users_and_has_them_forgotten() {
    let site = Site::nwauth().user("bob", "s3cret");
    let test = "doveadm_finds_users_and_has_them_forgotten";
    let Some(pair) = Pair::start(test, site) else { return };
    let master = pair.site.folder().join("master").display().to_string();
    let user = pair.dovecot.doveadm(&["user", "-a", &master, "bob"]).success().text();
    assert!(user.contains("uid\t5000") && user.contains("/homes/bob"), "{user}");
    let nobody = pair.dovecot.doveadm(&["user", "-a", &master, "nobody"]);
    assert_eq!(nobody.code, Some(67), "{}", nobody.err);
    let users = pair.dovecot.doveadm(&["user", "-a", &master, "b*"]).success().text();
    assert_eq!(users.trim(), "bob");
    let (_, answer) = log_in(&pair.dovecot, "bob", "s3cret");
    assert!(answer.starts_with("a OK"), "{answer}");
    for (expected, words) in [("1 ", Some("bob")), ("0 ", None)] {
        let flush = [&["auth", "cache", "flush", "-a", &master][..], words.as_slice()].concat();
        let flushed = pair.dovecot.doveadm(&flush).success();
        let said = flushed.text() + &flushed.err;
        assert!(said.contains(&format!("{expected}cache entries flushed")), "{said}");
    }
}
