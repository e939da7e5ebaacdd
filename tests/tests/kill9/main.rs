//! `kill -9` at random instants, while mail is delivered, read and deleted:
//! what was acknowledged holds, and the mailboxes are usable at once.

mod clients;
mod ledger;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

use clients::USERS;
use ledger::Ledger;

/// How often the server is killed.
const ROUNDS: usize = 25;
/// How many clients deliver at the same time.
const SENDERS: usize = 4;
/// Longest that a round goes on after its first message.
const LONGEST: Duration = Duration::from_millis(250);

#[test]
fn what_was_acknowledged_survives_and_what_was_deleted_stays_deleted() {
    let site = USERS.iter().fold(Site::nwauth(), |site, user| site.user(user, clients::PASSWORD));
    let ledger = Ledger::default();
    for round in 0..ROUNDS {
        kill_while_busy(site.serve(), &ledger, round);
    }
    let server = site.serve();
    for user in USERS {
        let asked = Instant::now();
        let messages = site.messages(&server, user, clients::PASSWORD);
        assert!(asked.elapsed() < Duration::from_secs(5), "{user}'s mailbox is usable at once");
        assert_eq!(ledger.check(user, &messages), Ok(()));
    }
    let (acknowledged, deleted) = ledger.totals();
    assert!(acknowledged > ROUNDS && deleted > 0, "{acknowledged} sent, {deleted} deleted");
    // Whatever the killed ones held is free again.
    let everybody = USERS.map(clients::address);
    server.smtp_client().deliver(&everybody.each_ref().map(String::as_str), "");
    server.stop();
}

/// Lets everybody work on a server, and kills it under their hands.
fn kill_while_busy(server: Server, ledger: &Ledger, round: usize) {
    let over = AtomicBool::new(false);
    let before = ledger.totals().0;
    let (smtp, pop) = (server.smtp(), server.pop());
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let name = format!("{round}-{sender}");
            scope.spawn(move || clients::send(smtp, &name, ledger));
        }
        for user in USERS {
            let over = &over;
            scope.spawn(move || clients::read_and_delete(pop, user, ledger, over));
        }
        wait::until("mail flows again", || ledger.totals().0 > before);
        // Chance decides the instant; nothing is waited for here.
        thread::sleep(random_below(LONGEST));
        server.kill();
        over.store(true, Ordering::Relaxed);
    });
}

fn random_below(limit: Duration) -> Duration {
    let nanoseconds = u64::try_from(limit.as_nanos()).expect("a short time");
    Duration::from_nanos(RandomState::new().hash_one(limit) % nanoseconds)
}
