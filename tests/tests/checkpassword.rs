//! checkpassword in both directions: a program of the site as user base, and
//! ours for servers that start such programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use dmail_tests::login::Way;
use dmail_tests::peer::dovecot::Dovecot;
use dmail_tests::peer::fd3;
use dmail_tests::site::Site;
use dmail_tests::{integration, program, wait};

/// A checkpassword program as a site may have one: bob is right, `down` is not
/// known now, `slow` takes for ever, `crash` ends by a signal.
const PROGRAM: &str = r#"#!/usr/bin/python3
import os, signal, sys, time
user, password = os.read(3, 512).split(b"\0")[:2]
os.close(3)
with open(os.path.join(os.path.dirname(sys.argv[0]), "asked"), "a") as asked:
    print(user.decode(), os.environ.get("TCPREMOTEIP"), os.environ.get("SERVICE"), file=asked)
if user == b"down":
    sys.exit(111)
if user == b"slow":
    os.fork()
    time.sleep(600)
if user == b"crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if user == b"loud":
    print("I was told", password.decode(), file=sys.stderr)
    sys.exit(1)
if os.environ.get("AUTHORIZED") == "1":
    if user != b"bob":
        sys.exit(3)
    os.environ["AUTHORIZED"] = "2"
elif (user, password) != (b"bob", b"s3 cret"):
    sys.exit(1)
os.environ.update(USER="vmail", HOME="/nonexistent", EXTRA="name", name="Bob B")
os.execvp(sys.argv[1], sys.argv[1:])
"#;

/// A site whose users are known to that program.
fn site(settings: &str) -> Site {
    let site = Site::new("authent_method checkpassword\nauthent_ini checkpasswordauth.ini\n");
    let script = site.folder().join("check.py");
    fs::write(&script, PROGRAM).expect("room");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
    let ini = format!("program {}\n{settings}", script.display());
    fs::write(site.home().join("checkpasswordauth.ini"), ini).expect("room");
    site
}

#[test]
fn a_program_of_the_site_logs_its_users_in() {
    let site = site("lookups true\n");
    let server = site.serve();
    for way in Way::ALL {
        let answer = way.answer(&server, "bob", "s3 cret");
        assert!(answer.starts_with(way.yes()), "{way:?}: {answer}");
        let answer = way.answer(&server, "bob", "wrong");
        assert!(answer.starts_with(way.no()), "{way:?}: {answer}");
        for user in ["down", "crash"] {
            let answer = way.answer(&server, user, "any");
            assert!(answer.starts_with(way.later()), "{way:?} {user}: {answer}");
        }
    }
    // Without a password, for mail: the program says who there is.
    let mut client = server.smtp_client();
    client.ask("MAIL FROM:<>", "250 ");
    client.ask("RCPT TO:<bob@corp.example>", "250 ");
    client.ask("RCPT TO:<ann@corp.example>", "550 ");
    client.ask("RCPT TO:<down@corp.example>", "451 ");
    let asked = fs::read_to_string(site.folder().join("asked")).expect("it was asked");
    assert!(asked.contains("bob 127.0.0.1 pop3") && asked.contains("bob 127.0.0.1 smtp"));
    server.stop();
}

#[test]
fn a_program_that_takes_too_long_is_killed_and_nobody_is_refused() {
    let site = site("timeout 1\nnumber 2\n");
    let server = site.serve();
    let answer = Way::SmtpPlain.answer(&server, "slow", "any");
    assert!(answer.starts_with("454 "), "{answer}");
    let script = site.folder().join("check.py").display().to_string();
    wait::until("all of it is gone", || wait::processes_with(&script) == 0);
    let answer = Way::SmtpPlain.answer(&server, "loud", "opensesame");
    assert!(answer.starts_with("535 "), "{answer}");
    server.stop();
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("I was told *") && !log.contains("opensesame"), "{log}");
}

#[test]
fn a_program_that_is_not_there_refuses_nobody() {
    let site = site("");
    fs::remove_file(site.folder().join("check.py")).expect("our own file");
    let server = site.serve();
    let answer = Way::PopUser.answer(&server, "bob", "s3 cret");
    assert!(answer.starts_with("-ERR [SYS/TEMP]"), "{answer}");
    server.stop();
}

/// A site with users of its own, which programs of this machine may ask.
fn asked_site(page: &str) -> Site {
    let line = integration::lines(page, "dmail.conf");
    let words = line.split_whitespace().filter(|word| !word.starts_with("group="));
    Site::nwauth().user("bob", "s3 cret").set(&words.collect::<Vec<_>>().join(" "))
}

/// The words of `dmail checkpassword`, which asks the gateway of this site.
fn words(site: &Site) -> Vec<String> {
    let line = integration::lines("qmail", "run");
    let words = line.split_whitespace().skip_while(|word| *word != "dmail");
    let words = words.map(|word| match word {
        "dmail" => program::path().display().to_string(),
        "/etc/dmail" => site.home().display().to_string(),
        // Becoming the user has a test of its own.
        "-setuid" => "-debug".to_owned(),
        "qmail-pop3d" => "/usr/bin/env".to_owned(),
        "Maildir" => "MARK=1".to_owned(),
        word => word.to_owned(),
    });
    words.collect()
}

