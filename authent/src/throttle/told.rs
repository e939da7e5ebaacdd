//! Logins that are judged elsewhere: another server asks what to do with one,
//! checks the password itself, and tells what came of it.
//!
//! They are counted with our own, for the same users, addresses and networks.
//! What is weaker than for our own: a guess counts only when it is told, so
//! many that are made at the same moment are all let through.

use std::hash::BuildHasher;

use dmail_core::bounded::Table;
use dmail_core::{Advice, Guess};
use ipnet::IpNet;
use tokio::time::Instant;

use super::Throttle;
use super::config::{Places, ThrottleConfig};
use super::failures::Failures;
use super::known::Place;
use super::reservation::{Answer, Reservation};

impl Throttle {
    /// What to do with a login. Counts nothing. The user's name is the one
    /// that the source knows.
    #[must_use]
    pub fn weigh(&self, guess: &Guess) -> Advice {
        let Some((places, place)) = self.places_of(guess) else { return Advice::Allow };
        if self.is_known(&place, Instant::now()) {
            return Advice::Allow;
        }
        let tag = self.tag_told(guess);
        let window = self.config.window;
        let look = |failures: &mut Failures| {
            failures.expire(window);
            failures.count_wrong(tag)
        };
        let of_user = self.users.with_present(&guess.user, look).unwrap_or_default();
        let at = |table: &Table<IpNet, Failures>, place: Option<IpNet>| {
            let found = place.and_then(|place| table.with_present(&place, look));
            found.unwrap_or_default()
        };
        let of_address = at(&self.addresses, places.address);
        let of_network = at(&self.networks, places.network);
        let (limit, network_limit) = (self.config.limit(), self.config.network_limit());
        let refused = |(wrong, known): (usize, bool), limit| wrong >= limit && !known;
        if refused(of_user, limit)
            || refused(of_address, limit)
            || refused(of_network, network_limit)
        {
            return Advice::Refuse;
        }
        // As many as there will be, should this one be wrong.
        let level = |(wrong, known): (usize, bool)| wrong + usize::from(!known);
        let network = ThrottleConfig::share(level(of_network));
        match self.config.delay(level(of_user).max(level(of_address)).max(network)) {
            delay if delay.is_zero() => Advice::Allow,
            delay => Advice::Delay(delay),
        }
    }

    /// Counts a guess that was wrong, or forgets it because it was right.
    pub fn note(&self, guess: &Guess, right: bool) {
        let Some((places, place)) = self.places_of(guess) else { return };
        let (tag, now) = (self.tag_told(guess), Instant::now());
        if right {
            self.forget(guess, &places, tag);
            self.note_login(&place, now);
            return;
        }
        let counted = Reservation::make_told(self, &guess.user, &places, tag);
        if counted.is_new() && self.is_known(&place, now) {
            self.strike(&place);
        }
        counted.settle(Answer::Wrong);
    }

    fn forget(&self, guess: &Guess, places: &Places, tag: u64) {
        let forget = |failures: &mut Failures| failures.forget(tag);
        self.users.with_present(&guess.user, forget);
        places.address.and_then(|address| self.addresses.with_present(&address, forget));
        places.network.and_then(|network| self.networks.with_present(&network, forget));
    }

    /// Where a login comes from; `None` if nobody there is counted.
    fn places_of(&self, guess: &Guess) -> Option<(Places, Place)> {
        let client = guess.origin.client;
        if client.is_some_and(|ip| (self.config.except)(ip)) {
            return None;
        }
        let places = self.config.places(client);
        let place = Place { user: guess.user.clone(), address: places.own };
        Some((places, place))
    }

    /// Apart from the tags of our own guesses, which are made of passwords.
    fn tag_told(&self, guess: &Guess) -> u64 {
        self.tagger.hash_one(("told", guess.user.as_str(), &guess.tag))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dmail_core::{Origin, Service};

    use super::super::tests::{REFUSED, ask, name, throttle, throttle_with};
    use super::*;

    fn guess(user: &str, tag: &str, ip: &str) -> Guess {
        let origin = Origin { client: ip.parse().ok(), ..Origin::local(Service::Imap) };
        Guess { user: name(user), origin, tag: tag.as_bytes().into() }
    }

    fn seconds(throttle: &Throttle, user: &str, tag: &str, ip: &str) -> Option<u64> {
        match throttle.weigh(&guess(user, tag, ip)) {
            Advice::Allow => Some(0),
            Advice::Delay(delay) => Some(delay.as_secs()),
            Advice::Refuse => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn asking_counts_nothing_and_what_is_told_counts_once() {
        let throttle = throttle(6);
        for (tag, expected) in [
            ("a", Some(0)),
            ("b", Some(0)),
            ("c", Some(0)),
            ("d", Some(2)),
            ("e", Some(4)),
            ("f", Some(8)),
            ("g", None),
        ] {
            for _ in 0..3 {
                assert_eq!(seconds(&throttle, "bob", tag, "192.0.2.1"), expected, "{tag}");
            }
            if tag != "g" {
                // A device repeats its old password: that is one guess.
                throttle.note(&guess("bob", tag, "192.0.2.1"), false);
                throttle.note(&guess("bob", tag, "192.0.2.1"), false);
            }
        }
        assert_eq!(seconds(&throttle, "bob", "a", "192.0.2.1"), Some(8), "asked before");
        assert_eq!(seconds(&throttle, "bob", "g", "198.51.100.1"), None, "of the user, too");
        assert_eq!(seconds(&throttle, "ann", "g", "192.0.2.1"), None, "from the address, too");
        assert_eq!(seconds(&throttle, "ann", "g", "198.51.100.1"), Some(0));
        // And so for those that we judge ourselves.
        assert_eq!(ask(&throttle, "bob", "right", "198.51.100.1").await.0, REFUSED);
        tokio::time::advance(Duration::from_secs(601)).await;
        assert_eq!(seconds(&throttle, "bob", "g", "192.0.2.1"), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_makes_its_place_known_and_guesses_from_there_unmake_it() {
        let throttle = throttle(4);
        throttle.note(&guess("bob", "right", "203.0.113.7"), false);
        throttle.note(&guess("bob", "right", "203.0.113.7"), true);
        assert_eq!(throttle.list(), [], "it was right after all");
        for tag in ["a", "b", "c", "d"] {
            throttle.note(&guess("bob", tag, "192.0.2.1"), false);
        }
        assert_eq!(seconds(&throttle, "bob", "right", "192.0.2.2"), None);
        assert_eq!(seconds(&throttle, "bob", "right", "203.0.113.7"), Some(0));
        for tag in ["e", "f", "g", "h"] {
            throttle.note(&guess("bob", tag, "203.0.113.7"), false);
        }
        assert_eq!(seconds(&throttle, "bob", "right", "203.0.113.7"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_excepted_is_not_counted() {
        let config = ThrottleConfig {
            except: std::sync::Arc::new(|ip| ip.is_loopback()),
            refuse_after: 1,
            ..ThrottleConfig::default()
        };
        let throttle = throttle_with(config);
        throttle.note(&guess("bob", "a", "127.0.0.1"), false);
        assert_eq!(throttle.list(), []);
        throttle.note(&guess("bob", "a", ""), false);
        assert_eq!(seconds(&throttle, "bob", "b", "192.0.2.1"), None);
        assert_eq!(seconds(&throttle, "bob", "b", "127.0.0.1"), Some(0));
    }
}
