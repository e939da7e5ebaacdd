//! The users of DNews, through the servers.

use std::fs;

use dmail_tests::login::Way;
use dmail_tests::site::Site;

#[test]
fn the_users_of_dnews_log_in_and_are_found() {
    let site = Site::new("authent_method dnauth\nauthent_ini dnauth.ini\n").set("authent_cache 0");
    fs::write(site.home().join("dnauth.ini"), "users_file users/users.dat\n").expect("written");
    let users = site.home().join("users/users.dat");
    fs::write(&users, "bob:bobs password:Full:*:Bob Jones:staff:quota=\"5M\"\nbroken line\n")
        .expect("written");
    let server = site.serve();
    for way in Way::ALL {
        let yes = way.answer(&server, "bob", "bobs password");
        assert!(yes.starts_with(way.yes()), "{way:?}: {yes}");
        let no = way.answer(&server, "bob", "guess");
        assert!(no.starts_with(way.no()), "{way:?}: {no}");
    }
    server.smtp_client().deliver(&["bob@corp.example"], "Subject: hello\r\n\r\n");
    assert_eq!(site.messages(&server, "bob", "bobs password").len(), 1);

    let found = site.dmail(&["authent", "search"], &["jones"], "").success().text();
    let bob = "+DATA bob quota=\"5M\" name=\"Bob Jones\" usergroups=\"staff\"\n";
    assert_eq!(found, format!("{bob}+OK Search Complete 1 items found out of 1\n"));
    let refused = site.dmail(&["authent", "del"], &["bob"], "");
    assert_eq!(refused.code, Some(1), "{}", refused.text());

    // A change is seen at once; a file that is gone is no "no".
    fs::write(&users, "bob:another\nann:hers\n").expect("written");
    assert!(Way::PopUser.answer(&server, "bob", "another").starts_with("+OK"));
    assert!(Way::PopUser.answer(&server, "ann", "hers").starts_with("+OK"));
    fs::remove_file(&users).expect("removed");
    let later = Way::PopUser.answer(&server, "ann", "hers");
    assert!(later.starts_with(Way::PopUser.later()), "{later}");
    server.stop();
    let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    assert!(log.contains("users.dat:2: this line is not used"), "{log}");
    assert!(!log.contains("bobs password") && !log.contains("another"), "{log}");
}
