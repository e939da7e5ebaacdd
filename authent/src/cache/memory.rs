//! What is remembered of one user: the account, and which passwords the source
//! has verified. This is the judgement of the cache; it holds no lock and
//! reads no clock.

use std::sync::Arc;
use std::time::Duration;

use dmail_core::{Account, Username};
use smallvec::SmallVec;

use super::packed::Packed;
use crate::keyed::Tag;

/// How many verified passwords are remembered for one user.
const SECRETS: usize = 8;

/// A moment, in nanoseconds after the cache was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

/// What is remembered of one user.
#[derive(Default)]
pub(super) struct Memory {
    account: Packed,
    /// When a lookup or check last brought the account.
    seen: Moment,
    /// Changes may have been missed since.
    stale: bool,
    /// Verified passwords, the latest last. Most users have one.
    secrets: SmallVec<[Verified; 1]>,
}

/// A password, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) password: Tag,
    /// The hash of the client's address where that matters, else 0.
    pub(super) client: u64,
}

struct Verified {
    proof: Proof,
    at: Moment,
    standing: Standing,
}

/// How much a verified password is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It counts by its age.
    Good,
    /// Changes may have been missed since: the source is asked, whatever the
    /// age.
    Stale,
    /// Another password was verified for the first time since, or this one was
    /// rejected meanwhile or at another address: nobody but the source can say.
    Suspect,
}

/// An answer of the source that arrives now.
pub(super) struct Arrived {
    pub(super) now: Moment,
    /// When the source was asked.
    pub(super) asked: Moment,
    /// Whether changes may have been missed meanwhile.
    pub(super) stale: bool,
    /// Whether the source has rejected the same password meanwhile, elsewhere.
    pub(super) rejected: bool,
}

/// What memory says about a request.
pub(super) enum Recall {
    /// Fresh: no need to ask.
    Fresh(Arc<Account>),
    /// Verified once, but the source must be asked; with its age.
    Aged(Arc<Account>, Duration),
    /// The source must be asked.
    Nothing,
}

impl Memory {
    /// What is known of this proof, or of the user if there is none.
    pub(super) fn recall(
        &self,
        user: &Username,
        proof: Option<&Proof>,
        now: Moment,
        life: Duration,
        fresh: Duration,
    ) -> Recall {
        let (at, stale) = match proof {
            None => (self.seen, self.stale),
            Some(proof) => match self.secrets.iter().find(|known| known.proof == *proof) {
                None => return Recall::Nothing,
                Some(known) if known.standing == Standing::Suspect => return Recall::Nothing,
                Some(known) => (known.at, known.standing == Standing::Stale),
            },
        };
        let age = now.since(at);
        if age >= life {
            Recall::Nothing
        } else if stale || age >= fresh {
            Recall::Aged(self.account.account(user), age)
        } else {
            Recall::Fresh(self.account.account(user))
        }
    }

    /// The source says that `user` has this account.
    pub(super) fn seen(&mut self, user: &Username, account: &Account, arrived: &Arrived) {
        self.account = Packed::new(user, account);
        self.seen = arrived.now;
        self.stale = arrived.stale;
    }

    /// The source has verified this password. If another one was verified
    /// since it was asked, or this one rejected, nobody knows which of the two
    /// questions the source decided first.
    pub(super) fn verified(&mut self, proof: Proof, arrived: &Arrived) {
        let other = |known: &Verified| known.proof.password != proof.password;
        let overtaken = self.secrets.iter().any(|known| other(known) && known.at > arrived.asked);
        // A password that is known, from whatever address, replaced no other.
        if self.secrets.iter().all(other) {
            self.secrets.iter_mut().for_each(|known| known.standing = Standing::Suspect);
        }
        self.secrets.retain(|known| known.proof != proof);
        if self.secrets.len() == SECRETS {
            self.secrets.remove(0);
        }
        let standing = match (overtaken || arrived.rejected, arrived.stale) {
            (true, _) => Standing::Suspect,
            (false, true) => Standing::Stale,
            (false, false) => Standing::Good,
        };
        self.secrets.push(Verified { proof, at: arrived.now, standing });
    }

    /// The source has rejected this password. From other addresses it may
    /// still be good, but nobody but the source can say so.
    pub(super) fn rejected(&mut self, proof: &Proof) {
        self.secrets.retain(|known| known.proof != *proof);
        let same = self.secrets.iter_mut().filter(|k| k.proof.password == proof.password);
        same.for_each(|known| known.standing = Standing::Suspect);
    }

    /// Changes may have been missed: nothing is fresh any more.
    pub(super) fn grow_stale(&mut self) {
        self.stale = true;
        let good = self.secrets.iter_mut().filter(|known| known.standing == Standing::Good);
        good.for_each(|known| known.standing = Standing::Stale);
    }

    /// Whether the source calls this user `name`, and not as it was asked.
    pub(super) fn is_named(&self, name: &Username) -> bool {
        self.account.is_named(name)
    }
}

impl Moment {
    fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
