//! Conversations as they would be written down.

use super::Closing;
use super::scripted::World;
use crate::config::SessionLimits;
use crate::session::OUTPUT_BYTES;

const WRONG: &str = "S: -ERR [AUTH] wrong user name or password";
const LOGIN: [&str; 4] = [
    "C: USER bob",
    "S: +OK now the password",
    "C: PASS secret word",
    "S: +OK bob has 2 messages (45 octets)",
];

/// Two messages, of 31 and 14 octets.
fn inbox() -> Vec<String> {
    vec!["Subject: 1\r\n\r\none\r\n.two\r\nlast\r\n".to_owned(), "A: b\r\n\r\nbody\r\n".to_owned()]
}

/// Holds `conversation` against a session, line by line.
fn hold(world: &mut World, conversation: &[&str]) {
    let mut heard: Vec<String> = Vec::new();
    for line in conversation {
        if let Some(said) = line.strip_prefix("C: ") {
            assert_eq!(heard, [""; 0], "left over before {line:?}");
            let reply = world.say(said);
            assert!(reply.ends_with("\r\n"), "{reply:?}");
            heard =
                reply[..reply.len() - 2].split("\r\n").map(|line| format!("S: {line}")).collect();
        } else {
            assert!(!heard.is_empty(), "nothing was said where {line:?} should be");
            assert_eq!(heard.remove(0), *line);
        }
    }
    assert_eq!(heard, [""; 0], "left over at the end");
}

fn check(conversation: &[&str]) -> World {
    let mut world = World::new(&inbox(), true, SessionLimits::default());
    hold(&mut world, conversation);
    world
}

fn check_logged_in(conversation: &[&str]) -> World {
    check(&[&LOGIN, conversation].concat())
}

#[test]
fn a_user_logs_in_looks_around_and_leaves() {
    let world = check_logged_in(&[
        "C: STAT",
        "S: +OK 2 45",
        "C: LIST",
        "S: +OK 2 messages (45 octets)",
        "S: 1 31",
        "S: 2 14",
        "S: .",
        "C: LIST 2",
        "S: +OK 2 14",
        "C: UIDL",
        "S: +OK 2 messages (45 octets)",
        "S: 1 uid-0",
        "S: 2 uid-1",
        "S: .",
        "C: UIDL 1",
        "S: +OK 1 uid-0",
        "C: NOOP",
        "S: +OK nothing done",
        "C: QUIT",
        "S: +OK goodbye",
    ]);
    assert_eq!(world.closed, Some(Closing::Quit));
    assert_eq!(world.committed, None, "nothing was deleted, so nothing is written");
}

#[test]
fn messages_are_sent_with_their_dots_stuffed() {
    let world = check_logged_in(&[
        "C: RETR 1",
        "S: +OK 31 octets",
        "S: Subject: 1",
        "S: ",
        "S: one",
        "S: ..two",
        "S: last",
        "S: .",
        "C: TOP 1 1",
        "S: +OK top of message follows",
        "S: Subject: 1",
        "S: ",
        "S: one",
        "S: .",
        "C: TOP 1 0",
        "S: +OK top of message follows",
        "S: Subject: 1",
        "S: ",
        "S: .",
        "C: QUIT",
        "S: +OK goodbye",
    ]);
    let tally = world.session.tally();
    assert_eq!((tally.retrieved, tally.octets), (1, 31 + 19 + 14));
}

#[test]
fn deletions_are_marks_until_quit() {
    let world = check_logged_in(&[
        "C: DELE 1",
        "S: +OK message 1 will be deleted at QUIT",
        "C: DELE 1",
        "S: -ERR the message is deleted",
        "C: RETR 1",
        "S: -ERR the message is deleted",
        "C: UIDL 1",
        "S: -ERR the message is deleted",
        "C: STAT",
        "S: +OK 1 14",
        "C: LIST",
        "S: +OK 1 messages (14 octets)",
        "S: 2 14",
        "S: .",
        "C: RSET",
        "S: +OK 2 messages (45 octets)",
        "C: STAT",
        "S: +OK 2 45",
        "C: DELE 2",
        "S: +OK message 2 will be deleted at QUIT",
        "C: QUIT",
        "S: +OK goodbye",
    ]);
    assert_eq!(world.committed, Some(vec![inbox().remove(0)]));
    assert_eq!(world.session.tally().deleted, 1);
}

