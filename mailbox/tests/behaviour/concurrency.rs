//! Many threads deliver while sessions read and delete.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kit::{deliver, drop_file, open, read_all};

const WRITERS: usize = 8;
const MESSAGES_EACH: usize = 25;

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let home = tempfile::tempdir().expect("a directory");
    let bob = drop_file(home.path(), "bob");
    let writing = AtomicUsize::new(WRITERS);
    let mut seen: HashMap<String, usize> = HashMap::new();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (bob, writing) = (&bob, &writing);
            scope.spawn(move || {
                for number in 0..MESSAGES_EACH {
                    let text = format!("Subject: {writer}-{number}\n\nFrom here on\n");
                    deliver(std::slice::from_ref(bob), text.as_bytes()).expect("delivered");
                }
                writing.fetch_sub(1, Ordering::Release);
            });
        }
        loop {
            let last_round = writing.load(Ordering::Acquire) == 0;
            let mailbox = open(&bob);
            // Every other message stays for the next session, except at the end.
            let deleted: Vec<bool> =
                (0..mailbox.len()).map(|index| last_round || index % 2 == 0).collect();
            for (message, _) in read_all(&mailbox).iter().zip(&deleted).filter(|(_, gone)| **gone) {
                let text = String::from_utf8(message.clone()).expect("text");
                assert!(text.ends_with("\r\n\r\nFrom here on\r\n"), "{text}");
                *seen.entry(text).or_default() += 1;
            }
            mailbox.commit(&deleted).expect("committed");
            if last_round {
                break;
            }
        }
    });
    assert!(open(&bob).is_empty());
    assert_eq!(seen.len(), WRITERS * MESSAGES_EACH);
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
}

#[test]
fn deliveries_to_the_same_mailboxes_in_any_order_do_not_block_each_other() {
    let home = tempfile::tempdir().expect("a directory");
    let names = ["amy", "bob", "cat"];
    std::thread::scope(|scope| {
        for shift in 0..6 {
            let home = home.path();
            scope.spawn(move || {
                let mut targets = names.map(|name| drop_file(home, name));
                targets.rotate_left(shift % 3);
                if shift > 2 {
                    targets.reverse();
                }
                for _ in 0..10 {
                    deliver(&targets, b"to all\n").expect("delivered");
                }
            });
        }
    });
    for name in names {
        assert_eq!(open(&drop_file(home.path(), name)).len(), 60);
    }
}
