//! Account states and access lists, through the real servers.

use dmail_tests::login::Way;
use dmail_tests::server::Server;
use dmail_tests::site::Site;

/// Adds a user with these info fields, password "s3cret".
fn add(site: &Site, name: &str, info: &[&str]) {
    let mut words = vec![name];
    words.extend(info);
    let _ = site.dmail(&["authent", "set"], &words, "s3cret\n").success();
}

/// What DSMTP says to a message for `name`.
fn recipient(server: &Server, name: &str) -> String {
    let mut client = server.smtp_client();
    client.ask("MAIL FROM:<sender@far.example>", "250 ");
    client.try_ask(&format!("RCPT TO:<{name}@corp.example>")).expect("an answer")
}

#[test]
fn an_account_state_refuses_logins_and_mail_and_only_its_owner_learns_of_it() {
    let site = Site::nwauth().set("account_state onhold refuse later Call 555-0100, please");
    let locked = "this account is locked until it is paid for";
    let other = "this account cannot be used, please ask the postmaster";
    let rows = [
        ("ok", None, "250 2.1.5 "),
        ("good", None, "250 2.1.5 "),
        ("paydue", None, "250 2.1.5 "),
        ("payup", Some(locked), "250 2.1.5 "),
        ("suspended", Some("this account is suspended"), "250 2.1.5 "),
        ("cancelled", Some("this account has been cancelled"), "550 5.2.1 "),
        ("banned", Some("this account has been banned"), "550 5.2.1 "),
        ("closed", Some("this account is closed"), "550 5.2.1 "),
        ("onhold", Some("Call 555-0100, please"), "450 4.2.1 "),
        ("supsended", Some(other), "250 2.1.5 "),
    ];
    for (state, ..) in rows {
        add(&site, &format!("u-{state}"), &[&format!("mailstatus={state}")]);
    }
    let server = site.serve();
    for (state, refused, mail) in rows {
        let user = format!("u-{state}");
        for way in [Way::PopUser, Way::PopPlain, Way::SmtpPlain] {
            let pop = matches!(way, Way::PopUser | Way::PopPlain);
            // Twice: the second time from memory.
            for _ in 0..2 {
                let answer = way.answer(&server, &user, "s3cret");
                match refused {
                    None => assert!(answer.starts_with(way.yes()), "{user} {way:?}: {answer}"),
                    Some(text) if pop => assert_eq!(answer, format!("-ERR [AUTH] {text}")),
                    Some(text) => assert_eq!(answer, format!("535 5.7.13 {text}")),
                }
            }
            let wrong = way.answer(&server, &user, "guess");
            assert_eq!(wrong, way.answer(&server, "nobody", "guess"), "{user}: a wrong password");
        }
        let said = recipient(&server, &user);
        assert!(said.starts_with(mail), "{user}: {said}");
    }
    // The administrator sees them all.
    let looked = site.dmail(&["authent", "lookup"], &["u-closed"], "").success();
    assert!(looked.text().contains("mailstatus=\"closed\""), "{}", looked.text());
    let log = std::fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("unknown mailstatus") && log.contains("supsended"), "{log}");
    server.stop();
}

#[test]
fn an_access_list_limits_where_a_user_may_log_in() {
    let site = Site::nwauth()
        .set("access_group webonly web *")
        .set("access_group here pop3 127.0.0.0/8,::1")
        .set("access_group here smtp 192.0.2.0/24");
    let rows = [
        ("everywhere", "", true, true),
        ("web", "webonly", false, false),
        ("pop", "here", true, false),
        ("both", "webonly,here smtp:127.0.0.1", true, true),
        ("own", "pop3:192.0.2.1 smtp:127.0.0.0/8", false, true),
        ("slip", "nosuchgroup", false, false),
    ];
    for (user, list, ..) in rows {
        add(&site, user, &[&format!("mailaccess={list}")]);
    }
    let server = site.serve();
    for (user, _, pop, smtp) in rows {
        for (way, allowed) in [(Way::PopUser, pop), (Way::SmtpPlain, smtp)] {
            let answer = way.answer(&server, user, "s3cret");
            let text = "this account may not be used for this service from here";
            match (allowed, way) {
                (true, _) => assert!(answer.starts_with(way.yes()), "{user} {way:?}: {answer}"),
                (false, Way::PopUser) => assert_eq!(answer, format!("-ERR [AUTH] {text}")),
                (false, _) => assert_eq!(answer, format!("535 5.7.1 {text}")),
            }
            let wrong = way.answer(&server, user, "guess");
            assert_eq!(wrong, way.answer(&server, "nobody", "guess"), "{user}: a wrong password");
        }
        assert!(recipient(&server, user).starts_with("250 "), "mail is not limited");
    }
    server.stop();
}

#[test]
fn explain_says_what_state_and_access_list_decide() {
    let site = Site::nwauth().set("access_group webonly web *");
    add(&site, "gone", &["mailstatus=closed"]);
    add(&site, "web", &["mailaccess=webonly"]);
    let explain = |arguments: &[&str]| {
        let said = site.dmail(&["explain"], arguments, "s3cret\n");
        (said.code, said.text())
    };
    let (code, text) = explain(&["gone", "--check", "--service", "pop3"]);
    assert!(text.contains("the account state \"closed\" refuses logins"), "{text}");
    assert!(text.contains("account-disabled"), "{text}");
    assert_eq!(code, Some(1));
    let (code, text) = explain(&["gone", "--check"]);
    assert!(text.contains("the administrator is not limited; others: "), "{text}");
    assert_eq!(code, Some(0));
    let pop = ["web", "--check", "--service", "pop3", "--ip", "192.0.2.7"];
    let (code, text) = explain(&pop);
    assert!(text.contains("no pop3 login from 192.0.2.7, by the access list"), "{text}");
    assert_eq!(code, Some(1));
    let (code, _) = explain(&["web", "--check", "--service", "web", "--ip", "192.0.2.7"]);
    assert_eq!(code, Some(0));
}

#[test]
fn a_bad_line_is_blamed_for_what_is_wrong_with_it() {
    let rows = [
        ("account_state closed deny accept", "neither `allow` nor `refuse`"),
        ("access_group office pop *", "not a service: expected `*` or a comma list of"),
        ("access_group office pop3 192.0.2.0/99", "not an address list"),
        ("access_default nosuch", "there is no access group `nosuch`"),
        ("throttle_ipv4_prefix 33", "more than 32"),
    ];
    for (line, expected) in rows {
        let site = Site::nwauth().set(line);
        let config = site.config().display().to_string();
        let said =
            dmail_tests::program::run(dmail_tests::program::dmail(&["check-config", &config]), "");
        assert_eq!(said.code, Some(1), "{line}");
        assert!(said.err.contains(expected), "{line}: {}", said.err);
        assert!(said.err.contains("dmail.conf:"), "{line}: {}", said.err);
    }
}
