//! The program with `authent_method ldap`.

use std::fs;

use dmail_tests::login::Way;
use dmail_tests::peer::slapd::{READER, SUFFIX, Slapd};
use dmail_tests::program;
use dmail_tests::site::Site;

fn site(slapd: &Slapd, further: &str) -> Site {
    let site = Site::new("authent_method ldap\nauthent_ini ldapauth.ini\n");
    let (dn, password) = READER;
    fs::write(site.home().join("reader.password"), format!("{password}\n")).expect("room");
    let settings = format!(
        "ldap_server {}\nldap_bind_dn {dn}\nldap_bind_password_file reader.password\n\
         ldap_base {SUFFIX}\nldap_search_name uid\n{further}",
        slapd.url()
    );
    fs::write(site.home().join("ldapauth.ini"), settings).expect("room");
    site
}

#[test]
fn mail_clients_log_in_with_their_passwords_in_the_directory() {
    let slapd = Slapd::with_users(3);
    let site = site(&slapd, "");
    let server = site.serve();
    for way in Way::ALL {
        let yes = way.answer(&server, "user1", "secret1");
        assert!(yes.starts_with(way.yes()), "{way:?}: {yes}");
        for (user, password) in [("user1", "guess"), ("nobody", "secret1")] {
            let no = way.answer(&server, user, password);
            assert!(no.starts_with(way.no()), "{way:?}: {no}");
        }
    }
    server.stop();
}

#[test]
fn the_command_line_asks_the_directory() {
    let mut slapd = Slapd::with_users(3);
    let site = site(&slapd, "");
    let said = site.dmail(&["authent", "check"], &["user1"], "secret1\n").success();
    assert!(said.text().starts_with("+OK user1 "), "{}", said.text());
    let said = site.dmail(&["authent", "check"], &["user1"], "guess\n");
    assert!(said.text().starts_with("-ERR "), "{}", said.text());
    let said = site.dmail(&["authent", "search"], &["user*"], "").success();
    assert!(said.text().contains("user2"), "{}", said.text());
    let said = site.dmail(&["authent", "del"], &["user1"], "");
    assert!(said.text().contains("ldap_readonly"), "{}{}", said.text(), said.err);
    slapd.kill();
    let said = site.dmail(&["authent", "check"], &["user1"], "secret1\n");
    assert_eq!((said.code, said.text().starts_with("-DEAD")), (Some(75), true), "{}", said.text());
}

#[test]
fn a_wrong_file_is_shown_before_anything_starts() {
    let slapd = Slapd::with_users(1);
    let site = site(&slapd, "ldap_ca_file none.pem\nldap_starttls true\nldap_scoop sub\n");
    let config = site.config().display().to_string();
    let said = program::run(program::dmail(&["check-config", &config]), "");
    let text = format!("{}{}", said.text(), said.err);
    assert_ne!(said.code, Some(0), "{text}");
    for expected in ["ldapauth.ini", "none.pem", "did you mean `ldap_scope`"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
