//! Logins that were accepted and that a mail process is yet to take up.
//!
//! ```text
//!   imap-login ── AUTH 7 … ──▶ auth listener ── OK 7 ──▶ imap-login ──▶ imap
//!                                   │ put                                 │
//!                                 Logins ◀──take── master listener ◀── REQUEST pid 7 cookie
//! ```
//!
//! The cookie is the secret of the connection that the login was made on. Each
//! login can be taken up once, and not for long.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dmail_core::Username;

/// How long a mail process may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many logins may wait; of more, the oldest are forgotten.
const MOST: usize = 100_000;

/// Names the connection of a login process.
pub type Cookie = [u8; 16];

/// Accepted logins, common to the auth listeners and the master listeners.
#[derive(Debug, Default)]
pub struct Logins {
    /// Whether there is a master listener. Without one, nobody would take a
    /// login up, and none is kept.
    taken_up: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    logins: HashMap<(Cookie, u32), Login>,
    /// The oldest first, those that were taken up included.
    order: VecDeque<(Instant, Cookie, u32)>,
}

#[derive(Debug)]
struct Login {
    client_pid: u32,
    user: Username,
}

impl Logins {
    /// Nobody has logged in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on there is a master listener.
    pub fn will_be_taken_up(&self) {
        self.taken_up.store(true, Ordering::Relaxed);
    }

    /// A login was accepted, as the request `id` of the process `client_pid`.
    pub(super) fn put(&self, cookie: Cookie, client_pid: u32, id: u32, user: Username) {
        if self.taken_up.load(Ordering::Relaxed) {
            self.put_at(Instant::now(), cookie, client_pid, id, user);
        }
    }

    fn put_at(&self, now: Instant, cookie: Cookie, client_pid: u32, id: u32, user: Username) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.forget_old(now, MOST - 1);
        waiting.logins.insert((cookie, id), Login { client_pid, user });
        waiting.order.push_back((now, cookie, id));
    }

    /// Who made the login that is named so.
    pub(super) fn take(&self, cookie: Cookie, client_pid: u32, id: u32) -> Option<Username> {
        self.take_at(Instant::now(), cookie, client_pid, id)
    }

    fn take_at(&self, now: Instant, cookie: Cookie, client_pid: u32, id: u32) -> Option<Username> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.forget_old(now, MOST);
        let login = waiting.logins.get(&(cookie, id))?;
        if login.client_pid != client_pid {
            return None;
        }
        waiting.logins.remove(&(cookie, id)).map(|login| login.user)
    }
}

impl Waiting {
    /// Forgets those that nobody took up in time, and all beyond `most`.
    fn forget_old(&mut self, now: Instant, most: usize) {
        while let Some((at, cookie, id)) = self.order.front().copied() {
            let is_old = now.saturating_duration_since(at) > PATIENCE;
            if !is_old && self.order.len() <= most {
                break;
            }
            self.logins.remove(&(cookie, id));
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> Username {
        Username::parse(name.as_bytes()).expect("a name")
    }

    #[test]
    fn a_login_is_taken_up_once_by_whoever_knows_its_secret() {
        let logins = Logins::new();
        logins.put([1; 16], 77, 5, user("bob"));
        assert_eq!(logins.take([1; 16], 77, 5), None, "there was nobody to take it up");
        logins.will_be_taken_up();
        logins.put([1; 16], 77, 5, user("bob"));
        assert_eq!(logins.take([2; 16], 77, 5), None);
        assert_eq!(logins.take([1; 16], 78, 5), None);
        assert_eq!(logins.take([1; 16], 77, 6), None);
        assert_eq!(logins.take([1; 16], 77, 5), Some(user("bob")));
        assert_eq!(logins.take([1; 16], 77, 5), None);
    }

    #[test]
    fn a_login_that_nobody_takes_up_is_forgotten() {
        let (logins, start) = (Logins::new(), Instant::now());
        logins.put_at(start, [1; 16], 77, 5, user("bob"));
        let later = start + PATIENCE + Duration::from_millis(1);
        assert_eq!(logins.take_at(later, [1; 16], 77, 5), None);
        for id in 0..MOST as u32 + 10 {
            logins.put_at(later, [1; 16], 77, id, user("bob"));
        }
        let waiting = logins.waiting.lock().expect("no other test");
        assert_eq!((waiting.logins.len(), waiting.order.len()), (MOST, MOST));
    }
}
