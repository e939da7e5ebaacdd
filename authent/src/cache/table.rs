//! A bounded table of users: no more than it was made for, each in as few
//! bytes as can be.
//!
//! ```text
//!   user ─hash─▶ shard (a lock each) ─▶ index: number of the slot ─▶ slots, in rows of 64
//!                                                                     ▲ the hand
//! ```
//!
//! Who has to go when a shard is full is found by the clock: the hand moves
//! over the slots and takes the first that was not used since it came by last.
//! A new user has not been used yet, so that many who come once do not drive
//! out those who come daily.

mod rows;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dmail_core::Username;
use hashbrown::HashTable;
use rows::Rows;
use smallvec::SmallVec;

/// Shards of a large table: a power of two, far above the number of threads.
const SHARDS: usize = 64;
/// A shard is not made smaller than this: chance fills small ones unevenly.
const SHARD_USERS: usize = 512;

/// Bytes of a name that the slot has room for.
const SHORT_NAME: usize = 24;

/// Something for each user.
pub(super) struct Table<V> {
    shards: Box<[Shard<V>]>,
    /// Keyed, so that nobody can choose names that meet in one place.
    spread: RandomState,
}

/// How a table is used.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Users that are there.
    pub(super) users: u64,
    /// Reads that were hits.
    pub(super) hits: u64,
}

/// On cache lines of its own, because its neighbours' locks are busy, too.
#[repr(align(64))]
struct Shard<V>(Mutex<Slots<V>>);

struct Slots<V> {
    slots: Rows<Slot<V>>,
    /// Where each user is in `slots`.
    index: HashTable<u32>,
    /// The slot that the clock looks at next.
    hand: usize,
    most: usize,
    /// Counted here, under the lock: one count for all would be fought for.
    hits: u64,
}

struct Slot<V> {
    user: Name,
    value: V,
    /// Whether somebody asked since the hand came by.
    used: bool,
}

/// A name, in the slot itself if it is a short one: beside the slot it would
/// take more memory, and one more access to where the processor has not been.
type Name = SmallVec<[u8; SHORT_NAME]>;

impl<V> Table<V> {
    /// For so many users.
    pub(super) fn new(users: u64) -> Self {
        let users = usize::try_from(users).unwrap_or(usize::MAX);
        let shards = (users / SHARD_USERS).clamp(1, SHARDS);
        let shards = if shards.is_power_of_two() { shards } else { shards.next_power_of_two() / 2 };
        let most = users.div_ceil(shards).min(u32::MAX as usize);
        let shard = || Shard(Mutex::new(Slots::new(most)));
        Self { shards: (0..shards).map(|_| shard()).collect(), spread: RandomState::new() }
    }

    /// What `read` makes of the user's value, which counts as a use of it, and
    /// as a hit if `is_hit` says so.
    pub(super) fn read<R>(
        &self,
        user: &Username,
        read: impl FnOnce(&V) -> R,
        is_hit: impl FnOnce(&R) -> bool,
    ) -> Option<R> {
        let hash = self.hash(user.as_str().as_bytes());
        let mut slots = self.lock(hash);
        let at = slots.find(hash, user.as_str().as_bytes())?;
        let slot = &mut slots.slots[at];
        slot.used = true;
        let found = read(&slot.value);
        slots.hits += u64::from(is_hit(&found));
        Some(found)
    }

    /// How the table is used. With `reset`, hits are counted from 0 after that.
    pub(super) fn uses(&self, reset: bool) -> Uses {
        let mut uses = Uses::default();
        for shard in &self.shards {
            let mut slots = shard.lock();
            uses.users += slots.slots.len() as u64;
            uses.hits += slots.hits;
            if reset {
                slots.hits = 0;
            }
        }
        uses
    }

    /// Changes the user's value, if there is one.
    pub(super) fn change(&self, user: &Username, change: impl FnOnce(&mut V)) {
        let hash = self.hash(user.as_str().as_bytes());
        let mut slots = self.lock(hash);
        if let Some(at) = slots.find(hash, user.as_str().as_bytes()) {
            change(&mut slots.slots[at].value);
        }
    }

    /// Replaces the user's value by what `value` makes of it, under the lock.
    /// `None` removes the user.
    pub(super) fn put(&self, user: &Username, value: impl FnOnce(Option<V>) -> Option<V>)
    where
        V: Default,
    {
        let hash = self.hash(user.as_str().as_bytes());
        let mut slots = self.lock(hash);
        match slots.find(hash, user.as_str().as_bytes()) {
            Some(at) => match value(Some(std::mem::take(&mut slots.slots[at].value))) {
                Some(value) => slots.slots[at].value = value,
                None => slots.remove(at, |user| self.hash(user)),
            },
            None => {
                if let Some(value) = value(None) {
                    slots.add(hash, user, value, |user| self.hash(user));
                }
            }
        }
    }

    /// Removes the user.
    pub(super) fn remove(&self, user: &Username) {
        let hash = self.hash(user.as_str().as_bytes());
        let mut slots = self.lock(hash);
        if let Some(at) = slots.find(hash, user.as_str().as_bytes()) {
            slots.remove(at, |user| self.hash(user));
        }
    }

