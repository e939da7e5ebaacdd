//! The log of the logins that sessions refuse themselves: each of them, and no
//! more than an operator can read. Nobody is asked about such a login, so no
//! throttle slows down who sends many, on one connection or on one for each.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dmail_net::log;
use tokio::time::Instant;

use super::{Manners, asking};
use crate::Refused;

/// How many of one socket are logged, each in a line.
const LINES: u32 = 20;
/// Within this time.
const WINDOW: Duration = Duration::from_secs(10);

/// What was logged of one socket lately.
pub(super) struct Refusals {
    dialect: &'static str,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    /// Since when lines are counted.
    since: Option<Instant>,
    lines: u32,
    /// How many there was no line for.
    left_out: u64,
}

impl Refusals {
    /// Nothing was logged yet.
    pub(super) fn new(dialect: &'static str) -> Self {
        Self { dialect, window: Mutex::default() }
    }

    /// Logs a login that `server` has asked about.
    pub(super) fn log(
        &self,
        mut refused: Refused,
        manners: &Manners,
        server: impl FnOnce() -> Option<String>,
    ) {
        if !self.has_line() {
            return;
        }
        asking::sign(&mut refused.origin, manners);
        let Refused { user, origin, reason, text } = refused;
        log::not_passed_on(user.as_ref(), &origin, server(), reason, &text);
    }

    /// Takes a line, if one is left.
    fn has_line(&self) -> bool {
        self.tell_left_out();
        let mut window = self.window();
        window.since.get_or_insert_with(Instant::now);
        let has_line = window.lines < LINES;
        match has_line {
            true => window.lines += 1,
            false => window.left_out += 1,
        }
        has_line
    }

    /// Logs how many there was no line for, if their time is over.
    pub(super) fn tell_left_out(&self) {
        let mut window = self.window();
        if window.since.is_some_and(|since| since.elapsed() >= WINDOW) {
            let over = std::mem::take(&mut *window);
            drop(window);
            self.tell(over.left_out);
        }
    }

    fn tell(&self, count: u64) {
        if count > 0 {
            tracing::info!(dialect = self.dialect, count, "more logins refused unasked");
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        let left_out = std::mem::take(&mut self.window().left_out);
        self.tell(left_out);
    }
}
