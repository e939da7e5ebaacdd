//! A guess from before it is asked until it is answered.

use std::fmt;
use std::time::Duration;

use dmail_core::Username;
use tokio::time::Instant;

use super::Throttle;
use super::config::{Places, ThrottleConfig};
use super::failures::{Failures, Full, Room};
use super::report::Scope;

/// Guesses from one address that would wait this many times the longest delay
/// are refused.
const LONGEST_LINE: u32 = 2;

/// A guess that is counted, because it may be asked. If it is dropped without
/// an answer, because the client went away, it stays counted.
pub(super) struct Reservation<'a> {
    throttle: &'a Throttle,
    user: &'a Username,
    places: Places,
    tag: u64,
    counts: Counts,
    delay: Duration,
    /// When the answer may be told, should it be wrong.
    due: Instant,
    /// Whether others from the address have to wait behind it.
    in_line: bool,
    settled: bool,
}

/// What came of a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was the password.
    Right,
    /// It was not.
    Wrong,
    /// Nobody could say.
    None,
}

/// Why a guess may not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("too many guesses from one address wait for their answer already")]
    Line,
    /// Those that take the room are not known to be wrong yet.
    #[error("too many other logins from one place wait for the user base")]
    Undecided,
    #[error("{limit} distinct wrong passwords by this {scope} lately, which is the limit")]
    TooMany { scope: Scope, limit: usize },
}

/// How many guesses there are, this one included.
#[derive(Debug, Clone, Copy)]
struct Counts {
    user: usize,
    address: usize,
    network: usize,
    /// Whether this one is new to any of them.
    new: bool,
}

impl Counts {
    /// What decides how long the answer waits.
    fn level(self) -> usize {
        self.user.max(self.address).max(ThrottleConfig::share(self.network))
    }
}

impl<'a> Reservation<'a> {
    /// Counts a guess, if it may be asked.
    pub(super) fn make(
        throttle: &'a Throttle,
        user: &'a Username,
        places: &Places,
        tag: u64,
    ) -> Result<Self, Refused> {
        let mut made = Self::count(throttle, user, places, tag, throttle.config.refuses())?;
        match made.take_turn(LONGEST_LINE) {
            Ok(()) => Ok(made),
            Err(refused) => {
                made.undo();
                Err(refused)
            }
        }
    }

    /// Counts a guess from a known place, which is always asked.
    pub(super) fn make_in_known(
        throttle: &'a Throttle,
        user: &'a Username,
        places: &Places,
        tag: u64,
    ) -> Self {
        let made = Self::count(throttle, user, places, tag, false);
        let mut made = made.expect("without limits there is room");
        let longest = throttle.config.longest_delay;
        if made.take_turn(2 * LONGEST_LINE).is_err() {
            made.due = Instant::now() + longest * 2 * LONGEST_LINE;
        }
        made
    }

    /// Counts a guess that was judged elsewhere. Nobody waits for its answer.
    pub(super) fn make_told(
        throttle: &'a Throttle,
        user: &'a Username,
        places: &Places,
        tag: u64,
    ) -> Self {
        let made = Self::count(throttle, user, places, tag, false);
        made.expect("without limits there is room")
    }

    /// Counts a guess everywhere, or nowhere.
    fn count(
        throttle: &'a Throttle,
        user: &'a Username,
        places: &Places,
        tag: u64,
        limited: bool,
    ) -> Result<Self, Refused> {
        let config = &throttle.config;
        let begin = |limit: usize| {
            let window = config.window;
            let room = if limited { Room::UpTo(limit) } else { Room::Latest(config.kept(limit)) };
            move |failures: &mut Failures| failures.begin(tag, window, room)
        };
        let full = |full: Full, scope, limit| match full.undecided {
            true => Refused::Undecided,
            false => Refused::TooMany { scope, limit },
        };
        let (limit, network_limit) = (config.limit(), config.network_limit());
        let of_user = throttle.users.with(user, begin(limit));
        let (user_count, new) = of_user.map_err(|room| full(room, Scope::User, limit))?;
        let mut made = Self {
            throttle,
            user,
            // Filled as the guess is counted there, so that it can be undone.
            places: Places { own: places.own, address: None, network: None },
            tag,
            counts: Counts { user: user_count, address: 0, network: 0, new },
            delay: Duration::ZERO,
            due: Instant::now(),
            in_line: false,
            settled: false,
        };
        if let Some(address) = places.address {
            let (count, new) = match throttle.addresses.with(&address, begin(limit)) {
                Ok(counted) => counted,
                Err(room) => {
                    made.undo();
                    return Err(full(room, Scope::Address, limit));
                }
            };
            made.places.address = places.address;
            made.counts.address = count;
            made.counts.new |= new;
        }
        if let Some(network) = places.network {
            let (count, new) = match throttle.networks.with(&network, begin(network_limit)) {
                Ok(counted) => counted,
                Err(room) => {
                    made.undo();
                    return Err(full(room, Scope::Network, network_limit));
                }
            };
            made.places.network = places.network;
            made.counts.network = count;
            made.counts.new |= new;
        }
        made.delay = config.delay(made.counts.level());
        made.due += made.delay;
        Ok(made)
    }

