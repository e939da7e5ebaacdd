//! The log of the logins that a session refuses itself: each of them, and no
//! more than an operator can read.

use std::time::Duration;

use tokio::time::Instant;

use super::{Manners, asking};
use crate::Refused;

/// How many of one connection are logged, each in a line.
const LINES: u32 = 20;
/// Within this time.
const WINDOW: Duration = Duration::from_secs(10);

/// What was logged of one connection lately.
#[derive(Default)]
pub(super) struct Refusals {
    /// Since when lines are counted.
    since: Option<Instant>,
    lines: u32,
    /// How many there was no line for.
    left_out: u64,
}

impl Refusals {
    /// Logs a login that `server` has asked about.
    pub(super) fn log(&mut self, mut refused: Refused, manners: &Manners, server: Option<String>) {
        let now = Instant::now();
        if self.since.is_none_or(|since| now >= since + WINDOW) {
            self.tell_left_out(manners);
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines == LINES {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        asking::sign(&mut refused.origin, manners);
        let Refused { user, origin, reason, text } = refused;
        tracing::info!(
            service = %origin.service,
            dialect = origin.dialect,
            user = user.as_ref().map(tracing::field::debug),
            client = origin.client.map(tracing::field::display),
            transport = origin.transport.name(),
            session = origin.session.map(tracing::field::display),
            server,
            reason,
            ?text,
            "login refused"
        );
    }

    /// Logs how many there was no line for.
    pub(super) fn tell_left_out(&mut self, manners: &Manners) {
        let count = std::mem::take(&mut self.left_out);
        if count > 0 {
            tracing::info!(dialect = manners.dialect, count, "more logins refused unasked");
        }
    }
}
