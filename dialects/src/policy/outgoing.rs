//! How much each login has sent lately, and how much it may send.
//!
//! A message is one however often it is asked about: Postfix asks at each
//! recipient and once more before the content, always with the same `instance`.
//! Recipients are counted as they come, and the number that Postfix says at the
//! end is the one that stays: some are refused by other rules.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use dmail_core::bounded::{Entry, Table};
use dmail_core::{Info, Rate, Username};
use smallvec::SmallVec;

use super::window::{Unit, Window};

/// How many logins are remembered. Beyond that, those are forgotten whose
/// counts matter least.
const REMEMBERED: usize = 1 << 20;
/// Messages of one login that may be under way at a time. Of more than these,
/// some are counted twice.
const UNDER_WAY: usize = 16;

/// How much may be sent. All of them hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages.
    pub messages: Vec<Rate>,
    /// Recipients of all messages together.
    pub recipients: Vec<Rate>,
}

/// What is asked about one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// What Postfix calls it; the same for all questions about one message.
    pub(super) instance: &'a [u8],
    pub(super) recipients: Recipients<'a>,
}

/// Its recipients, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Recipients<'a> {
    /// One more, with this address.
    Another(&'a [u8]),
    /// These are all.
    All(u32),
}

/// A limit that a message would be beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond {
    pub(super) unit: Unit,
    pub(super) rate: Rate,
    /// When to try again. `None`: the message is too large for the limit.
    pub(super) wait: Option<Duration>,
}

/// What a login has used of one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The login, as the user base spells it, in lower case.
    pub user: Username,
    /// What is counted.
    pub unit: Unit,
    /// How many there were.
    pub used: u32,
    /// How many there may be.
    pub rate: Rate,
}

/// The counts of all logins. They are in memory and bounded; after a restart
/// all of them are zero.
pub struct Outgoing {
    logins: Table<Username, Login>,
    hasher: RandomState,
    started: Instant,
}

/// What one login has sent.
#[derive(Debug, Default)]
struct Login {
    /// The last question, in milliseconds.
    asked: u64,
    windows: SmallVec<[Window; 2]>,
    /// Messages under way, the latest last.
    messages: SmallVec<[UnderWay; 1]>,
}

/// A message that was counted.
#[derive(Debug)]
struct UnderWay {
    /// The hash of its instance.
    instance: u64,
    recipients: u32,
    /// Of the hash of the last recipient: two restrictions may ask about each.
    last: u32,
}

impl Entry for Login {
    type Worth = u64;

    fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Until when it matters, in milliseconds: a login that has used up a limit
    /// matters until the time of the limit is over, one that has used a tenth
    /// of it for a tenth of that. So those who send a lot are not forgotten for
    /// many who send a little, and nobody is remembered for what is long ago.
    fn worth(&self) -> u64 {
        let weights = self.windows.iter().map(Window::weight_ms);
        self.asked.saturating_add(weights.max().unwrap_or(0))
    }
}

impl Limits {
    /// These limits, or those that the info fields of an account have instead:
    /// `sendlimit` for messages and `rcptlimit` for recipients, each a comma
    /// list of rates, or `none`.
    #[must_use]
    pub fn of(&self, user: &Username, info: &Info) -> Self {
        let own = |label, usual: &Vec<Rate>| {
            let Some(text) = info.get(label) else { return usual.clone() };
            rates(text).unwrap_or_else(|| {
                tracing::warn!(
                    %user,
                    field = label,
                    "not a list of rates such as 200/1h, so the usual limit holds; mend the \
                     user's record"
                );
                usual.clone()
            })
        };
        Self {
            messages: own("sendlimit", &self.messages),
            recipients: own("rcptlimit", &self.recipients),
        }
    }

    fn all(&self) -> impl Iterator<Item = (Unit, Rate)> {
        let messages = self.messages.iter().map(|rate| (Unit::Messages, *rate));
        messages.chain(self.recipients.iter().map(|rate| (Unit::Recipients, *rate)))
    }
}

fn rates(text: &str) -> Option<Vec<Rate>> {
    match text.trim() {
        none if none.eq_ignore_ascii_case("none") => Some(Vec::new()),
        list => list.split(',').map(|rate| rate.trim().parse().ok()).collect(),
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new()
    }
}

impl Outgoing {
    /// Nobody has sent anything.
    #[must_use]
    pub fn new() -> Self {
        Self::remembering(REMEMBERED)
    }

