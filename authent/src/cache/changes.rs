//! Which users were changed, and which passwords rejected, after a question was
//! asked, so that the answer to it tells of a record that is no more.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use dmail_core::Username;

use crate::keyed::Tag;

/// Users share a place by hash. One who shares that of a changed user is asked
/// about once more than would be needed.
const PLACES: usize = 1024;

/// Numbers all changes in the order in which they are heard of.
pub(super) struct Changes {
    latest: AtomicU64,
    /// The latest change of the users of each place.
    users: Box<[AtomicU64]>,
    /// The latest rejection of the passwords of each place.
    passwords: Box<[AtomicU64]>,
    /// The latest moment at which changes may have been missed.
    lost: AtomicU64,
    /// Keyed, so that nobody can choose a name that shares a victim's place.
    spread: RandomState,
}

fn places() -> Box<[AtomicU64]> {
    (0..PLACES).map(|_| AtomicU64::new(0)).collect()
}

/// Between which changes something was asked.
#[derive(Clone, Copy)]
pub(super) struct Asked(u64);

impl Changes {
    pub(super) fn new() -> Self {
        Self {
            latest: AtomicU64::new(0),
            users: places(),
            passwords: places(),
            lost: AtomicU64::new(0),
            spread: RandomState::new(),
        }
    }

    /// Something is asked now.
    pub(super) fn asked(&self) -> Asked {
        Asked(self.latest.load(Ordering::SeqCst))
    }

    /// This user is changed now.
    pub(super) fn changed(&self, user: &Username) {
        self.place(user).fetch_max(self.next(), Ordering::SeqCst);
    }

    /// Whether this user was changed since then.
    pub(super) fn changed_since(&self, asked: Asked, user: &Username) -> bool {
        self.place(user).load(Ordering::SeqCst) > asked.0
    }

    /// This password of the user is rejected now.
    pub(super) fn rejected(&self, user: &Username, password: Tag) {
        self.password(user, password).fetch_max(self.next(), Ordering::SeqCst);
    }

    /// Whether this password of the user was rejected since then.
    pub(super) fn rejected_since(&self, asked: Asked, user: &Username, password: Tag) -> bool {
        self.password(user, password).load(Ordering::SeqCst) > asked.0
    }

    /// Changes may have been missed up to now.
    pub(super) fn lost_track(&self) {
        self.lost.fetch_max(self.next(), Ordering::SeqCst);
    }

    /// Whether changes may have been missed since then.
    pub(super) fn lost_track_since(&self, asked: Asked) -> bool {
        self.lost.load(Ordering::SeqCst) > asked.0
    }

    fn next(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn password(&self, user: &Username, password: Tag) -> &AtomicU64 {
        let hash = self.spread.hash_one((user.as_str(), password.bits()));
        &self.passwords[hash as usize % PLACES]
    }

    /// However it is spelled.
    fn place(&self, user: &Username) -> &AtomicU64 {
        &self.users[self.spread.hash_one(user.to_lowercase()) as usize % PLACES]
    }
}
