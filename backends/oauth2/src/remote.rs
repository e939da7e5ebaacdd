//! The issuer's list of keys, fetched and kept.
//!
//! ```text
//!   a task:   fetch ─▶ good: keep it, and rest for jwks_refresh
//!               ▲      bad:  keep the old one, and rest for 1 s, 2 s, 4 s … 60 s
//!               └── woken by a token that needs a key which is not there,
//!                   but not more often than once in ten seconds (one, after a failure)
//! ```
//!
//! A login only waits for a fetch if the keys that are there cannot judge its
//! token.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::claims::Refusal;
use crate::jws::Jws;
use crate::keys::{Algorithm, KeySet};
use crate::web::{Manners, Service, Url};

/// Longest list of keys, in bytes.
const MAX_LIST: usize = 256 * 1024;

/// The last list of each address. Every reload makes a new source, also one that
/// only begins a new log file: it must not cost the keys while the issuer is down.
static KNOWN: LazyLock<Mutex<HashMap<String, Arc<KeySet>>>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, HashMap<String, Arc<KeySet>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the issuer is left alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rests {
    /// How old a list is at least before a token has it fetched again: anybody
    /// can name a key that is not there.
    pub(crate) min_age: Duration,
    /// The same after a failure, and the first rest after one.
    pub(crate) after_failure: Duration,
    /// The longest rest after a failure.
    pub(crate) longest: Duration,
}

impl Rests {
    /// What is asked of a real issuer.
    pub(crate) const USUAL: Self = Self {
        min_age: Duration::from_secs(10),
        after_failure: Duration::from_secs(1),
        longest: Duration::from_secs(60),
    };

    /// The rest after so many failures.
    fn backoff(self, failures: u32) -> Duration {
        let doubled = self.after_failure.saturating_mul(1 << failures.saturating_sub(1).min(10));
        doubled.min(self.longest)
    }
}

/// The list and the task that keeps it fresh.
pub(crate) struct RemoteKeys {
    shared: Arc<Shared>,
    /// Ends with the task.
    state: watch::Receiver<State>,
    task: AbortHandle,
}

struct Shared {
    service: Service,
    refresh: Duration,
    rests: Rests,
    wanted: Notify,
}

#[derive(Clone, Default)]
struct State {
    /// The last list that could be read.
    keys: Option<Arc<KeySet>>,
    /// When the last fetch ended, and how.
    last: Option<(Instant, Result<(), Unavailable>)>,
    /// How many fetches have ended.
    fetches: u64,
}

impl RemoteKeys {
    /// Begins to fetch. Must be called within the runtime.
    pub(crate) fn start(url: Url, refresh: Duration, manners: Manners, rests: Rests) -> Self {
        let shared = Arc::new(Shared {
            service: Service::new(url, manners),
            refresh,
            rests,
            wanted: Notify::new(),
        });
        let keys = known().get(&shared.service.url().to_string()).cloned();
        let (told, state) = watch::channel(State { keys, ..State::default() });
        let task = tokio::spawn(Arc::clone(&shared).keep(told)).abort_handle();
        Self { shared, state, task }
    }

    /// Whether the issuer has signed the token, by a key that is in the list or,
    /// if it may have got new ones since, in the next.
    ///
    /// # Errors
    ///
    /// If the issuer cannot be asked about a key that is not there.
    pub(crate) async fn have_signed(
        &self,
        token: &Jws<'_>,
        algorithm: Algorithm,
    ) -> Result<Result<(), Refusal>, Unavailable> {
        let keys = self.keys_for(token.key_name()).await?;
        let signed = token.is_signed_by(&keys, algorithm);
        // A list of keys without names does not tell that one was replaced.
        if signed != Err(Refusal::Signature) || keys.has_named(token.key_name()) {
            return Ok(signed);
        }
        let state = self.state.borrow().clone();
        Ok(token.is_signed_by(&*self.renewed(state).await?, algorithm))
    }

