//! A table of bounded size under keys that an attacker may choose.
//!
//! It is cut into shards, each with a lock and a share of the room. When a shard
//! is full, a newcomer takes the place of the least worthy of a few entries
//! that a hand points to, which moves on: no entry is looked for, and no flood
//! of newcomers drives out those that are worth more than they.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

/// Locks that share the table.
const SHARDS: usize = 64;
/// Entries that compete to stay when a place is needed.
const COMPETITORS: usize = 8;

/// What a table holds.
pub trait Entry: Default {
    /// What decides who stays; more is better.
    type Worth: Ord;

    /// Whether nothing would be lost without it.
    fn is_empty(&self) -> bool;

    /// How much it is worth keeping.
    fn worth(&self) -> Self::Worth;
}

/// A table of at most so many entries.
pub struct Table<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    spread: RandomState,
}

struct Shard<K, V> {
    /// Where the entry of a key is.
    places: HashTable<usize>,
    entries: Vec<Row<K, V>>,
    capacity: usize,
    hand: usize,
}

struct Row<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K: Hash + Eq + Clone, V: Entry> Table<K, V> {
    /// A table for `capacity` entries.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let shard = || Shard {
            places: HashTable::new(),
            entries: Vec::new(),
            capacity: (capacity / SHARDS).max(1),
            hand: 0,
        };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            spread: RandomState::new(),
        }
    }

    /// Works on the entry of `key`, which is made if there is none. It is
    /// dropped if it is empty then.
    pub fn with<R>(&self, key: &K, work: impl FnOnce(&mut V) -> R) -> R {
        let (hash, mut shard) = self.shard(key);
        let at = shard.place(hash, key);
        shard.work(at, work)
    }

    /// The same, if there is one.
    pub fn with_present<R>(&self, key: &K, work: impl FnOnce(&mut V) -> R) -> Option<R> {
        let (hash, mut shard) = self.shard(key);
        let at = shard.find(hash, key)?;
        Some(shard.work(at, work))
    }

    /// Drops all entries that `keep` is false for, and returns how many.
    pub fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) -> usize {
        let mut dropped = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            let mut at = 0;
            while at < shard.entries.len() {
                let row = &mut shard.entries[at];
                if keep(&row.key, &mut row.value) {
                    at += 1;
                } else {
                    shard.remove(at);
                    dropped += 1;
                }
            }
        }
        dropped
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).entries.len()).sum()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hash of `key`, and its shard.
    fn shard(&self, key: &K) -> (u64, MutexGuard<'_, Shard<K, V>>) {
        let hash = self.spread.hash_one(key);
        // The table takes its place from the lowest bits and its tag from the
        // highest.
        (hash, lock(&self.shards[(hash >> 32) as usize % SHARDS]))
    }
}

impl<K: Hash + Eq + Clone, V: Entry> Shard<K, V> {
    /// Works on an entry, which is dropped if it is empty then.
    fn work<R>(&mut self, at: usize, work: impl FnOnce(&mut V) -> R) -> R {
        let value = &mut self.entries[at].value;
        let result = work(value);
        if value.is_empty() {
            self.remove(at);
        }
        result
    }

    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        self.places.find(hash, |at| self.entries[*at].key == *key).copied()
    }

    /// Where the entry of `key` is, which is made if there is none.
    fn place(&mut self, hash: u64, key: &K) -> usize {
        if let Some(at) = self.find(hash, key) {
            return at;
        }
        if self.entries.len() >= self.capacity {
            self.make_room();
        }
        let at = self.entries.len();
        self.entries.push(Row { hash, key: key.clone(), value: V::default() });
        self.places.insert_unique(hash, at, |at| self.entries[*at].hash);
        at
    }

    fn make_room(&mut self) {
        let length = self.entries.len();
        let competitors = (0..COMPETITORS.min(length)).map(|step| (self.hand + step) % length);
        let least = competitors.min_by_key(|at| self.entries[*at].value.worth());
        self.hand = (self.hand + COMPETITORS) % length;
        if let Some(at) = least {
            self.remove(at);
        }
    }

    /// Takes an entry out; the last one moves into its place.
    fn remove(&mut self, at: usize) {
        let removed = self.entries.swap_remove(at);
        if let Ok(place) = self.places.find_entry(removed.hash, |place| *place == at) {
            place.remove();
        }
        let last = self.entries.len();
        if let Some(moved) = self.entries.get(at) {
            let place = self.places.find_mut(moved.hash, |place| *place == last);
            *place.expect("every entry has its place") = at;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Number(u32);

    impl Entry for Number {
        type Worth = u32;

        fn is_empty(&self) -> bool {
            self.0 == 0
        }

        fn worth(&self) -> u32 {
            self.0
        }
    }

    #[test]
    fn a_flood_of_newcomers_stays_within_the_room_and_drives_out_its_own() {
        let table: Table<u32, Number> = Table::new(64 * 16);
        for key in 0..64 {
            table.with(&key, |number| number.0 = 100);
        }
        for key in 1000..101_000 {
            table.with(&key, |number| number.0 = 1);
        }
        assert!(table.len() <= 64 * 16, "{}", table.len());
        let kept = (0..64).filter(|key| table.with_present(key, |_| ()).is_some()).count();
        assert_eq!(kept, 64);
        assert_eq!(table.retain(|_, number| number.0 == 100), 64 * 16 - 64);
        assert_eq!(table.len(), 64);
    }

    #[test]
    fn an_empty_entry_is_gone_and_the_others_are_found() {
        // Far more room than needed: chance fills the shards unevenly.
        let table: Table<u32, Number> = Table::new(64 * 500);
        for key in 1..500 {
            table.with(&key, |number| number.0 = key);
        }
        for key in (1..500).step_by(2) {
            table.with(&key, |number| number.0 = 0);
        }
        for key in 1..500 {
            let expected = (key % 2 == 0).then_some(key);
            assert_eq!(table.with_present(&key, |number| number.0), expected);
        }
    }
}
