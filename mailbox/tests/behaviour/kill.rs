//! Processes killed at random instants: what was acknowledged is there, and
//! nothing is there in part.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::kit::{HOME, child, deliver, drop_file, open, random_below, read_all};

const ROUNDS: u64 = 30;

/// The variable with the first number that a child uses.
const FIRST: &str = "MAILBOX_TEST_FIRST";

/// Message `number`. Some are longer than any buffer.
fn message(number: u64) -> String {
    let line = format!("From line {number}\n");
    let lines = if number.is_multiple_of(5) { 8_000 } else { 40 };
    format!("Subject: {number}\n\n{}", line.repeat(lines))
}

/// Tells the parent something, at once.
fn tell(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n{line}").and_then(|()| out.flush()).expect("a parent");
}

/// Lets up to `most` pass, without giving the processor away: the instant of a
/// kill must not depend on the scheduler's clock.
fn spin_up_to(most: Duration) {
    let micros = u64::try_from(most.as_micros()).expect("a short time");
    let until = Instant::now() + Duration::from_micros(random_below(micros));
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Not a test of its own: delivers until it is killed, each third message to
/// two mailboxes, and tells every number that was taken.
#[test]
fn child_that_delivers() {
    let (Ok(home), Ok(first)) = (std::env::var(HOME), std::env::var(FIRST)) else {
        return;
    };
    let both = ["amy", "bob"].map(|name| drop_file(Path::new(&home), name));
    for number in first.parse::<u64>().expect("a number").. {
        let targets: &[_] = if number.is_multiple_of(3) { &both } else { &both[..1] };
        deliver(targets, message(number).as_bytes()).expect("delivered");
        tell(&format!("taken {number}"));
    }
}

/// Runs the child until it has told some numbers, kills it, and gives all that
/// it told.
fn numbers_taken(home: &Path, first: u64) -> Vec<u64> {
    let mut command = child("kill::child_that_delivers", home);
    let mut deliverer = command.env(FIRST, first.to_string()).spawn().expect("a child");
    let mut said = BufReader::new(deliverer.stdout.take().expect("its output")).lines();
    let number = |line: String| line.strip_prefix("taken ").and_then(|number| number.parse().ok());
    let enough = random_below(6) as usize;
    let mut taken: Vec<u64> =
        said.by_ref().map_while(Result::ok).filter_map(number).take(enough + 1).collect();
    spin_up_to(Duration::from_millis(6));
    deliverer.kill().expect("a child to kill");
    deliverer.wait().expect("its end");
    taken.extend(said.map_while(Result::ok).filter_map(number));
    taken
}

/// How often each number is in the mailbox. Every message must be whole.
fn numbers_in(home: &Path, name: &str) -> BTreeMap<u64, usize> {
    let mut numbers = BTreeMap::new();
    for content in read_all(&open(&drop_file(home, name))) {
        let text = String::from_utf8(content).expect("text").replace("\r\n", "\n");
        let subject = text.lines().next().and_then(|line| line.strip_prefix("Subject: "));
        let number = subject.expect("a subject").parse().expect("a number");
        assert!(text == message(number), "message {number} is whole");
        *numbers.entry(number).or_default() += 1;
    }
    numbers
}

#[test]
fn a_killed_delivery_loses_nothing_and_leaves_nothing_in_part() {
    let home = tempfile::tempdir().expect("a directory");
    for round in 0..ROUNDS {
        let taken = numbers_taken(home.path(), round * 1000);
        let started = Instant::now();
        let (amy, bob) = (numbers_in(home.path(), "amy"), numbers_in(home.path(), "bob"));
        assert!(started.elapsed() < Duration::from_secs(5), "usable at once");
        for number in &taken {
            assert_eq!(amy.get(number), Some(&1), "{number} in amy");
            let in_bob = number.is_multiple_of(3).then_some(1);
            assert_eq!(bob.get(number).copied(), in_bob, "{number} in bob");
        }
        assert!(amy.values().chain(bob.values()).all(|count| *count == 1));
        // One may be there that was killed before it could say so.
        let found = amy.range(round * 1000..).count();
        assert!(found - taken.len() <= 1, "{taken:?} {amy:?}");
        // Every other round finds the mail of the one before.
        if round % 2 == 1 {
            for name in ["amy", "bob"] {
                let mailbox = open(&drop_file(home.path(), name));
                let all = vec![true; mailbox.len()];
                mailbox.commit(&all).expect("committed");
            }
        }
    }
    let left: Vec<_> = fs::read_dir(home.path()).expect("a list").collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// Not a test of its own: deletes every other message.
#[test]
fn child_that_deletes() {
    let (Ok(home), Err(_)) = (std::env::var(HOME), std::env::var(FIRST)) else {
        return;
    };
    let mailbox = open(&drop_file(Path::new(&home), "amy"));
    let deleted: Vec<bool> = (0..mailbox.len()).map(|index| index % 2 == 0).collect();
    tell("ready");
    mailbox.commit(&deleted).expect("committed");
    tell("done");
}

#[test]
fn a_killed_session_has_deleted_everything_or_nothing() {
    let mut outcomes = BTreeMap::new();
    for _ in 0..ROUNDS {
        let home = tempfile::tempdir().expect("a directory");
        let amy = drop_file(home.path(), "amy");
        for number in 0..8 {
            deliver(std::slice::from_ref(&amy), message(number).as_bytes()).expect("delivered");
        }
        let mut command = child("kill::child_that_deletes", home.path());
        let mut session = command.spawn().expect("a child");
        let mut said = BufReader::new(session.stdout.take().expect("its output"))
            .lines()
            .map_while(Result::ok)
            .filter(|line| line == "ready" || line == "done");
        assert_eq!(said.next().as_deref(), Some("ready"));
        spin_up_to(Duration::from_millis(12));
        session.kill().expect("a child to kill");
        session.wait().expect("its end");
        let was_told = said.next().is_some();

        let left: Vec<u64> = numbers_in(home.path(), "amy").into_keys().collect();
        let is_after = left == [1, 3, 5, 7];
        assert!(is_after || (left == [0, 1, 2, 3, 4, 5, 6, 7] && !was_told), "{left:?}");
        *outcomes.entry((is_after, was_told)).or_insert(0) += 1;
    }
    eprintln!("(deleted, told): {outcomes:?}");
}