#[test]
fn whoever_puts_a_login_on_descriptor_3_is_answered() {
    let site = asked_site("qmail");
    let server = site.serve();
    let words = words(&site);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ask = |login: &[u8]| fd3::ask(&words, login, &[("TCPREMOTEIP", "192.0.2.7")]);
    let said = ask(&fd3::login("bob", "s3 cret"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<String> = said.text().lines().map(str::to_owned).collect();
    for line in ["USER=bob", "HOME=/", "MARK=1", "TCPREMOTEIP=192.0.2.7"] {
        assert!(lines.iter().any(|known| known == line), "{line}: {lines:?}");
    }
    assert!(!said.text().contains("s3 cret"), "{}", said.text());
    let rows: &[(&[u8], i32)] = &[
        (&fd3::login("bob", "wrong"), 1),
        (&fd3::login("ann", "s3 cret"), 1),
        (&fd3::login("two words", "s3 cret"), 1),
        (&fd3::login("bob", ""), 1),
        (b"bob\0s3 cret", 2),
        (b"", 2),
        (&[b'a'; 10_000], 2),
    ];
    for (login, code) in rows {
        assert_eq!(ask(login).code, Some(*code), "{}", String::from_utf8_lossy(login));
    }
    // AUTHORIZED is Dovecot's word, and anybody's who is not Dovecot a password.
    let said = fd3::ask(&words, &fd3::login("bob", "wrong"), &[("AUTHORIZED", "1")]);
    assert_eq!(said.code, Some(1));
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(!log.contains("s3 cret"), "{log}");
    server.stop();
    let said = ask(&fd3::login("bob", "s3 cret"));
    assert_eq!(said.code, Some(111), "{}", said.err);
}

#[test]
fn whoever_logs_in_may_become_a_user_of_the_machine() {
    if !dmail_tests::machine::is_ours("checkpassword -setuid") {
        return;
    }
    let site = asked_site("qmail");
    let server = site.serve();
    let own = program::path().display().to_string();
    let home = site.home().display().to_string();
    let ask = |more: &[&str]| {
        let words = [&[&own, "checkpassword", "-path", &home][..], more].concat();
        fd3::ask(&words, &fd3::login("bob", "s3 cret"), &[])
    };
    let show = ["/bin/sh", "-c", "id -u; id -g; id -G; pwd; echo $HOME"];
    let said =
        ask(&[&["-setuid", "-uid", "54321", "-gid", "54322", "-home", "/tmp"], &show[..]].concat());
    assert_eq!(said.success().text(), "54321\n54322\n54322\n/tmp\n/tmp\n");
    let said = ask(&[&["-setuid", "-uid", "54321", "-home", "/nonexistent"], &show[..]].concat());
    assert_eq!(said.code, Some(111), "{}", said.err);
    server.stop();
}

#[test]
fn dovecot_checks_passwords_and_finds_users_by_our_program() {
    let site = asked_site("dovecot-checkpassword");
    let databases = integration::lines("dovecot-checkpassword", "dovecot.conf")
        .replace("/usr/local/bin/dmail", &program::path().display().to_string())
        .replace("/etc/dmail", &site.home().display().to_string());
    let server = site.serve();
    let dovecot = Dovecot::auth(&databases, "");
    let said = dovecot.doveadm(&["auth", "test", "-x", "rip=192.0.2.7", "bob", "s3 cret"]);
    assert_eq!(said.code, Some(0), "{}{}{}", said.text(), said.err, dovecot.log());
    let said = dovecot.doveadm(&["auth", "test", "bob", "wrong"]);
    assert_eq!(said.code, Some(77), "{}{}", said.text(), said.err);
    let said = dovecot.doveadm(&["user", "bob"]).success();
    for field in ["5000", "/var/mail/bob"] {
        assert!(said.text().contains(field), "{}", said.text());
    }
    let said = dovecot.doveadm(&["user", "ann"]);
    assert_eq!(said.code, Some(67), "{}{}", said.text(), said.err);
    // Without the gateway, nobody is refused.
    server.stop();
    let said = dovecot.doveadm(&["auth", "test", "bob", "s3 cret"]);
    assert_ne!(said.code, Some(0), "{}", said.text());
    let told = format!("{}{}", said.text(), said.err);
    assert!(told.contains("temp"), "{told}");
    let said = dovecot.doveadm(&["user", "bob"]);
    assert_eq!(said.code, Some(75), "{}{}", said.text(), said.err);
}

#[test]
fn a_link_by_another_name_is_the_same_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let link: PathBuf = folder.path().join("dmail-checkpassword");
    std::os::unix::fs::symlink(program::path(), &link).expect("a link");
    let said = program::run(std::process::Command::new(link), "");
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("descriptor 3"), "{}", said.err);
}
