//! Our users as Postfix' virtual mailboxes and aliases.

use std::fs;

use dmail_tests::site::Site;
use dmail_tests::wait;

use crate::kit::{Pair, Switch, add};

#[test]
fn postmap_finds_what_each_map_holds() {
    let site = || {
        let site = Site::nwauth().set("host_domain shop.example");
        add(&site, "bob", &["quota=5000000"]);
        add(&site, "info", &["fwd=bob, ann@far.example"]);
        add(&site, "gone", &["mailstatus=closed"]);
        add(&site, "robot", &["fwd=|/bin/robot"]);
        site
    };
    let Some(pair) = Pair::start("postmap_finds_what_each_map_holds", site, &["addresses"]) else {
        return;
    };
    let drop_file = pair.site.drop_file("bob").display().to_string();
    let drop_file = drop_file.trim_start_matches('/');
    for (map, key, expected) in [
        ("vdomain", "corp.example", "OK"),
        ("vdomain", "shop.example", "OK"),
        ("vdomain", "far.example", ""),
        ("vmailbox", "bob@corp.example", drop_file),
        ("vmailbox", "Bob@Shop.Example", drop_file),
        ("vmailbox", "bob+x@corp.example", drop_file),
        ("vmailbox", "nobody+x@corp.example", ""),
        ("vmailbox", "nobody@corp.example", ""),
        ("vmailbox", "gone@corp.example", ""),
        ("vmailbox", "@corp.example", ""),
        ("vmailbox", "bob", ""),
        ("valias", "info@corp.example", "bob@corp.example,ann@far.example"),
        ("valias", "bob@corp.example", ""),
        ("valias", "robot@corp.example", ""),
        ("valias", "bob+x@corp.example", "bob@corp.example"),
        ("sender_login", "bob@corp.example", "bob"),
        ("sender_login", "bob@shop.example", "bob"),
        ("sender_login", "bob+x@corp.example", "bob"),
        ("sender_login", "bob@far.example", ""),
        ("quota", "bob@corp.example", "5000000"),
        ("transport", "corp.example", ""),
    ] {
        let said = pair.postfix.postmap(key, &format!("socketmap:unix:private/dmail-maps:{map}"));
        assert_eq!(said.text().trim_end(), expected, "{map} {key}: {}", said.err);
        let code = if expected.is_empty() { Some(1) } else { Some(0) };
        assert_eq!(said.code, code, "{map} {key}: {}", said.err);
    }
}

#[test]
fn postfix_delivers_into_our_drop_files() {
    let site = || {
        let site = Site::nwauth().user("bob", "s3cret").user("ann", "s3cret");
        add(&site, "info", &["fwd=$user, ann"]);
        site
    };
    let Some(pair) = Pair::start("postfix_delivers_into_our_drop_files", site, &["addresses"])
    else {
        return;
    };
    for recipient in ["bob@corp.example", "bob+news@corp.example", "info@corp.example"] {
        let said = pair.send(recipient, &[]);
        assert!(said.contains("250 2.0.0 Ok: queued"), "{recipient}: {said}");
    }
    for recipient in ["nobody@corp.example", "nobody+x@corp.example"] {
        let said = pair.send(recipient, &[]);
        assert!(said.contains("550 5.1.1"), "{recipient}: {said}");
    }
    for (user, count) in [("bob", 2), ("ann", 1), ("info", 1)] {
        let file = pair.site.drop_file(user);
        let messages = || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            text.lines().filter(|line| *line == "Subject: hello").count()
        };
        wait::until(&format!("{user} has mail: {}", pair.postfix.log()), || messages() == count);
    }
}

#[test]
fn mail_waits_while_nobody_knows_the_addresses() {
    let (site, switch) = Switch::site();
    let test = "mail_waits_while_nobody_knows_the_addresses";
    let Some(pair) = Pair::start(test, || site, &["addresses"]) else { return };
    for (state, expected) in
        [("up", "250 2.1.5 Ok"), ("down", "451 4.3.0"), ("slow", "451 4.3.0"), ("up", "250 2.1.5")]
    {
        switch.to(state);
        let said = pair.send("bob@corp.example", &["--quit-after", "RCPT"]);
        assert!(said.contains(expected), "{state}: {said}");
    }
}