    /// The list, with a key for this name if the issuer has one: if there is
    /// none, the list is fetched first.
    ///
    /// # Errors
    ///
    /// If the issuer cannot be asked about a key that is not there.
    pub(crate) async fn keys_for(&self, name: Option<&str>) -> Result<Arc<KeySet>, Unavailable> {
        let state = self.state.borrow().clone();
        match state.keys.as_ref().filter(|keys| keys.has(name)) {
            Some(keys) => Ok(Arc::clone(keys)),
            None => self.renewed(state).await,
        }
    }

    /// The list as the issuer has it now, or had it just now.
    async fn renewed(&self, state: State) -> Result<Arc<KeySet>, Unavailable> {
        match &state.last {
            // It was just asked: there is no such key.
            Some((at, Ok(()))) if at.elapsed() < self.shared.rests.min_age => {
                return state.answer();
            }
            Some((at, Err(_))) if at.elapsed() < self.shared.rests.after_failure => {
                return state.answer();
            }
            _ => {}
        }
        self.shared.wanted.notify_one();
        // The fetch has a deadline of its own.
        let mut watching = self.state.clone();
        match watching.wait_for(|now| now.fetches > state.fetches).await {
            Ok(now) => now.answer(),
            Err(_) => Err(closed()),
        }
    }

    /// Ends the task.
    pub(crate) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// The list, if it is as the issuer has it.
    fn answer(&self) -> Result<Arc<KeySet>, Unavailable> {
        match (&self.last, &self.keys) {
            (Some((_, Err(error))), _) => Err(error.clone()),
            (Some((_, Ok(()))), Some(keys)) => Ok(Arc::clone(keys)),
            _ => Err(closed()),
        }
    }
}

fn closed() -> Unavailable {
    Unavailable::new(UnavailableKind::ShuttingDown, "the issuer's keys are not asked for any more")
}

impl Shared {
    async fn keep(self: Arc<Self>, told: watch::Sender<State>) {
        let mut failures = 0;
        loop {
            let fetched = self.fetch().await;
            self.note(&fetched, &mut failures);
            let (rest, at_least) = match &fetched {
                Ok(_) => (jittered(self.refresh), self.rests.min_age),
                Err(_) => (jittered(self.rests.backoff(failures)), self.rests.after_failure),
            };
            let begun = Instant::now();
            told.send_modify(|state| {
                state.fetches += 1;
                state.last = Some((begun, fetched.as_ref().map(|_| ()).map_err(Clone::clone)));
                if let Ok(keys) = fetched {
                    let keys = Arc::new(keys);
                    known().insert(self.service.url().to_string(), Arc::clone(&keys));
                    state.keys = Some(keys);
                }
            });
            tokio::select! {
                () = sleep(rest) => {}
                () = self.wanted.notified() => sleep_until(begun + at_least).await,
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, Unavailable> {
        let answer = self.service.get(MAX_LIST).await?;
        let url = self.service.url();
        if answer.status != 200 {
            let detail = format!("{url}: status {} and no list of keys", answer.status);
            return Err(Unavailable::new(UnavailableKind::Fault, detail));
        }
        KeySet::parse(&answer.body)
            .map_err(|why| Unavailable::new(UnavailableKind::Fault, format!("{url}: {why}")))
    }

    /// Logs when the issuer is lost and when it is back.
    fn note(&self, fetched: &Result<KeySet, Unavailable>, failures: &mut u32) {
        let url = self.service.url();
        match fetched {
            Ok(keys) if *failures > 0 => {
                tracing::info!(%url, keys = keys.len(), "the issuer's keys are fetched again");
            }
            Ok(keys) => tracing::debug!(%url, keys = keys.len(), "the issuer's keys"),
            Err(error) if *failures == 0 => {
                tracing::warn!(%error, "the issuer's keys cannot be fetched; known ones go on");
            }
            Err(_) => {}
        }
        *failures = if fetched.is_ok() { 0 } else { failures.saturating_add(1) };
    }
}

/// A tenth more at most, so that many gateways do not ask at once.
fn jittered(rest: Duration) -> Duration {
    rest + rest.mul_f64(rand::random::<f64>() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_after_failures_grows_up_to_a_minute() {
        let seconds: Vec<u64> =
            (1..9).map(|failures| Rests::USUAL.backoff(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(Rests::USUAL.backoff(u32::MAX), Rests::USUAL.longest);
    }
}