    /// Goes through all users, and removes those that `keep` says no to.
    pub(super) fn retain(&self, mut keep: impl FnMut(&[u8], &mut V) -> bool) {
        for shard in &self.shards {
            let mut slots = shard.lock();
            let mut at = 0;
            while at < slots.slots.len() {
                let Slot { user, value, .. } = &mut slots.slots[at];
                if keep(user, value) {
                    at += 1;
                } else {
                    // The last one comes into this place, and is next.
                    slots.remove(at, |user| self.hash(user));
                }
            }
        }
    }

    fn hash(&self, user: &[u8]) -> u64 {
        self.spread.hash_one(user)
    }

    fn lock(&self, hash: u64) -> MutexGuard<'_, Slots<V>> {
        // The index takes its place from the lowest bits and its tag from the
        // highest.
        let shard = (hash >> 32) as usize & (self.shards.len() - 1);
        self.shards[shard].lock()
    }
}

impl<V> Shard<V> {
    fn lock(&self) -> MutexGuard<'_, Slots<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Slots<V> {
    fn new(most: usize) -> Self {
        Self { slots: Rows::new(), index: HashTable::new(), hand: 0, most, hits: 0 }
    }

    fn find(&self, hash: u64, user: &[u8]) -> Option<usize> {
        let same = |at: &u32| *self.slots[*at as usize].user == *user;
        self.index.find(hash, same).map(|at| *at as usize)
    }

    /// Adds a user who is not there; if need be, another one goes.
    fn add(&mut self, hash: u64, user: &Username, value: V, hash_of: impl Fn(&[u8]) -> u64) {
        if self.most == 0 {
            return;
        }
        let slot = Slot { user: Name::from_slice(user.as_str().as_bytes()), value, used: false };
        let at = if self.slots.len() < self.most {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let at = self.unused();
            self.unlist(at, &hash_of);
            self.slots[at] = slot;
            at
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at as u32, |at| hash_of(&slots[*at as usize].user));
    }

    /// The slot that the clock takes; there is at least one. The second round
    /// finds one at the latest.
    fn unused(&mut self) -> usize {
        loop {
            let at = self.hand;
            self.hand = (at + 1) % self.slots.len();
            if !std::mem::take(&mut self.slots[at].used) {
                return at;
            }
        }
    }

    /// Removes a slot; the last one takes its place.
    fn remove(&mut self, at: usize, hash_of: impl Fn(&[u8]) -> u64) {
        self.unlist(at, &hash_of);
        let last = self.slots.len() - 1;
        if at != last {
            let hash = hash_of(&self.slots[last].user);
            if let Some(listed) = self.index.find_mut(hash, |listed| *listed as usize == last) {
                *listed = at as u32;
            }
        }
        self.slots.swap_remove(at);
        if self.hand >= last {
            self.hand = 0;
        }
    }

    fn unlist(&mut self, at: usize, hash_of: impl Fn(&[u8]) -> u64) {
        let hash = hash_of(&self.slots[at].user);
        if let Ok(listed) = self.index.find_entry(hash, |listed| *listed as usize == at) {
            listed.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn user(number: u32) -> Username {
        Username::parse(format!("user{number}").as_bytes()).expect("a name")
    }

    fn len<V>(table: &Table<V>) -> usize {
        table.uses(false).users as usize
    }

    fn read<V: Copy>(table: &Table<V>, user: &Username) -> Option<V> {
        table.read(user, |value| *value, |_| true)
    }

    #[test]
    fn a_table_holds_as_many_as_it_was_made_for() {
        for users in [0, 1, 2, 100, 1000, 5000, 100_000] {
            let table = Table::new(users);
            for number in 0..users as u32 * 2 + 10 {
                table.put(&user(number), |_| Some(number));
            }
            let shards = table.shards.len() as u64;
            assert!(shards.is_power_of_two());
            let found = len(&table) as u64;
            assert!(found <= users.div_ceil(shards) * shards, "{users}: {found}");
            assert!(found >= users, "{users}: {found}");
        }
    }

    #[test]
    fn those_who_come_daily_stay_while_many_come_once() {
        let table = Table::new(100);
        let regulars = || (0..50).map(user);
        regulars().for_each(|user| table.put(&user, |_| Some(())));
        for stranger in 1000..3000 {
            table.put(&user(stranger), |_| Some(()));
            if stranger % 20 == 0 {
                for user in regulars() {
                    assert!(read(&table, &user).is_some(), "{user} at {stranger}");
                }
            }
        }
        assert_eq!(len(&table), 100);
    }

    proptest! {
        /// A table that is large enough is a map.
        #[test]
        fn nothing_is_lost_or_mixed_up(steps in prop::collection::vec((0..4u8, 0..40u32), 0..300)) {
            let table = Table::new(1000);
            let mut model: HashMap<u32, u32> = HashMap::new();
            for (step, (verb, number)) in steps.into_iter().enumerate() {
                let value = step as u32;
                match verb {
                    0 => {
                        table.remove(&user(number));
                        model.remove(&number);
                    }
                    1 => {
                        table.retain(|_, value| *value % 7 != number % 7);
                        model.retain(|_, value| *value % 7 != number % 7);
                    }
                    _ => {
                        let before = model.insert(number, value);
                        table.put(&user(number), |old| {
                            assert_eq!(old, before);
                            Some(value)
                        });
                    }
                }
                for number in 0..40 {
                    let found = read(&table, &user(number));
                    prop_assert_eq!(found, model.get(&number).copied());
                }
            }
            prop_assert_eq!(len(&table), model.len());
        }
    }
}
