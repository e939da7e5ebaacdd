//! The users of this machine, as the servers ask them: through helpers.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dmail_authent::line::Quoting;
use dmail_authent::pool::{Pool, PoolConfig};
use dmail_core::config::ConfigError;
use dmail_core::{
    AuthRequest, Authenticator, Purpose, Rejection, RejectionKind, Search, SearchOutcome,
    Unavailable, UnavailableKind, Verdict,
};

use crate::local::{self, LocalError};
use crate::settings::{self, Method, UnixSettings};
use crate::{names, refusal};

/// Helpers for questions without a password. They have to themselves what a
/// guesser can keep the others busy with.
const LOOKUP_HELPERS: usize = 2;

/// A "no" to a login is given at the next multiple of this time, so that it
/// does not tell whether there was a hash to compute. It is many times what a
/// hash takes.
const STEP: Duration = Duration::from_millis(100);

/// The longest line of a helper: a drop path, and a full name.
const MAX_REPLY_BYTES: usize = 16 * 1024;

/// The users of this machine.
pub struct UnixUsers {
    checks: Pool,
    lookups: Pool,
}

/// Why the users of this machine cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `unixauth.ini` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What the file asks for is not there.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// There is nothing to start helpers with.
    #[error("this program cannot be started as a helper")]
    Launcher,
}

impl UnixUsers {
    /// Starts the helpers: `launcher` is the program and the words that make it
    /// run another command line, and `file` is `unixauth.ini`. Must be called
    /// within a runtime.
    ///
    /// # Errors
    ///
    /// If the file is wrong, or asks for PAM where there is none. That helpers
    /// may not read passwords is found out when they are asked.
    pub fn open(file: &Path, launcher: &[OsString]) -> Result<Self, OpenError> {
        let (settings, warnings) = settings::read(file)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let method = local::method(&settings.password)?;
        let service = (method == Method::Pam).then_some(&settings.password.pam_service);
        tracing::info!(method = method.name(), service, "unix_user: how passwords are verified");
        let program = launcher.first().ok_or(OpenError::Launcher)?;
        let mut command: Vec<OsString> = vec![program.clone()];
        command.extend(["unixauth", "-helper", "-ini"].map(OsString::from));
        command.push(file.into());
        // A helper that starts later, while the rules are being replaced, would
        // choose otherwise and pass them by.
        command.extend(["-method", method.name()].map(OsString::from));
        let config = pool_config(&settings, command, launcher.to_vec());
        let lookups = PoolConfig { number: LOOKUP_HELPERS, ..config.clone() };
        Ok(Self { checks: Pool::start(config), lookups: Pool::start(lookups) })
    }
}

fn pool_config(
    settings: &UnixSettings,
    command: Vec<OsString>,
    launcher: Vec<OsString>,
) -> PoolConfig {
    let helpers = &settings.helpers;
    PoolConfig {
        launcher,
        number: helpers.helpers,
        timeout: helpers.timeout,
        queue_length: helpers.queue,
        queue_age: helpers.timeout,
        max_reply: MAX_REPLY_BYTES,
        quoting: Quoting { utf8: false, percent: true },
        ..PoolConfig::new(command)
    }
}

#[async_trait]
impl Authenticator for UnixUsers {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let is_check = matches!(request.purpose, Purpose::Check(_));
        let asked = Instant::now();
        let answer = match &request.purpose {
            // The same no, in the same time, as for everybody else.
            _ if !names::is_sane(user) => Ok(Verdict::Rejected(nobody(request))),
            Purpose::Check(_) => self.checks.authenticate(request).await,
            Purpose::Lookup => self.lookups.authenticate(request).await,
            Purpose::Prove(_) | Purpose::Salt(_) => {
                return Ok(Verdict::Rejected(Rejection::unsupported()));
            }
        };
        let verdict = match answer {
            Ok(Verdict::Rejected(no)) => Verdict::Rejected(refusal::understood(user, no)),
            Ok(accepted) => accepted,
            Err(error) => return Err(in_our_words(error)),
        };
        if is_check && matches!(verdict, Verdict::Rejected(_)) {
            tokio::time::sleep(rest_of_step(asked.elapsed())).await;
        }
        Ok(verdict)
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        match self.lookups.search(search).await {
            Ok(SearchOutcome::Refused(no)) if no.kind == RejectionKind::Unsupported => {
                let kind = RejectionKind::BadInput;
                Ok(SearchOutcome::Refused(Rejection { kind, ..no }))
            }
            answer => answer.map_err(in_our_words),
        }
    }

    /// PAM is told the client's address, and its modules may decide by it.
    fn sees_address(&self) -> bool {
        true
    }

    async fn close(&self) {
        tokio::join!(self.checks.shutdown(), self.lookups.shutdown());
    }
}

fn nobody(request: &AuthRequest) -> Rejection {
    match request.purpose {
        Purpose::Lookup => Rejection::unknown_user(&request.user),
        _ => Rejection::not_verified(&request.user),
    }
}

/// How long to wait until the next multiple of [`STEP`].
fn rest_of_step(elapsed: Duration) -> Duration {
    let steps = u32::try_from(elapsed.as_millis() / STEP.as_millis()).unwrap_or(u32::MAX);
    STEP.saturating_mul(steps.saturating_add(1)).saturating_sub(elapsed)
}

/// The pool speaks of the settings that modules have in dmail.conf.
fn in_our_words(error: Unavailable) -> Unavailable {
    let text = match error.kind {
        UnavailableKind::Timeout => {
            "unixauth: no answer within `timeout` of unixauth.ini; \
             a module of PAM or NSS hangs, see the log of the system"
        }
        UnavailableKind::Overloaded => {
            "unixauth: all helpers are busy, see `helpers` and `queue` in unixauth.ini"
        }
        UnavailableKind::Dead if error.detail.contains("authent_process") => {
            "unixauth: no helper stays alive, see what it writes to the log"
        }
        _ => return Unavailable { detail: format!("unixauth: {}", error.detail), ..error },
    };
    Unavailable::new(error.kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_waits_for_the_next_step() {
        for (elapsed, expected) in [(0, 100), (7, 93), (99, 1), (100, 100), (1234, 66)] {
            let rest = rest_of_step(Duration::from_millis(elapsed));
            assert_eq!(rest, Duration::from_millis(expected), "{elapsed} ms");
        }
        let _ = rest_of_step(Duration::MAX);
    }

    #[test]
    fn trouble_is_told_in_the_words_of_unixauth_ini() {
        let full = Unavailable::new(UnavailableKind::Overloaded, "see authent_number");
        assert!(in_our_words(full).detail.contains("`helpers`"));
        let dead = Unavailable::new(UnavailableKind::Dead, "pam: words");
        assert_eq!(in_our_words(dead).detail, "unixauth: pam: words");
    }
}
