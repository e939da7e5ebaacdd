//! No password anywhere: not in a log, not in a file, not in a command line,
//! not on standard error, and not in base64 either.

use std::fs;
use std::path::{Path, PathBuf};

use dmail_tests::base64;
use dmail_tests::login::Way;
use dmail_tests::module;
use dmail_tests::secrets::{assert_holds_none, assert_no_file_holds, forms};
use dmail_tests::server::Server;
use dmail_tests::site::Site;

/// Passwords that occur nowhere by chance.
const RIGHT: &str = "Rg8-vq2-right-Ty4";
const WRONG: &str = "Wz5-kd7-wrong-Hn3";
const CHANGED: &str = "Cb6-xm1-changed-Jp9";
const MISPLACED: &str = "Ml4-qt8-misplaced-Fs2";
const OF_THE_MODULE: &str = "s3cret";

/// Fails if a running program has one of `forms` in its command line.
fn assert_no_command_line_holds(forms: &[String]) {
    for entry in fs::read_dir("/proc").expect("proc").flatten() {
        let path: PathBuf = entry.path().join("cmdline");
        if let Ok(content) = fs::read(&path) {
            assert_holds_none(&path, &content, forms);
        }
    }
}

/// Passwords where none belong: a typing error must not end in a log.
fn send_passwords_to_wrong_places(server: &Server, password: &str) {
    let encoded = base64::encode(password);
    let mut pop = server.pop_client();
    for line in [
        format!("PASS {password}"),
        format!("PAS {password}"),
        format!("USER bob {password}"),
        format!("AUTH PLAIN {encoded}"),
        password.to_owned(),
        "QUIT".to_owned(),
    ] {
        pop.send(&line);
    }
    let _ = pop.rest();
    let mut smtp = server.smtp_client();
    for line in [
        format!("PASS {password}"),
        format!("AUTH PLAIN {encoded}"),
        format!("AUTH CRAM-MD5 {encoded}"),
        format!("HELO {password} {password}"),
        password.to_owned(),
        encoded,
    ] {
        smtp.ask(&line, "5");
    }
    smtp.ask("AUTH LOGIN", "334 ");
    smtp.ask(&base64::encode("bob"), "334 ");
    smtp.ask(&format!("{password}!"), "501 ");
}

#[test]
fn no_password_of_a_login_is_written_anywhere() {
    let site = Site::nwauth().user("bob", RIGHT);
    let server = site.serve();
    for way in Way::ALL {
        assert!(way.answer(&server, "bob", RIGHT).starts_with(way.yes()));
        assert!(way.answer(&server, "bob", WRONG).starts_with(way.no()));
        assert!(way.answer(&server, "nobody", WRONG).starts_with(way.no()));
    }
    send_passwords_to_wrong_places(&server, MISPLACED);
    site.set_user("bob", CHANGED);
    assert!(Way::PopUser.answer(&server, "bob", CHANGED).starts_with("+OK"));
    let check = site.dmail(&["authent", "check"], &["bob"], &format!("{WRONG}\n"));
    let explain = site.dmail(&["explain"], &["bob", "--check"], &format!("{CHANGED}\n"));
    let forms = forms("bob", &[RIGHT, WRONG, CHANGED, MISPLACED]);
    for said in [check, explain] {
        assert_holds_none(Path::new("its output"), said.text().as_bytes(), &forms);
        assert_holds_none(Path::new("its errors"), said.err.as_bytes(), &forms);
    }
    assert_no_command_line_holds(&forms);
    server.stop();
    // The whole folder: with standard error, and the user base itself.
    assert_no_file_holds(site.folder(), &forms);
}

#[test]
fn no_password_is_written_when_a_module_fails_or_tells() {
    // The module's own record of its requests would hold them all.
    let site = Site::with_module(&module::command("good")).set("authent_timeout 2");
    let server = site.serve();
    assert!(Way::PopUser.answer(&server, "bob", OF_THE_MODULE).starts_with("+OK"));
    let faults = ["dead", "hang", "crash", "crashmid", "garbage", "twice", "overlong", "tells"];
    for user in faults {
        for way in [Way::PopPlain, Way::SmtpLogin] {
            let answer = way.answer(&server, user, WRONG);
            assert!(!answer.contains(WRONG) && !answer.starts_with(way.yes()), "{user}: {answer}");
        }
    }
    // What the line cannot carry is refused, and not repeated.
    let blanks = format!("{WRONG} and {MISPLACED}");
    assert!(Way::PopPlain.answer(&server, "bob", &blanks).starts_with("-ERR [AUTH]"));
    let forms = forms("bob", &[OF_THE_MODULE, WRONG, MISPLACED]);
    assert_no_command_line_holds(&forms);
    server.stop();
    assert_no_file_holds(site.folder(), &forms);
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(
        log.contains("cannot check tells with password"),
        "what the module said is kept: {log}"
    );
}
