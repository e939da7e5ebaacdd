//! Logins that somebody else judges: a server that checks passwords itself,
//! asks before whether it may, and tells what came of it.

use std::sync::Arc;
use std::time::Duration;

use crate::{Origin, Username};

/// One password tried for one user, elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The name as the client gave it.
    pub user: Username,
    /// Where the login comes from.
    pub origin: Origin,
    /// What tells this password from others of the same user: a hash of it,
    /// which may be short. It is compared and never logged.
    pub tag: Box<[u8]>,
}

/// What to do with a login before its password is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Check it.
    Allow,
    /// Check it after this time.
    Delay(Duration),
    /// Refuse it like a wrong password, and check nothing.
    Refuse,
}

/// Whoever counts wrong passwords that are judged elsewhere.
pub trait Guesses: Send + Sync {
    /// What to do with a login. Counts nothing.
    fn weigh(&self, guess: &Guess) -> Advice;

    /// The password was `right`, or it counts as wrong.
    fn note(&self, guess: &Guess, right: bool);
}

impl<G: Guesses + ?Sized> Guesses for Arc<G> {
    fn weigh(&self, guess: &Guess) -> Advice {
        (**self).weigh(guess)
    }

    fn note(&self, guess: &Guess, right: bool) {
        (**self).note(guess, right);
    }
}
