//! The passwords that a child was told lately, to leave them out of what it
//! says.
//!
//! Standard error is a pipe of its own: a line is often read when the answer
//! has been, and perhaps the next question put. So a password is remembered
//! for a while beyond its question, but not for ever.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dmail_core::Secret;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::line::Quoting;

/// How many passwords are remembered for one child.
const MOST: usize = 32;
/// What stands in their place: no longer than the shortest password, so that no
/// number of them can make a text grow.
const HIDDEN: &str = "*";

/// The latest passwords, the last one last.
#[derive(Debug)]
pub(super) struct RecentSecrets {
    quoting: Quoting,
    secrets: Mutex<VecDeque<(Secret, Instant)>>,
}

impl RecentSecrets {
    /// None yet, for a child that is written to with this quoting.
    pub(super) fn new(quoting: Quoting) -> Self {
        Self { quoting, secrets: Mutex::default() }
    }

    /// Remembers a password.
    pub(super) fn add(&self, secret: &Secret) {
        let mut secrets = self.lock();
        secrets.retain(|(known, _)| known != secret);
        if secrets.len() == MOST {
            secrets.pop_front();
        }
        secrets.push_back((secret.clone(), Instant::now()));
    }

    /// Forgets those that were told longer ago than this.
    pub(super) fn forget(&self, age: Duration) {
        self.lock().retain(|(_, told)| told.elapsed() <= age);
    }

    /// `text` without any of them.
    pub(super) fn hide(&self, text: &str) -> String {
        let secrets = self.lock();
        secrets.iter().fold(text.to_owned(), |text, (secret, _)| hide(&text, secret, self.quoting))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Secret, Instant)>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `text` without the secret, neither as it is nor as it was written for the
/// child.
pub(super) fn hide(text: &str, secret: &Secret, quoting: Quoting) -> String {
    let mut written = Zeroizing::new(Vec::new());
    // What cannot be written was never told.
    let _ = quoting.write(&mut written, "password", secret.expose());
    let forms = [secret.expose(), &written].map(std::str::from_utf8);
    let forms = forms.into_iter().flatten().filter(|form| !form.is_empty());
    forms.fold(text.to_owned(), |text, form| text.replace(form, HIDDEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_is_hidden_for_a_while_beyond_its_question() {
        let recent = RecentSecrets::new(Quoting::default());
        for password in ["first-one", "second-one", "first-one"] {
            recent.add(&secret(password));
            tokio::time::advance(Duration::from_secs(4)).await;
        }
        let said = "first-one is wrong, and so is second-one, but not third-one";
        assert_eq!(recent.hide(said), "* is wrong, and so is *, but not third-one");
        recent.forget(Duration::from_secs(5));
        assert_eq!(recent.hide(said), "* is wrong, and so is second-one, but not third-one");
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let recent = RecentSecrets::new(Quoting::default());
        (0..=MOST).for_each(|n| recent.add(&secret(&format!("password{n:03}"))));
        let (oldest, latest) = ("password000".to_owned(), format!("password{MOST:03}"));
        assert_eq!(recent.hide(&oldest), oldest);
        assert_eq!(recent.hide(&latest), HIDDEN);
    }

    #[test]
    fn the_written_form_is_hidden_too() {
        let quoting = Quoting { percent: true, ..Quoting::default() };
        let hidden = hide("'a b' or a%20b", &secret("a b"), quoting);
        assert_eq!(hidden, "'*' or *");
    }
}
