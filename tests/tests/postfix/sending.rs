//! The policy: what a login may send through Postfix.

use dmail_tests::client::Client;
use dmail_tests::site::Site;
use dmail_tests::{base64, wait};

use crate::kit::{Pair, Switch, add};

const BLOCKS: [&str; 2] = ["logins", "sending"];

#[test]
fn a_login_sends_as_itself_only() {
    let site = || {
        let site = Site::nwauth().user("bob", "s3cret").user("ann", "s3cret");
        add(&site, "rep", &["sendas=info@corp.example,*@shop.example"]);
        site
    };
    let Some(pair) = Pair::start("a_login_sends_as_itself_only", site, &BLOCKS) else { return };
    for (user, from, expected) in [
        ("bob", "bob@corp.example", "250 2.0.0 Ok: queued"),
        ("bob@corp.example", "Bob@Corp.Example", "250 2.0.0 Ok: queued"),
        ("bob", "bob+news@corp.example", "250 2.0.0 Ok: queued"),
        ("bob", "<>", "250 2.0.0 Ok: queued"),
        ("rep", "any@shop.example", "250 2.0.0 Ok: queued"),
        ("bob", "ann@corp.example", "553 5.7.1"),
        ("bob", "bob@far.example", "553 5.7.1"),
        ("bob", "nobody@corp.example", "553 5.7.1"),
    ] {
        let said = pair.send_as(user, from, "away@far.example");
        assert!(said.contains(expected), "{user} as {from}: {said}");
    }
    // Who has not logged in is none of the policy's business.
    let said = pair.send("away@far.example", &["--from", "bob@corp.example"]);
    assert!(said.contains("554 5.7.1") && said.contains("Relay access denied"), "{said}");
}

#[test]
fn a_login_sends_so_much_and_no_more() {
    let site = || {
        let site = Site::nwauth().user("ann", "s3cret");
        add(&site, "few", &["sendlimit=2/1h", "rcptlimit=none"]);
        add(&site, "bob", &["rcptlimit=3/1h"]);
        site
    };
    let Some(pair) = Pair::start("a_login_sends_so_much_and_no_more", site, &BLOCKS) else {
        return;
    };
    let few = |count: usize| {
        let to = vec!["away@far.example"; count].join(",");
        pair.send_as("few", "few@corp.example", &to)
    };
    assert!(few(1).contains("Ok: queued") && few(5).contains("Ok: queued"));
    let said = few(1);
    assert!(said.contains("450 4.7.1") && said.contains("2 messages in 1h"), "{said}");
    // Recipients count, whichever message they are of.
    let said = pair.send_as("bob", "bob@corp.example", "a@far.example,b@far.example");
    assert!(said.contains("Ok: queued"), "{said}");
    let said = pair.send_as("bob", "bob@corp.example", "a@far.example,b@far.example");
    assert!(said.contains("450 4.7.1") && said.contains("3 recipients in 1h"), "{said}");
    // The administrator sees it, a reload forgets nothing, and a word does.
    let list = || pair.site.dmail(&["policy", "list"], &[], "").success().text();
    let shown = list();
    for line in ["few messages=2 limit=2/1h", "bob messages=2 limit=200/1h", "bob recipients=3"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let log = pair.site.home().join("log/dmail.log");
    pair.server.process().signal(nix::sys::signal::Signal::SIGHUP);
    wait::until("the settings are read again", || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        log.contains("reloaded the gateway's settings")
    });
    assert_eq!(list(), shown);
    assert!(few(1).contains("450 4.7.1"));
    let cleared = pair.site.dmail(&["policy", "clear"], &["Few@corp.example"], "").success();
    assert!(cleared.text().contains("1 user forgotten"), "{}", cleared.text());
    assert!(few(1).contains("Ok: queued"));
}

#[test]
fn an_account_that_is_suspended_meanwhile_sends_nothing() {
    let site = || Site::nwauth().set("authent_cache 0").user("bob", "s3cret");
    let test = "an_account_that_is_suspended_meanwhile_sends_nothing";
    let Some(pair) = Pair::start(test, site, &BLOCKS) else { return };
    let mut client = Client::connect(pair.postfix.smtp());
    client.expect("220 ");
    client.ask("EHLO client.example", "250 ");
    client.ask(&format!("AUTH PLAIN {}", base64::plain("bob", "s3cret")), "235 2.7.0");
    client.ask("MAIL FROM:<bob@corp.example>", "250 2.1.0");
    client.ask("RCPT TO:<away@far.example>", "250 2.1.5");
    add(&pair.site, "bob", &["mailstatus=suspended"]);
    let reply = client.ask("RCPT TO:<there@far.example>", "550 5.7.1");
    assert!(reply.contains("this account is suspended"), "{reply}");
    client.ask("DATA", "550 5.7.1");
}

#[test]
fn nothing_is_sent_while_nobody_can_say_whose_it_is() {
    let (site, switch) = Switch::site();
    let test = "nothing_is_sent_while_nobody_can_say_whose_it_is";
    let Some(pair) = Pair::start(test, || site, &BLOCKS) else { return };
    let mut client = Client::connect(pair.postfix.smtp());
    client.expect("220 ");
    client.ask("EHLO client.example", "250 ");
    client.ask(&format!("AUTH PLAIN {}", base64::plain("bob", "s3cret")), "235 2.7.0");
    client.ask("MAIL FROM:<bob@corp.example>", "250 2.1.0");
    for (state, expected) in
        [("down", "451 4.3.5"), ("up", "250 2.1.5"), ("slow", "451 4.3.5"), ("up", "250 2.1.5")]
    {
        switch.to(state);
        client.ask("RCPT TO:<away@far.example>", expected);
    }
}