    /// The same with room for so many logins.
    fn remembering(logins: usize) -> Self {
        Self { logins: Table::new(logins), hasher: RandomState::new(), started: Instant::now() }
    }

    /// Now, in milliseconds.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Counts what a login sends, if it may.
    ///
    /// # Errors
    ///
    /// The limit that this would be beyond; then nothing of it is counted.
    pub(super) fn count(
        &self,
        user: &Username,
        limits: &Limits,
        message: &Message<'_>,
        now: u64,
    ) -> Result<(), Beyond> {
        if limits.messages.is_empty() && limits.recipients.is_empty() {
            return Ok(());
        }
        let instance = self.hasher.hash_one(message.instance);
        let recipients = match message.recipients {
            Recipients::Another(address) => Ok(self.hasher.hash_one(address) as u32),
            Recipients::All(count) => Err(count),
        };
        self.logins.with(&user.to_lowercase(), |login| {
            login.follow(limits, now);
            login.count(instance, recipients, now)
        })
    }

    /// What all logins have used, those first that have the least left.
    #[must_use]
    pub fn list(&self) -> Vec<Used> {
        let now = self.now();
        let mut all = Vec::new();
        self.logins.retain(|user, login| {
            login.forget(now);
            for window in login.windows.iter().filter(|window| window.used() > 0) {
                let Window { unit, rate, .. } = *window;
                all.push(Used { user: user.clone(), unit, used: window.used(), rate });
            }
            login.windows.iter().any(|window| window.used() > 0)
        });
        let left = |used: &Used| {
            let part = u64::from(used.used) * 1_000_000 / u64::from(used.rate.count);
            (std::cmp::Reverse(part), used.user.clone())
        };
        all.sort_by_cached_key(left);
        all
    }

    /// Forgets what a login has sent, or with `None` all of them. Returns how
    /// many logins that were.
    pub fn clear(&self, user: Option<&Username>) -> usize {
        let user = user.map(Username::to_lowercase);
        self.logins.retain(|known, _| user.as_ref().is_some_and(|user| user != known))
    }
}

impl Login {
    /// Takes over the limits that hold now, and forgets what is old.
    fn follow(&mut self, limits: &Limits, now: u64) {
        let holds = |window: &Window| {
            limits.all().any(|(unit, rate)| unit == window.unit && rate.per == window.rate.per)
        };
        self.windows.retain(|window| holds(window));
        for (unit, rate) in limits.all() {
            let same = |window: &&mut Window| window.unit == unit && window.rate.per == rate.per;
            match self.windows.iter_mut().find(same) {
                Some(window) => window.rate = rate,
                None => self.windows.push(Window::new(unit, rate)),
            }
        }
        self.forget(now);
        self.asked = now;
    }

    fn forget(&mut self, now: u64) {
        self.windows.iter_mut().for_each(|window| window.forget(now));
    }

    /// Counts one more recipient, by its hash, or all of them, by their number.
    fn count(
        &mut self,
        instance: u64,
        recipients: Result<u32, u32>,
        now: u64,
    ) -> Result<(), Beyond> {
        let known = self.messages.iter().position(|message| message.instance == instance);
        let counted = known.map_or(0, |at| self.messages[at].recipients);
        let (total, last) = match recipients {
            Ok(last) if known.is_some_and(|at| self.messages[at].last == last) => return Ok(()),
            Ok(last) => (counted.saturating_add(1), last),
            Err(total) => (total, 0),
        };
        let more = |unit| match unit {
            Unit::Messages => u32::from(known.is_none()),
            Unit::Recipients => total.saturating_sub(counted),
        };
        for window in &self.windows {
            let (unit, rate) = (window.unit, window.rate);
            match more(unit) {
                0 => {}
                more => window.wait_for(more, now).map_err(|wait| Beyond { unit, rate, wait })?,
            }
        }
        for window in &mut self.windows {
            window.add(more(window.unit), now);
            if window.unit == Unit::Recipients {
                window.take_back(counted.saturating_sub(total));
            }
        }
        if known.is_none() && self.messages.len() >= UNDER_WAY {
            self.messages.remove(0);
        }
        let at = known.unwrap_or_else(|| {
            self.messages.push(UnderWay { instance, recipients: 0, last: 0 });
            self.messages.len() - 1
        });
        self.messages[at].recipients = total;
        self.messages[at].last = last;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
