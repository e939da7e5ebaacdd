//! Throttling of guesses: counts *distinct* wrong passwords, for each user, for
//! each client address and for the network around it; delays before it
//! refuses, and spares whoever was let in lately.
//!
//! ```text
//!   check ─▶ known place of the user? ──yes──────────────┐
//!              │ no                                      ▼
//!            reserve: one guess more for the user,    ask the source ─▶ right: forget it
//!            the address and the network ──▶ room? ──▶   │              no answer: forget it
//!                                             │ no       ▼
//!                                             │        wrong: it counts; the answer waits
//!                                             ▼                for its turn
//!                             others undecided: waits for room, a little
//!                             all wrong: refused unasked, after the longest delay
//! ```
//!
//! - A guess is counted *before* the source is asked, so no number of parallel
//!   connections gets past the limit. It is taken back if the password was
//!   right or nobody could say.
//! - What is not decided yet is counted, but it refuses nobody: while the user
//!   base is slow, many logins behind one address wait for each other, and are
//!   told to come back if that takes too long. None of them is a wrong password.
//! - A device that repeats one old password is not an attack: the same wrong
//!   password for the same user counts once.
//! - Only the answer to a wrong password is delayed. Guesses from one address
//!   wait one behind the other, so that it gets a few answers a minute over
//!   however many connections; those that would wait too long are refused.
//! - A user who logged in lately from an address still gets in from there, so
//!   that nobody can lock the owner out by guessing. Whoever guesses *from*
//!   there loses that.
//! - A wrong password, an unknown user and a refusal have one text and one
//!   time: see [`pace`].
//! - Memory is bounded: see [`dmail_core::bounded`]. Nothing is written anywhere; after a
//!   restart all counts are zero.

mod config;
mod failures;
mod known;
mod pace;
mod report;
mod reservation;
mod told;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::bounded::Table;
use dmail_core::{
    Account, AuthRequest, Authenticator, CacheStatus, Change, Outcome, Proofs, Purpose, Rejection,
    RejectionKind, Search, SearchOutcome, TokenIssuer, Unavailable, UnavailableKind, Username,
    Verdict, Watcher,
};
use ipnet::IpNet;
use tokio::time::{Instant, sleep, sleep_until};

pub use config::{ClientFilter, ThrottleConfig};
pub use report::{Counted, Scope, Subject, Target};

use config::Places;
use failures::Failures;
use known::{Known, Place};
use pace::Pace;
use reservation::{Answer, Refused, Reservation};

/// How many users, addresses, networks and known places are remembered, each.
const REMEMBERED: usize = 65_536;
/// How long a login waits for others of its place to be decided.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks whether they are.
const LOOK: Duration = Duration::from_millis(50);

/// Slows guessing down in front of the source beneath.
pub struct Throttle {
    next: Arc<dyn Authenticator>,
    config: ThrottleConfig,
    /// Makes the tags of guesses: a keyed hash of user and password, under a
    /// key that lives as long as the process. A tag is compared with others
    /// and never leaves the process.
    tagger: RandomState,
    users: Arc<Table<Username, Failures>>,
    addresses: Arc<Table<IpNet, Failures>>,
    networks: Arc<Table<IpNet, Failures>>,
    /// Where users logged in from lately.
    known: Arc<Table<Place, Known>>,
    pace: Arc<Pace>,
}

