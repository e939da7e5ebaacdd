//! Who is in a base already, in a few bytes for each: enough to tell whether a
//! user is there and whether anything differs.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

use dmail_core::{DropPath, Records, Secret, Uid, Unavailable, UserRecord, Username};

use crate::feed::PAGE;

/// The users that are known: 50 to 90 bytes each, whatever their records hold. The
/// hashes are keyed by chance, so nobody can make two users alike.
pub(crate) struct Known {
    keys: [RandomState; 2],
    users: HashMap<u128, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    stored: u64,
    rest: u64,
    /// Where in what is being imported it was last; 0 if nowhere.
    line: u32,
}

/// How a user compares with what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Not there.
    New,
    /// There, with nothing to change.
    Same,
    /// There, and something differs.
    Differs {
        /// The stored password does.
        password: bool,
        /// Drop path, owner or info do.
        rest: bool,
    },
    /// It came already, in this line (0 if there are no lines).
    Twice(u32),
}

impl Known {
    /// All users of a base.
    pub(crate) async fn read(records: &dyn Records) -> Result<Self, Unavailable> {
        let mut known = Self { keys: Default::default(), users: HashMap::new() };
        let mut last: Option<Username> = None;
        loop {
            let page = records.page(last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else { return Ok(known) };
            last = Some(end.user.clone());
            for record in &page {
                let seen = known.seen(record, None);
                known.users.insert(known.name(&record.user), seen);
            }
        }
    }

    /// Compares a user who is being imported, and remembers to have had it.
    /// A password that is not given is not compared.
    pub(crate) fn compare(&mut self, record: &UserRecord, line: u64) -> Compared {
        // The first of all users who come from a base has no line either.
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let name = self.name(&record.user);
        let new = self.seen(record, Some(line));
        let Some(old) = self.users.get(&name).copied() else {
            self.users.insert(name, new);
            return Compared::New;
        };
        if old.line != NOT_IMPORTED {
            return Compared::Twice(old.line);
        }
        let stored = if record.stored.is_some() { new.stored } else { old.stored };
        self.users.insert(name, Seen { stored, ..new });
        let (password, rest) = (stored != old.stored, new.rest != old.rest);
        if password || rest { Compared::Differs { password, rest } } else { Compared::Same }
    }

    /// A name without its case: of two that differ in nothing else, a base may
    /// make one.
    fn name(&self, user: &Username) -> u128 {
        let folded = user.as_str().to_ascii_lowercase();
        let [high, low] = [0, 1].map(|half: usize| self.keys[half].hash_one(&folded));
        u128::from(high) << 64 | u128::from(low)
    }

    fn seen(&self, record: &UserRecord, line: Option<u32>) -> Seen {
        let key = &self.keys[0];
        let uid = match &record.uid {
            None | Some(Uid::Number(0)) => None,
            Some(Uid::Number(number)) => Some((*number, "")),
            Some(Uid::Name(name)) => Some((0, &**name)),
        };
        let drop = match &record.drop {
            DropPath::Config => None,
            DropPath::File(path) => Some(path),
        };
        let mut info: Vec<_> = record.info.iter().collect();
        info.sort_unstable();
        Seen {
            stored: key.hash_one(record.stored.as_ref().map(Secret::expose)),
            rest: key.hash_one(Fields(uid, drop, info)),
            line: line.unwrap_or(NOT_IMPORTED),
        }
    }
}

/// The line of whoever was there before.
const NOT_IMPORTED: u32 = u32::MAX - 1;

#[derive(Hash)]
struct Fields<U: Hash, D: Hash, I: Hash>(U, D, I);