    /// Takes the next place in the line of the address, unless it is longer
    /// than so many of the longest delays.
    fn take_turn(&mut self, longest: u32) -> Result<(), Refused> {
        let (Some(address), true) = (self.places.address, self.counts.new) else { return Ok(()) };
        let config = &self.throttle.config;
        if self.delay.is_zero() {
            return Ok(());
        }
        let now = Instant::now();
        let latest = now + config.longest_delay * longest;
        let (delay, tag) = (self.delay, self.tag);
        let due = self.throttle.addresses.with(&address, |failures| {
            let due = failures.line.map_or(now, |line| line.max(now)) + delay;
            if due > latest {
                return Err(match failures.has_undecided_beside(tag) {
                    true => Refused::Undecided,
                    false => Refused::Line,
                });
            }
            failures.line = Some(due);
            Ok(due)
        });
        match due {
            Ok(due) => {
                self.due = due;
                self.in_line = true;
            }
            // Who never refuses does not because of the line, either.
            Err(_) if !config.refuses() => {}
            Err(refused) => return Err(refused),
        }
        Ok(())
    }

    /// Whether this password was not tried before for this user from there.
    pub(super) fn is_new(&self) -> bool {
        self.counts.new
    }

    /// For `dmail explain`.
    pub(super) fn describe(&self) -> String {
        let Counts { user, address, network, .. } = self.counts;
        format!(
            "guesses lately, this one included: {user} by user, {address} by address, \
             {network} by network"
        )
    }

    /// Says what came of it. Returns when a wrong answer may be told.
    pub(super) fn settle(mut self, answer: Answer) -> Instant {
        match answer {
            Answer::Right => {
                let tag = self.tag;
                self.everywhere(|failures| failures.forget(tag));
                self.leave_line();
                self.settled = true;
            }
            Answer::Wrong => {
                self.count_wrong();
                self.announce();
            }
            Answer::None => self.undo(),
        }
        self.due
    }

    fn count_wrong(&mut self) {
        let tag = self.tag;
        self.throttle.users.with(self.user, |failures| failures.wrong(tag));
        if let Some(address) = self.places.address {
            self.throttle.addresses.with(&address, |failures| failures.wrong(tag));
        }
        if let Some(network) = self.places.network {
            self.throttle.networks.with(&network, |failures| failures.wrong(tag));
        }
        self.settled = true;
    }

    fn undo(&mut self) {
        let tag = self.tag;
        self.everywhere(|failures| failures.undo(tag));
        self.leave_line();
        self.settled = true;
    }

    fn everywhere(&self, work: impl Fn(&mut Failures)) {
        self.throttle.users.with_present(self.user, &work);
        if let Some(address) = self.places.address {
            self.throttle.addresses.with_present(&address, &work);
        }
        if let Some(network) = self.places.network {
            self.throttle.networks.with_present(&network, &work);
        }
    }

    /// Gives back what is left of the place in the line: whoever was not wrong
    /// keeps nobody waiting.
    fn leave_line(&self) {
        let Some(address) = self.places.address.filter(|_| self.in_line) else { return };
        let left = self.due.saturating_duration_since(Instant::now()).min(self.delay);
        self.throttle.addresses.with_present(&address, |failures| {
            failures.line = failures.line.and_then(|line| line.checked_sub(left));
        });
    }

    /// Logs who is refused from now on.
    fn announce(&self) {
        let config = &self.throttle.config;
        let Counts { user, address, network, new } = self.counts;
        if !new {
            return;
        }
        if user == config.limit() {
            tracing::warn!(user = %self.user, guesses = user, "throttle: user refused from now on");
        }
        if let Some(ip) = self.places.address.filter(|_| address == config.limit()) {
            tracing::warn!(address = %ip, guesses = address, "throttle: address refused from now on");
        }
        if let Some(net) = self.places.network.filter(|_| network == config.network_limit()) {
            tracing::warn!(network = %net, guesses = network, "throttle: network refused from now on");
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.count_wrong();
        }
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("counts", &self.counts).finish_non_exhaustive()
    }
}
