//! The link to one daemon: made, watched, and made again for as long as the
//! client lives.
//!
//! ```text
//!            ┌──────── lost, closing ────────┐
//!            ▼                               │
//!   Trying ─▶ Down ── dial, greet ──▶ Second (many questions, pushes)
//!              ▲  ▲                  ▶ First (a few connections, no pushes)
//!              └──┘ backoff, with jitter
//! ```

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use dmail_authent::line::Request;
use dmail_core::{Proofs, Watcher};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::channel::Channel;
use super::config::{ClientConfig, Endpoint};
use super::dial::{self, Dialed};
use super::lines::Lines;
use super::plain::Plain;
use crate::wire::Push;

/// Pauses between attempts. The longest is short: a daemon that is back should
/// be used within two seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// How long a daemon that has gone is reckoned with: longer than a restart.
pub(super) const ABSENCE: Duration = Duration::from_secs(5);

/// What can be asked over a link now.
#[derive(Clone)]
pub(super) enum State {
    /// The first attempt is under way.
    Trying,
    /// Nothing, since when and why.
    Down(Instant, Arc<str>),
    /// One question at a time on each of a few connections.
    First(Arc<Plain>),
    /// Many questions at once.
    Second(Channel),
}

impl State {
    pub(super) fn is_up(&self) -> bool {
        matches!(self, Self::First(_) | Self::Second(_))
    }

    /// Whether the link is up, or was a moment ago.
    pub(super) fn was_lately_up(&self) -> bool {
        match self {
            Self::Down(since, _) => since.elapsed() < ABSENCE,
            Self::Trying => false,
            Self::First(_) | Self::Second(_) => true,
        }
    }
}

/// Who wants to hear of changes.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<Weak<dyn Watcher>>>);

impl Watchers {
    pub(super) fn add(&self, watcher: Weak<dyn Watcher>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(watcher);
    }

    pub(super) fn tell(&self, tell: impl Fn(&dyn Watcher)) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.iter().filter_map(Weak::upgrade).for_each(|watcher| tell(&*watcher));
    }
}

/// One daemon.
pub(super) struct Link {
    pub(super) server: Endpoint,
    config: Arc<ClientConfig>,
    watchers: Arc<Watchers>,
    state: watch::Sender<State>,
    /// What the daemon said at last, also while it is not there.
    proofs: Mutex<Proofs>,
}

impl Link {
    pub(super) fn new(
        server: Endpoint,
        config: Arc<ClientConfig>,
        watchers: Arc<Watchers>,
    ) -> Arc<Self> {
        let (state, proofs) = (watch::Sender::new(State::Trying), Mutex::default());
        Arc::new(Self { server, config, watchers, state, proofs })
    }

    /// Which proofs the daemon can judge, as far as it has said so.
    pub(super) fn proofs(&self) -> Proofs {
        *self.proofs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_proofs(&self, proofs: Proofs) {
        *self.proofs.lock().unwrap_or_else(PoisonError::into_inner) = proofs;
    }

    /// What can be asked now.
    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until the first attempt has succeeded or failed.
    pub(super) async fn tried(&self) -> State {
        self.until(|state| !matches!(state, State::Trying)).await
    }

    /// Waits until the link is up.
    pub(super) async fn up(&self) {
        self.until(State::is_up).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) -> State {
        let mut states = self.state.subscribe();
        match states.wait_for(|state| condition(state)).await {
            Ok(state) => state.clone(),
            Err(_) => self.state(), // The sender is ours: this cannot be.
        }
    }

    /// Takes the link down for good, after [`run`](Self::run) was ended.
    pub(super) fn close(&self) {
        let down = State::Down(Instant::now(), "closed".into());
        if let State::Second(channel) = self.state.send_replace(down) {
            channel.close();
        }
    }

    /// Keeps the link up. Ends only by being dropped.
    pub(super) async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        // The same trouble is logged once.
        let mut logged = String::new();
        loop {
            let dialed =
                timeout(self.config.connect_timeout, dial::dial(&self.server, &self.config));
            let why = match dialed.await {
                Ok(Ok(dialed)) => {
                    tracing::info!(server = %self.server, version = dialed.version(), "tcpauth daemon reached");
                    pause = FIRST_PAUSE;
                    logged.clear();
                    match dialed {
                        Dialed::First(lines) => self.first(lines).await,
                        Dialed::Second(lines, proofs) => self.second(lines, proofs).await,
                    }
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no connection in time".to_owned(),
            };
            if why == logged {
                tracing::debug!(server = %self.server, %why, "tcpauth daemon not reached");
            } else {
                tracing::warn!(server = %self.server, %why, "tcpauth daemon not reached");
                logged.clone_from(&why);
            }
            self.state.send_modify(|state| {
                let since = match state {
                    State::Down(since, _) => *since,
                    _ => Instant::now(),
                };
                *state = State::Down(since, why.into());
            });
            sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn second(&self, lines: Lines, proofs: Proofs) -> String {
        self.set_proofs(proofs);
        let channel = Channel::new(self.config.outstanding, proofs);
        self.state.send_replace(State::Second(channel.clone()));
        // Whatever was changed until now was not told to us.
        self.watchers.tell(|watcher| watcher.lost_track());
        let pushed = |push| match push {
            Push::Changed(user) => self.watchers.tell(|watcher| watcher.changed(&user)),
            Push::Lost => self.watchers.tell(|watcher| watcher.lost_track()),
            Push::Closing | Push::Fault(_) | Push::Pong => {}
        };
        channel.drive(lines, self.config.heartbeat, pushed).await.to_string()
    }

    /// Asks the daemon for its version now and then, until it does not answer.
    async fn first(&self, lines: Lines) -> String {
        self.set_proofs(Proofs::default());
        let plain = Arc::new(Plain::new(self.server.clone(), Arc::clone(&self.config), lines));
        self.state.send_replace(State::First(Arc::clone(&plain)));
        self.watchers.tell(|watcher| watcher.lost_track());
        loop {
            sleep(self.config.heartbeat).await;
            match timeout(self.config.heartbeat * 2, plain.ask(&Request::Version)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "nothing was heard of it".to_owned(),
            }
        }
    }
}

impl Dialed {
    fn version(&self) -> u32 {
        match self {
            Self::First(_) => 1,
            Self::Second(..) => 2,
        }
    }
}