#[test]
fn deletions_that_fail_are_not_reported_as_done() {
    let inbox = ["sticky\r\n".to_owned()];
    let mut world = World::new(&inbox, true, SessionLimits::default());
    hold(
        &mut world,
        &[
            "C: USER bob",
            "S: +OK now the password",
            "C: PASS secret word",
            "S: +OK bob has 1 messages (8 octets)",
            "C: DELE 1",
            "S: +OK message 1 will be deleted at QUIT",
            "C: QUIT",
            "S: -ERR [SYS/TEMP] some deleted messages not removed",
        ],
    );
    assert_eq!(world.closed, Some(Closing::Quit));
    assert_eq!(world.session.tally().deleted, 0);
}

#[test]
fn a_message_that_cannot_be_read_leaves_no_half_reply() {
    let inbox = ["unreadable\r\n".to_owned()];
    let mut world = World::new(&inbox, true, SessionLimits::default());
    hold(
        &mut world,
        &[
            "C: USER bob",
            "S: +OK now the password",
            "C: PASS secret word",
            "S: +OK bob has 1 messages (12 octets)",
            "C: RETR 1",
            "S: -ERR [SYS/TEMP] the mailbox cannot be used now, please try again later",
            "C: STAT",
            "S: +OK 1 12",
        ],
    );
}

#[test]
fn auth_plain_comes_in_one_line_or_in_two() {
    // base64 of NUL bob NUL secret word
    check(&[
        "C: AUTH PLAIN AGJvYgBzZWNyZXQgd29yZA==",
        "S: +OK bob has 2 messages (45 octets)",
        "C: AUTH PLAIN",
        "S: -ERR you are logged in already",
    ]);
    check(&[
        "C: AUTH",
        "S: +OK mechanisms follow",
        "S: PLAIN",
        "S: .",
        "C: AUTH PLAIN",
        "S: + ",
        "C: *",
        "S: -ERR authentication cancelled",
        "C: AUTH PLAIN",
        "S: + ",
        "C: STAT",
        "S: -ERR the response does not follow the mechanism",
        "C: STAT",
        "S: -ERR log in first",
        "C: auth plain",
        "S: + ",
        "C: AGJvYgBzZWNyZXQgd29yZA==",
        "S: +OK bob has 2 messages (45 octets)",
    ]);
}

#[test]
fn every_kind_of_no_has_the_same_text() {
    let long = format!("C: USER {}", "a".repeat(79));
    let authorization_for_root = "C: AUTH PLAIN cm9vdABib2IAc2VjcmV0IHdvcmQ=";
    for login in [
        ["C: USER bob", "C: PASS secret"],
        ["C: USER bob", "C: PASS"],
        ["C: USER bob", "C: PASS secret word "],
        ["C: USER nobody", "C: PASS secret word"],
        ["C: USER throttled", "C: PASS secret word"],
        ["C: USER closed", "C: PASS secret"],
        ["C: USER bob smith", "C: PASS secret word"],
        [&long, "C: PASS secret word"],
        ["C: USER bob", authorization_for_root],
    ] {
        check(&[login[0], "S: +OK now the password", login[1], WRONG]);
    }
}

#[test]
fn whoever_has_the_password_is_told_that_the_account_is_closed() {
    check(&[
        "C: USER closed",
        "S: +OK now the password",
        "C: PASS secret word",
        "S: -ERR [AUTH] this account is closed",
    ]);
}

#[test]
fn trouble_of_ours_is_never_a_wrong_password() {
    let rows = [
        ("down", "[SYS/TEMP] a login is not possible now, please try again later"),
        ("inuse", "[IN-USE] the mailbox is in use by another session"),
        ("broken", "[SYS/PERM] the mailbox cannot be used, please tell the postmaster"),
    ];
    for (user, text) in rows {
        check(&[
            &format!("C: USER {user}"),
            "S: +OK now the password",
            "C: PASS secret word",
            &format!("S: -ERR {text}"),
            // The name must be given again.
            "C: PASS secret word",
            "S: -ERR send USER first",
            LOGIN[0],
            LOGIN[1],
            LOGIN[2],
            LOGIN[3],
        ]);
    }
}

