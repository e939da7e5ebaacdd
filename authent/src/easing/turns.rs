//! One at a time: a user is not moved while his record is changed, and not by
//! what was true before the change.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dmail_core::Username;
use tokio::sync::MutexGuard;
use tokio::time::timeout;

/// Users share these by hash.
const SHARDS: usize = 256;

/// Whose turn it is with the record of a user.
#[derive(Debug)]
pub struct Turns {
    /// How long anybody waits for a turn.
    patience: Duration,
    shards: Box<[Shard]>,
    spread: RandomState,
    /// Users who are being moved, in lower case: the new source has their
    /// record already, and nobody has looked yet whether it is right.
    arriving: Mutex<HashSet<Username>>,
}

#[derive(Debug, Default)]
struct Shard {
    turn: tokio::sync::Mutex<()>,
    /// Moved on at the start and at the end of each change.
    changes: AtomicU64,
}

/// The turn, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    shard: &'a Shard,
    _turn: MutexGuard<'a, ()>,
}

/// A user is being moved, until this is dropped.
#[derive(Debug)]
pub(super) struct Arriving<'a>(&'a Turns, Username);

impl Turns {
    /// Turns for which nobody waits longer than `patience`.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            spread: RandomState::new(),
            arriving: Mutex::default(),
        }
    }

    /// How many changes of this user (or of one who shares the counter) began
    /// or ended so far.
    #[must_use]
    pub fn changes(&self, user: &Username) -> u64 {
        self.shard(user).changes.load(Ordering::SeqCst)
    }

    /// Waits for the turn to change this user; it counts as one change. `None`
    /// if others take too long.
    pub async fn change(&self, user: &Username) -> Option<Turn<'_>> {
        let shard = self.shard(user);
        let turn = self.turn(shard).await?;
        shard.changes.fetch_add(1, Ordering::SeqCst);
        Some(Turn { shard, _turn: turn })
    }

    /// Waits for the turn to move this user; `None` if he was changed since
    /// there were `seen` changes, or if others take too long.
    pub(super) async fn unchanged(&self, user: &Username, seen: u64) -> Option<MutexGuard<'_, ()>> {
        let shard = self.shard(user);
        let turn = self.turn(shard).await?;
        (shard.changes.load(Ordering::SeqCst) == seen).then_some(turn)
    }

    /// Keeps the new source from being asked about this user for a while.
    pub(super) fn arrive(&self, user: &Username) -> Arriving<'_> {
        let user = user.to_lowercase();
        self.set().insert(user.clone());
        Arriving(self, user)
    }

    /// Whether this user is being moved right now.
    #[must_use]
    pub fn is_arriving(&self, user: &Username) -> bool {
        let arriving = self.set();
        !arriving.is_empty() && arriving.contains(&user.to_lowercase())
    }

    async fn turn<'a>(&self, shard: &'a Shard) -> Option<MutexGuard<'a, ()>> {
        timeout(self.patience, shard.turn.lock()).await.ok()
    }

    fn shard(&self, user: &Username) -> &Shard {
        &self.shards[self.spread.hash_one(user.to_lowercase()) as usize % SHARDS]
    }

    fn set(&self) -> std::sync::MutexGuard<'_, HashSet<Username>> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shard.changes.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        self.0.set().remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_true_before_a_change_moves_nobody() {
        let turns = Turns::new(Duration::from_secs(60));
        let (bob, spelled) = (name("bob"), name("Bob"));
        let seen = turns.changes(&bob);
        assert!(turns.unchanged(&bob, seen).await.is_some());
        let change = turns.change(&spelled).await.expect("nobody else is there");
        let during = turns.changes(&bob);
        drop(change);
        assert!(turns.unchanged(&bob, seen).await.is_none(), "asked before the change");
        assert!(turns.unchanged(&bob, during).await.is_none(), "asked while it was made");
        assert!(turns.unchanged(&bob, turns.changes(&bob)).await.is_some());
    }

    #[test]
    fn a_user_arrives_once_and_whatever_the_spelling() {
        let turns = Turns::new(Duration::ZERO);
        let arriving = turns.arrive(&name("Bob"));
        assert!(turns.is_arriving(&name("bOB")) && !turns.is_arriving(&name("ann")));
        drop(arriving);
        assert!(!turns.is_arriving(&name("bob")));
    }

    fn name(text: &str) -> Username {
        Username::parse(text.as_bytes()).expect("a name")
    }
}