impl Throttle {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, config: ThrottleConfig) -> Self {
        Self {
            next,
            config,
            tagger: RandomState::new(),
            users: Arc::new(Table::new(REMEMBERED)),
            addresses: Arc::new(Table::new(REMEMBERED)),
            networks: Arc::new(Table::new(REMEMBERED)),
            known: Arc::new(Table::new(REMEMBERED)),
            pace: Arc::new(Pace::new()),
        }
    }

    /// In front of `next`, and with other settings; what `old` has counted,
    /// and counts from now on, is common to both.
    #[must_use]
    pub fn succeeding(old: &Self, next: Arc<dyn Authenticator>, config: ThrottleConfig) -> Self {
        Self {
            next,
            config,
            tagger: old.tagger.clone(),
            users: Arc::clone(&old.users),
            addresses: Arc::clone(&old.addresses),
            networks: Arc::clone(&old.networks),
            known: Arc::clone(&old.known),
            pace: Arc::clone(&old.pace),
        }
    }

    async fn login(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let start = Instant::now();
        let user = &request.user;
        let places = self.config.places(request.origin.client);
        let place = Place { user: user.clone(), address: places.own };
        if self.enters_known(&place, start) {
            request.note("throttle", || "logged in from this address lately: not limited".into());
            let inside = known::Inside::new(&self.known, &place);
            let verdict = self.next.authenticate(request).await;
            match &verdict {
                Ok(Verdict::Accepted(_)) => inside.note_login(start),
                Ok(Verdict::Rejected(rejection)) if rejection.is_guess => {
                    drop(inside);
                    self.conclude_wrong_in_known(request, start, &place, &places).await;
                }
                Ok(Verdict::Rejected(_)) | Err(_) => {}
            }
            return verdict;
        }
        let tag = self.tag(request);
        let reservation = match self.reserve(user, &places, tag, start).await {
            Ok(reservation) => reservation,
            Err(Refused::Undecided) => {
                request.note("throttle", || Refused::Undecided.to_string());
                let detail = format!("throttle: {}", Refused::Undecided);
                return Err(Unavailable::new(UnavailableKind::Overloaded, detail));
            }
            Err(refused) => return Ok(self.refuse(request, start, refused).await),
        };
        request.note("throttle", || reservation.describe());
        let verdict = self.next.authenticate(request).await;
        match &verdict {
            Ok(Verdict::Accepted(_)) => {
                reservation.settle(Answer::Right);
                self.note_login(&place, start);
            }
            Ok(Verdict::Rejected(rejection)) if rejection.is_guess => {
                let until = reservation.settle(Answer::Wrong);
                self.answer_wrong(request, start, until).await;
            }
            Ok(Verdict::Rejected(_)) | Err(_) => {
                reservation.settle(Answer::None);
            }
        }
        verdict
    }

    /// The same from memory alone. What memory does not accept is no guess yet;
    /// what it does takes no time, so it is not counted while it is under way.
    fn recall_check(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        let account = self.next.recall(request)?;
        let start = Instant::now();
        let user = &request.user;
        let places = self.config.places(request.origin.client);
        let place = Place { user: user.clone(), address: places.own };
        if !self.is_known_to_log_in(&place, start) {
            let reservation = Reservation::make(self, user, &places, self.tag(request)).ok()?;
            reservation.settle(Answer::Right);
            self.note_login(&place, start);
        }
        Some(account)
    }

    /// Counts a guess, if it may be asked; waits a while for others whose
    /// answer decides that.
    async fn reserve<'a>(
        &'a self,
        user: &'a Username,
        places: &Places,
        tag: u64,
        start: Instant,
    ) -> Result<Reservation<'a>, Refused> {
        loop {
            match Reservation::make(self, user, places, tag) {
                Err(Refused::Undecided) if start.elapsed() < PATIENCE => sleep(LOOK).await,
                made => return made,
            }
        }
    }

    /// The end of a wrong password from a place that was known when it began.
    async fn conclude_wrong_in_known(
        &self,
        request: &AuthRequest,
        start: Instant,
        place: &Place,
        places: &Places,
    ) {
        let tag = self.tag(request);
        let reservation = Reservation::make_in_known(self, &request.user, places, tag);
        if reservation.is_new() {
            self.strike(place);
        }
        let until = reservation.settle(Answer::Wrong);
        self.answer_wrong(request, start, until).await;
    }

    /// Whether nothing is counted for the client, in whichever form its
    /// address came.
    fn excepts(&self, request: &AuthRequest) -> bool {
        request.origin.client.is_some_and(|client| (self.config.except)(client.to_canonical()))
    }

    /// What tells this guess from others. A password that is shown without being
    /// told looks different each time, so each of those is a guess of its own.
    fn tag(&self, request: &AuthRequest) -> u64 {
        let guess = match &request.purpose {
            Purpose::Check(secret) => secret.expose(),
            Purpose::Prove(proof) => proof.guess(),
            Purpose::Lookup | Purpose::Salt(_) => b"",
        };
        self.tagger.hash_one((request.user.as_str(), guess))
    }

    /// The refusal of a guess, which looks like a wrong password.
    async fn refuse(&self, request: &AuthRequest, start: Instant, refused: Refused) -> Verdict {
        request.note("throttle", || format!("{refused}: refused unasked"));
        let until = start + self.config.longest_delay;
        sleep_until(until.max(self.pace.due(start, Instant::now()))).await;
        let text = Rejection::not_verified(&request.user).text;
        Verdict::Rejected(Rejection::new(RejectionKind::Throttled, text))
    }

    /// Waits until the source's "no" may be told.
    async fn answer_wrong(&self, request: &AuthRequest, start: Instant, until: Instant) {
        let until = until.max(self.pace.note(start, Instant::now()));
        request.note("throttle", || {
            let wait = until.saturating_duration_since(Instant::now());
            format!("a wrong password: answered in {} ms", wait.as_millis())
        });
        sleep_until(until).await;
    }
}

#[async_trait]
impl Authenticator for Throttle {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if !request.purpose.is_login() {
            return self.next.authenticate(request).await;
        }
        if self.excepts(request) {
            request.note("throttle", || "the client is excepted".into());
            return self.next.authenticate(request).await;
        }
        self.login(request).await
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        match &request.purpose {
            Purpose::Check(_) if !self.excepts(request) => self.recall_check(request),
            _ => self.next.recall(request),
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.next.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.next.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.next.cache_status(reset)
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.next.watch(watcher);
    }

    fn proofs(&self) -> Proofs {
        self.next.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.next.token_issuer()
    }
}

#[cfg(test)]
mod tests;