#[test]
fn guessing_and_junk_end_the_connection() {
    let world = check(&[
        "C: USER bob",
        "S: +OK now the password",
        "C: PASS 1",
        WRONG,
        "C: USER bob",
        "S: +OK now the password",
        "C: PASS 2",
        WRONG,
        "C: AUTH PLAIN AGJvYgAx",
        WRONG,
    ]);
    assert_eq!(world.closed, Some(Closing::FailedLogins));

    let junk = ["C: GET / HTTP/1.1", "S: -ERR unknown command"];
    assert_eq!(check(&junk.repeat(5)).closed, Some(Closing::Mistakes));
    assert_eq!(check_logged_in(&junk.repeat(19)).closed, None);
    assert_eq!(check_logged_in(&junk.repeat(20)).closed, Some(Closing::Mistakes));
}

#[test]
fn commands_of_the_other_state_are_refused() {
    check(&["C: STAT", "S: -ERR log in first", "C: RETR 1", "S: -ERR log in first"]);
    check(&["C: PASS secret word", "S: -ERR send USER first"]);
    check_logged_in(&["C: USER bob", "S: -ERR you are logged in already"]);
    check_logged_in(&[
        "C: RETR 0",
        "S: -ERR no such message",
        "C: RETR 3",
        "S: -ERR no such message",
        "C: DELE 99999999999",
        "S: -ERR no such message",
        "C: UIDL 3",
        "S: -ERR no such message",
        "C: TOP 3 1",
        "S: -ERR no such message",
        "C: RETR one",
        "S: -ERR expected: RETR message",
        "C: DELE 1\0",
        "S: -ERR line holds a NUL byte",
        "C: APOP bob 0",
        "S: -ERR this way to log in is not offered",
    ]);
    let world = check(&["C: QUIT", "S: +OK goodbye"]);
    assert_eq!(world.closed, Some(Closing::Quit));
}

#[test]
fn capa_is_the_same_in_both_states_and_offers_logins_only_where_allowed() {
    let always = [
        "C: CAPA",
        "S: +OK capabilities follow",
        "S: TOP",
        "S: UIDL",
        "S: RESP-CODES",
        "S: AUTH-RESP-CODE",
        "S: PIPELINING",
        "S: IMPLEMENTATION dmail",
    ];
    let open = [always.as_slice(), &["S: USER", "S: SASL PLAIN", "S: ."]].concat();
    check(&open);
    check_logged_in(&open);

    let mut world = World::new(&inbox(), false, SessionLimits::default());
    hold(&mut world, &[always.as_slice(), &["S: ."]].concat());
    let refused = "S: -ERR a login needs an encrypted connection";
    hold(
        &mut world,
        &[
            "C: AUTH",
            "S: +OK mechanisms follow",
            "S: .",
            "C: USER bob",
            refused,
            "C: PASS secret word",
            refused,
            "C: AUTH PLAIN",
            refused,
            "C: AUTH PLAIN AGJvYgBzZWNyZXQgd29yZA==",
            refused,
        ],
    );
}

#[test]
fn a_long_listing_is_made_in_bounded_pieces() {
    let inbox = vec!["x\r\n".to_owned(); 20_000];
    let mut world = World::new(&inbox, true, SessionLimits::default());
    world.say("USER bob");
    world.say("PASS secret word");
    for command in ["LIST", "UIDL"] {
        let mut out = Vec::new();
        let input = crate::command::parse(command.as_bytes()).map(super::Input::Command);
        let mut step = world.session.act(input, &mut out);
        let mut lines = 0;
        let mut pieces = 0;
        loop {
            if let super::Step::Name(_) = step {
                let uids = (0..inbox.len()).map(|index| index.to_string());
                step = world.session.named(Ok(uids.collect()), &mut out);
            }
            assert!(out.len() < OUTPUT_BYTES + 100, "{} bytes", out.len());
            lines += out.iter().filter(|byte| **byte == b'\n').count();
            pieces += 1;
            out.clear();
            match step {
                super::Step::Resume => step = world.session.resume(&mut out),
                step => break assert!(matches!(step, super::Step::Listen)),
            }
        }
        assert_eq!(lines, inbox.len() + 2, "{command}");
        assert!(pieces > 2, "{command}");
    }
}

#[test]
fn the_greeting_has_no_timestamp_and_a_stop_says_so() {
    let mut world = World::new(&inbox(), true, SessionLimits::default());
    let mut out = Vec::new();
    world.session.greet("pop.example", &mut out);
    world.session.stop(&mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "+OK pop.example POP3 server ready\r\n-ERR [SYS/TEMP] server is going down\r\n"
    );
}
