//! A guess from before it is asked until it is answered.

use std::fmt;
use std::time::Duration;

use dmail_core::Username;
use tokio::time::Instant;

use super::Throttle;
use super::config::{Places, ThrottleConfig};
use super::failures::Failures;
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
    #[error("{guesses} distinct wrong passwords by this {scope} lately, limit {limit}")]
    TooMany { scope: Scope, guesses: usize, limit: usize },
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

    /// The first limit that is exceeded.
    fn exceeded(self, config: &ThrottleConfig) -> Option<Refused> {
        let (limit, network_limit) = (config.limit(), config.network_limit());
        let rows = [
            (Scope::User, self.user, limit),
            (Scope::Address, self.address, limit),
            (Scope::Network, self.network, network_limit),
        ];
        let over = rows.into_iter().find(|(_, count, limit)| count > limit);
        over.map(|(scope, count, limit)| Refused::TooMany { scope, guesses: count - 1, limit })
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
        let mut made = Self::count(throttle, user, places, tag);
        // What was tried before is no guess.
        let refused = made.counts.exceeded(&throttle.config).filter(|_| made.counts.new);
        let refused = refused.or_else(|| made.take_turn(LONGEST_LINE).err());
        match refused {
            None => Ok(made),
            Some(refused) => {
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
        let mut made = Self::count(throttle, user, places, tag);
        let longest = made.throttle.config.longest_delay;
        if made.take_turn(2 * LONGEST_LINE).is_err() {
            made.due = Instant::now() + longest * 2 * LONGEST_LINE;
        }
        made
    }

    fn count(throttle: &'a Throttle, user: &'a Username, places: &Places, tag: u64) -> Self {
        let config = &throttle.config;
        let begin = |limit: usize| {
            let (window, kept) = (config.window, config.kept(limit));
            move |failures: &mut Failures| failures.begin(tag, window, kept)
        };
        let none = (0, false);
        let of_user = throttle.users.with(user, begin(config.limit()));
        let of_address = places
            .address
            .map_or(none, |address| throttle.addresses.with(&address, begin(config.limit())));
        let of_network = places.network.map_or(none, |network| {
            throttle.networks.with(&network, begin(config.network_limit()))
        });
        let counts = Counts {
            user: of_user.0,
            address: of_address.0,
            network: of_network.0,
            new: of_user.1 || of_address.1 || of_network.1,
        };
        let delay = config.delay(counts.level());
        let due = Instant::now() + delay;
        Self { throttle, user, places: *places, tag, counts, delay, due, settled: false }
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
        let delay = self.delay;
        let due = self.throttle.addresses.with(&address, |failures| {
            let due = failures.line.map_or(now, |line| line.max(now)) + delay;
            if due > latest {
                return None;
            }
            failures.line = Some(due);
            Some(due)
        });
        match due {
            Some(due) => self.due = due,
            // Who never refuses does not because of the line, either.
            None if config.refuse_after == 0 => {}
            None => return Err(Refused::Line),
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

    /// Gives the place in the line back, if nobody stands behind.
    fn leave_line(&self) {
        let (Some(address), due, delay) = (self.places.address, self.due, self.delay) else {
            return;
        };
        self.throttle.addresses.with_present(&address, |failures| {
            if failures.line == Some(due) {
                failures.line = due.checked_sub(delay);
            }
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
