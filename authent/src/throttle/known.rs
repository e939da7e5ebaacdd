//! Where users logged in from lately.

use std::time::Duration;

use dmail_core::Username;
use dmail_core::bounded::{Entry, Table};
use ipnet::IpNet;
use tokio::time::Instant;

use super::Throttle;

/// Questions at a time from one known place; those beyond are counted before
/// they are asked, like everybody's.
const AT_ONCE: u32 = 16;

/// A user and where he is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) user: Username,
    /// `None`: this machine.
    pub(super) address: Option<IpNet>,
}

/// What is known of a place.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last login.
    seen: Option<Instant>,
    /// Questions that are under way.
    asking: u32,
    /// Wrong passwords since then.
    strikes: usize,
}

impl Known {
    fn is_fresh(&self, known_for: Duration, now: Instant) -> bool {
        self.seen.is_some_and(|seen| now.saturating_duration_since(seen) < known_for)
    }

    /// The user has shown the right password.
    fn note_login(&mut self, now: Instant) {
        self.seen = Some(now);
        self.strikes = 0;
    }

    fn leave(&mut self) {
        self.asking = self.asking.saturating_sub(1);
    }
}

impl Entry for Known {
    type Worth = Option<Instant>;

    fn is_empty(&self) -> bool {
        self.seen.is_none() && self.asking == 0
    }

    fn worth(&self) -> Self::Worth {
        self.seen
    }
}

/// One question from a known place. Dropped when it is answered, or when
/// nobody waits for the answer any more.
pub(super) struct Inside<'a> {
    table: &'a Table<Place, Known>,
    place: &'a Place,
    login: Option<Instant>,
}

impl<'a> Inside<'a> {
    pub(super) fn new(table: &'a Table<Place, Known>, place: &'a Place) -> Self {
        Self { table, place, login: None }
    }

    /// Ends it with the right password.
    pub(super) fn note_login(mut self, now: Instant) {
        self.login = Some(now);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        match self.login {
            Some(now) => self.table.with(self.place, |known| {
                known.leave();
                known.note_login(now);
            }),
            None => {
                self.table.with_present(self.place, Known::leave);
            }
        }
    }
}

impl Throttle {
    /// Whether the user logged in from there lately and not too many questions
    /// are under way from there. If so, one more is.
    pub(super) fn enters_known(&self, place: &Place, now: Instant) -> bool {
        let enter = |known: &mut Known| {
            let enters = known.is_fresh(self.config.known_for, now) && known.asking < AT_ONCE;
            known.asking += u32::from(enters);
            enters
        };
        self.known.with_present(place, enter).unwrap_or(false)
    }

    /// Whether the user, who has shown the right password there, logged in from
    /// there lately; if so, this is the last login now.
    pub(super) fn is_known_to_log_in(&self, place: &Place, now: Instant) -> bool {
        let log_in = |known: &mut Known| {
            let fresh = known.is_fresh(self.config.known_for, now);
            if fresh {
                known.note_login(now);
            }
            fresh
        };
        self.known.with_present(place, log_in).unwrap_or(false)
    }

    /// Whether the user logged in from there lately.
    pub(super) fn is_known(&self, place: &Place, now: Instant) -> bool {
        let fresh = |known: &mut Known| known.is_fresh(self.config.known_for, now);
        self.known.with_present(place, fresh).unwrap_or(false)
    }

    /// The user has shown the right password there.
    pub(super) fn note_login(&self, place: &Place, now: Instant) {
        self.known.with(place, |known| known.note_login(now));
    }

    /// A new wrong password from a known place; with too many of them it is
    /// known no longer.
    pub(super) fn strike(&self, place: &Place) {
        let limit = self.config.limit();
        self.known.with_present(place, |known| {
            known.strikes += 1;
            if known.strikes >= limit {
                known.seen = None;
            }
        });
    }
}
