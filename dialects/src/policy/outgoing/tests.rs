//! What counts, once, and against which limits.

use super::*;

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

fn limits(messages: &str, recipients: &str) -> Limits {
    let rates = |text| rates(text).expect("rates");
    Limits { messages: rates(messages), recipients: rates(recipients) }
}

/// What comes of `steps`: `m/r` is another recipient r of the message m,
/// and `m=2` its end with two recipients. `.` counts, `M` and `R` do not.
fn run(limits: &Limits, steps: &str) -> String {
    let outgoing = Outgoing::new();
    let step = |step: &str| {
        let (instance, recipients) = match step.split_once('/') {
            Some((instance, address)) => (instance, Recipients::Another(address.as_bytes())),
            None => {
                let (instance, count) = step.split_once('=').expect("a step");
                (instance, Recipients::All(count.parse().expect("a number")))
            }
        };
        let message = Message { instance: instance.as_bytes(), recipients };
        match outgoing.count(&user("Bob"), limits, &message, 5) {
            Ok(()) => '.',
            Err(Beyond { unit: Unit::Messages, .. }) => 'M',
            Err(Beyond { unit: Unit::Recipients, .. }) => 'R',
        }
    };
    steps.split(' ').map(step).collect()
}

#[test]
fn a_message_counts_once_and_its_recipients_as_they_are_at_the_end() {
    for (messages, recipients, steps, expected) in [
        ("2/1h", "none", "a/x a/y a=2 b=9 c=1 a=2 b/z c/x", "....M..M"),
        // Asked of by two restrictions at each recipient.
        ("1/1h", "3/1h", "a/x a/x a/y a/y a/z a/z a/w a=3", "......R."),
        // One recipient was refused by another rule, and is given back.
        ("9/1h", "3/1h", "a/x a/y a/z a=2 b/x b/y b=1 c=1", ".....R.R"),
        ("9/1h", "3/1h", "a=4 a=3 b=1", "R.R"),
        // Two lines for different times: both hold.
        ("1/1m,5/1h", "none", "a=1 b=1", ".M"),
        ("none", "none", "a=99", "."),
    ] {
        assert_eq!(run(&limits(messages, recipients), steps), expected, "{steps}");
    }
}

#[test]
fn a_user_may_have_other_limits_than_all() {
    let usual = limits("200/1h", "500/1h");
    for (info, expected) in [
        ("", usual.clone()),
        (r#"sendlimit="5/1d, 2/1m""#, limits("5/1d,2/1m", "500/1h")),
        (r#"sendlimit="none" rcptlimit="9/1h""#, limits("none", "9/1h")),
        (r#"sendlimit="lots""#, usual.clone()),
    ] {
        let info = info.parse().expect("info");
        assert_eq!(usual.of(&user("bob"), &info), expected, "{info}");
    }
}

#[test]
fn counts_are_shown_and_forgotten_and_follow_other_limits() {
    let outgoing = Outgoing::new();
    let few = limits("2/1h", "none");
    let send = |name: &str, limits: &Limits, instance: &str| {
        let recipients = Recipients::All(1);
        let message = Message { instance: instance.as_bytes(), recipients };
        outgoing.count(&user(name), limits, &message, outgoing.now()).is_ok()
    };
    assert!(send("ann", &few, "a") && send("bob", &few, "b") && send("Bob", &few, "c"));
    assert!(!send("bob", &few, "d"));
    let shown: Vec<String> = outgoing
        .list()
        .iter()
        .map(|used| format!("{} {} of {}", used.user, used.used, used.rate))
        .collect();
    assert_eq!(shown, ["bob 2 of 2/1h", "ann 1 of 2/1h"]);
    // With a higher limit, what was sent still counts.
    let more = limits("3/1h", "none");
    assert!(send("bob", &more, "d") && !send("bob", &more, "e"));
    assert_eq!(outgoing.clear(Some(&user("BOB"))), 1);
    assert!(send("bob", &few, "f"));
    assert_eq!(outgoing.clear(None), 2);
    assert_eq!(outgoing.list(), []);
}

#[test]
fn many_who_send_a_little_do_not_drive_out_who_sent_a_lot() {
    const ROOM: usize = 64 * 16;
    let outgoing = Outgoing::remembering(ROOM);
    let limits = limits("10/1h", "none");
    let send = |name: &str, instance: usize, now: u64| {
        let instance = instance.to_string();
        let message = Message { instance: instance.as_bytes(), recipients: Recipients::All(1) };
        outgoing.count(&user(name), &limits, &message, now).is_ok()
    };
    for message in 0..10 {
        assert!(send("bob", message, 0));
    }
    // Half an hour later, and again and again, users who send their first.
    let flood = |first: usize, now: u64| {
        for other in first..first + 20 * ROOM {
            assert!(send(&format!("user{other}"), other, now));
        }
        assert!(outgoing.logins.len() <= ROOM);
    };
    flood(0, 1_800_000);
    assert!(!send("bob", 10, 1_800_000));
    // What counts no more is no reason to be remembered.
    flood(100 * ROOM, 7_200_000);
    assert!(outgoing.logins.with_present(&user("bob"), |_| ()).is_none());
}
