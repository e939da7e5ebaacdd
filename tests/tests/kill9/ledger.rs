//! The ledger: what the server promised, and what may be either way because
//! it died before it could answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What the clients know of every message of every user.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<(String, String), State>>);

/// What is known of one message of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The end of data was sent; no answer yet.
    Sending,
    /// 250: it must be there, once.
    Acknowledged,
    /// Deleted; QUIT is not answered yet.
    Deleting,
    /// +OK to QUIT: it must be gone for good.
    Deleted,
}

impl Ledger {
    /// The end of data is about to be sent.
    pub(crate) fn sending(&self, users: &[&str], id: &str) {
        users.iter().for_each(|user| self.note(user, id, State::Sending));
    }

    /// The server said 250. A reader may have been faster.
    pub(crate) fn acknowledged(&self, users: &[&str], id: &str) {
        let mut states = self.states();
        for user in users {
            let state = states.get_mut(&key(user, id)).expect("it was sent");
            if *state == State::Sending {
                *state = State::Acknowledged;
            }
        }
    }

    /// QUIT is about to be sent, with these messages marked.
    pub(crate) fn deleting(&self, user: &str, ids: &[String]) {
        ids.iter().for_each(|id| self.note(user, id, State::Deleting));
    }

    /// The server said +OK to QUIT.
    pub(crate) fn deleted(&self, user: &str, ids: &[String]) {
        ids.iter().for_each(|id| self.note(user, id, State::Deleted));
    }

    /// How many messages were acknowledged in all, and how many of them were
    /// deleted for good.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let states = self.states();
        let sending = states.values().filter(|state| **state == State::Sending).count();
        let deleted = states.values().filter(|state| **state == State::Deleted).count();
        (states.len() - sending, deleted)
    }

    /// Compares with what is in the user's mailbox; says what is wrong.
    pub(crate) fn check(&self, user: &str, messages: &[String]) -> Result<(), String> {
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for message in messages {
            *found.entry(id_of(message)).or_default() += 1;
        }
        for ((_, id), state) in self.states().iter().filter(|((owner, _), _)| owner == user) {
            let times = found.remove(id).unwrap_or(0);
            let good = match state {
                State::Sending | State::Deleting => times <= 1,
                State::Acknowledged => times == 1,
                State::Deleted => times == 0,
            };
            if !good {
                return Err(format!("{user}'s {id} is {state:?} and there {times} times"));
            }
        }
        match found.keys().next() {
            Some(id) => Err(format!("{user} has {id}, which was never sent to its end")),
            None => Ok(()),
        }
    }

    fn note(&self, user: &str, id: &str, state: State) {
        self.states().insert(key(user, id), state);
    }

    fn states(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(user: &str, id: &str) -> (String, String) {
    (user.to_owned(), id.to_owned())
}

/// The message `id`, of a size that depends on its number, with `From ` lines
/// on the way.
pub(crate) fn content(id: &str, number: usize) -> String {
    let lines = format!("From {id} with love\r\n").repeat(number * 97 % 400);
    format!("Subject: {id}\r\n\r\n{lines}End of {id}\r\n")
}

/// The id of a message, which must be whole.
pub(crate) fn id_of(message: &str) -> String {
    let (_, rest) = message.split_once("Subject: ").expect("a subject");
    let (id, rest) = rest.split_once("\r\n").expect("a line");
    assert!(rest.ends_with(&format!("\r\nEnd of {id}\r\n")), "{id} is torn: {message}");
    let loving = rest.matches(&format!("From {id} with love\r\n")).count();
    let number: usize = id.rsplit('-').next().and_then(|text| text.parse().ok()).expect("a number");
    assert_eq!(loving, number * 97 % 400, "{id} is torn");
    id.to_owned()
}

#[test]
fn the_ledger_finds_what_is_lost_twice_back_or_a_ghost() {
    let ledger = Ledger::default();
    for id in ["r-0", "r-1", "r-2", "r-3"] {
        ledger.sending(&["bob"], id);
    }
    for id in ["r-1", "r-2", "r-3"] {
        ledger.acknowledged(&["bob"], id);
    }
    ledger.deleting("bob", &["r-2".to_owned(), "r-3".to_owned()]);
    ledger.deleted("bob", &["r-3".to_owned()]);
    assert_eq!(ledger.totals(), (3, 1));
    let rows: [(&[usize], Result<(), &str>); 7] = [
        (&[1], Ok(())),
        (&[0, 1, 2], Ok(())),
        (&[0, 2], Err("bob's r-1 is Acknowledged and there 0 times")),
        (&[1, 1], Err("bob's r-1 is Acknowledged and there 2 times")),
        (&[0, 1, 0], Err("bob's r-0 is Sending and there 2 times")),
        (&[1, 3], Err("bob's r-3 is Deleted and there 1 times")),
        (&[1, 4], Err("bob has r-4, which was never sent to its end")),
    ];
    for (there, expected) in rows {
        let messages: Vec<String> =
            there.iter().map(|&number| content(&format!("r-{number}"), number)).collect();
        assert_eq!(ledger.check("bob", &messages), expected.map_err(str::to_owned), "{there:?}");
    }
}
