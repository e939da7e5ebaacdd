//! Throttling of guesses: counts *distinct* wrong passwords, for each user and
//! for each client network, delays before it refuses, and spares whoever was
//! let in lately.
//!
//! - A device that repeats one old password is not an attack: the same wrong
//!   password counts once.
//! - The answer to a wrong password is delayed; nobody else waits. Right
//!   passwords are never delayed.
//! - Beyond [`ThrottleConfig::refuse_after`] distinct wrong passwords within
//!   [`ThrottleConfig::window`] the source is not asked any more, and the
//!   answer is the same as to a wrong password, after the longest delay.
//! - A user who logged in lately from a network still gets in from there, so
//!   that nobody can lock the owner out by guessing.

use std::collections::VecDeque;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Purpose, Rejection, RejectionKind, Search,
    SearchOutcome, Secret, Unavailable, Username, Verdict,
};
use tokio::time::{Instant, sleep};

use crate::keyed::Tagger;

/// How many users, networks and known pairs are remembered, each.
const REMEMBERED: u64 = 100_000;
/// No failure yet.
const NEVER: u64 = u64::MAX;
/// Distinct wrong passwords that cost no delay: typing errors.
const FREE: usize = 3;

/// Settings of the throttle.
#[derive(Clone)]
pub struct ThrottleConfig {
    /// Longest delay of the answer to a wrong password (`throttle_delay_max`).
    /// Zero turns delays off.
    pub longest_delay: Duration,
    /// Distinct wrong passwords of one user, or from one network, after which
    /// the source is not asked (`throttle_failures`). 0 turns refusing off.
    pub refuse_after: usize,
    /// How long a wrong password counts (`throttle_window`).
    pub window: Duration,
    /// How long a login makes its network known for the user.
    pub known_for: Duration,
    /// Clients that are never counted or delayed (`throttle_except`), for
    /// instance the web mail host, behind which everybody sits.
    pub except: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            longest_delay: Duration::from_secs(15),
            refuse_after: 30,
            window: Duration::from_secs(600),
            known_for: Duration::from_secs(12 * 60 * 60),
            except: Arc::new(|_| false),
        }
    }
}

impl std::fmt::Debug for ThrottleConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThrottleConfig")
            .field("longest_delay", &self.longest_delay)
            .field("refuse_after", &self.refuse_after)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Slows guessing down in front of the source beneath.
pub struct Throttle {
    next: Arc<dyn Authenticator>,
    config: ThrottleConfig,
    tagger: Tagger,
    users: Counters<Username>,
    networks: Counters<IpAddr>,
    /// When a wrong password was counted last, in milliseconds after `started`.
    /// Long after that no count is worth looking up.
    last_failure: AtomicU64,
    started: Instant,
    /// Where users logged in from lately.
    known: moka::sync::Cache<(Username, Option<IpAddr>), Instant>,
}

/// Counts the distinct wrong passwords of each key.
struct Counters<K>(moka::sync::Cache<K, Arc<Mutex<Failures>>>);

/// The wrong passwords of one user or one network, the latest last.
#[derive(Default)]
struct Failures(VecDeque<(u128, Instant)>);

impl Throttle {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, config: ThrottleConfig) -> Self {
        Self {
            next,
            tagger: Tagger::new(),
            users: Counters::new(config.window),
            networks: Counters::new(config.window),
            last_failure: AtomicU64::new(NEVER),
            started: Instant::now(),
            known: moka::sync::Cache::new(REMEMBERED),
            config,
        }
    }

    async fn check(&self, request: &AuthRequest, secret: &Secret) -> Result<Verdict, Unavailable> {
        let network = request.origin.client.map(network_of);
        if self.must_refuse(request, network) {
            request.note("throttle", || "too many wrong passwords lately: refused unasked".into());
            sleep(self.config.longest_delay).await;
            let text = Rejection::not_verified(&request.user).text;
            return Ok(Verdict::Rejected(Rejection::new(RejectionKind::Throttled, text)));
        }
        let verdict = self.next.authenticate(request).await;
        match &verdict {
            Ok(Verdict::Accepted(_)) => self.note_success(&request.user, network),
            Ok(Verdict::Rejected(_)) => self.note_failure(request, secret, network).await,
            Err(_) => {}
        }
        verdict
    }

    fn must_refuse(&self, request: &AuthRequest, network: Option<IpAddr>) -> bool {
        let limit = self.config.refuse_after;
        if limit == 0 || self.is_quiet() {
            request.note("throttle", || "nobody guessed lately".into());
            return false;
        }
        let worst = self.worst(&request.user, network);
        request
            .note("throttle", || format!("{worst} distinct wrong passwords lately, limit {limit}"));
        worst >= limit && !self.is_known(&request.user, network)
    }

    /// Whether nobody failed within the window.
    fn is_quiet(&self) -> bool {
        match self.last_failure.load(Ordering::Relaxed) {
            NEVER => true,
            at => self.now().saturating_sub(at) > self.config.window.as_millis() as u64,
        }
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The higher one of the user's and the network's counts.
    fn worst(&self, user: &Username, network: Option<IpAddr>) -> usize {
        let window = self.config.window;
        let from_network = network.map_or(0, |network| self.networks.count(&network, window));
        self.users.count(user, window).max(from_network)
    }

    fn is_known(&self, user: &Username, network: Option<IpAddr>) -> bool {
        let seen = self.known.get(&(user.clone(), network));
        seen.is_some_and(|seen| seen.elapsed() < self.config.known_for)
    }

    fn note_success(&self, user: &Username, network: Option<IpAddr>) {
        let key = (user.clone(), network);
        let half = self.config.known_for / 2;
        if self.known.get(&key).is_none_or(|seen| seen.elapsed() > half) {
            self.known.insert(key, Instant::now());
        }
    }

    async fn note_failure(&self, request: &AuthRequest, secret: &Secret, network: Option<IpAddr>) {
        self.last_failure.store(self.now(), Ordering::Relaxed);
        let tag = self.tagger.tag(secret).bits();
        self.users.add(&request.user, tag, self.config.window, self.config.refuse_after);
        if let Some(network) = network {
            // The same password for two users is two guesses.
            let tag = self.tagger.guess(&request.user, secret).bits();
            self.networks.add(&network, tag, self.config.window, self.config.refuse_after);
        }
        let failures = self.worst(&request.user, network);
        let delay = delay(failures).min(self.config.longest_delay);
        request.note("throttle", || {
            format!("{failures} distinct wrong passwords, answer delayed {} s", delay.as_secs())
        });
        sleep(delay).await;
    }
}

#[async_trait]
impl Authenticator for Throttle {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        match &request.purpose {
            Purpose::Check(secret)
                if !request.origin.client.is_some_and(|ip| (self.config.except)(ip)) =>
            {
                self.check(request, secret).await
            }
            _ => self.next.authenticate(request).await,
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.next.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Counters<K> {
    fn new(window: Duration) -> Self {
        let idle = window.max(Duration::from_secs(1));
        Self(moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(idle).build())
    }

    fn count(&self, key: &K, window: Duration) -> usize {
        self.0.get(key).map_or(0, |failures| lock(&failures).count(window))
    }

    fn add(&self, key: &K, tag: u128, window: Duration, limit: usize) {
        let failures = self.0.get_with_by_ref(key, Arc::default);
        lock(&failures).add(tag, window, limit.max(FREE + 5));
    }
}

impl Failures {
    fn count(&mut self, window: Duration) -> usize {
        while self.0.front().is_some_and(|(_, at)| at.elapsed() >= window) {
            self.0.pop_front();
        }
        self.0.len()
    }

    /// Counts a wrong password, unless it is known; `most` are kept.
    fn add(&mut self, tag: u128, window: Duration, most: usize) {
        self.count(window);
        if self.0.iter().all(|(known, _)| *known != tag) {
            if self.0.len() >= most {
                self.0.pop_front();
            }
            self.0.push_back((tag, Instant::now()));
        }
    }
}

fn lock(failures: &Mutex<Failures>) -> MutexGuard<'_, Failures> {
    failures.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the answer to the latest of so many wrong passwords waits.
fn delay(failures: usize) -> Duration {
    match failures.saturating_sub(FREE) {
        0 => Duration::ZERO,
        1 => Duration::from_secs(2),
        2 => Duration::from_secs(4),
        3 => Duration::from_secs(8),
        _ => Duration::from_secs(15),
    }
}

/// The network that an address is counted for: itself, or its IPv6 /64.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, Origin, Service};

    use super::*;

    /// Accepts the password "right".
    struct Base;

    #[async_trait]
    impl Authenticator for Base {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            Ok(match &request.purpose {
                Purpose::Check(secret) if secret.expose() != b"right" => {
                    Verdict::Rejected(Rejection::not_verified(&request.user))
                }
                _ => Verdict::accepted(Account::named(request.user.clone())),
            })
        }
    }

    fn throttle(refuse_after: usize) -> Throttle {
        Throttle::new(Arc::new(Base), ThrottleConfig { refuse_after, ..ThrottleConfig::default() })
    }

    /// Asks, and returns what was said and after how many seconds.
    async fn ask(
        throttle: &Throttle,
        user: &str,
        password: &str,
        ip: &str,
    ) -> (Option<RejectionKind>, u64) {
        let origin = Origin { client: ip.parse().ok(), ..Origin::local(Service::Pop3) };
        let user = Username::parse(user.as_bytes()).expect("a name");
        let request = AuthRequest::check(user, Secret::new(password.as_bytes()), origin);
        let start = Instant::now();
        let verdict = throttle.authenticate(&request).await.expect("the base is there");
        let kind = match verdict {
            Verdict::Accepted(_) => None,
            Verdict::Rejected(rejection) => Some(rejection.kind),
        };
        (kind, start.elapsed().as_secs())
    }

    const WRONG: Option<RejectionKind> = Some(RejectionKind::NotVerified);
    const REFUSED: Option<RejectionKind> = Some(RejectionKind::Throttled);

    #[tokio::test(start_paused = true)]
    async fn the_answers_to_guesses_come_slower_and_slower() {
        let throttle = throttle(30);
        for (guess, seconds) in
            [("a", 0), ("b", 0), ("c", 0), ("d", 2), ("e", 4), ("f", 8), ("g", 15), ("h", 15)]
        {
            assert_eq!(
                ask(&throttle, "bob", guess, "192.0.2.1").await,
                (WRONG, seconds),
                "{guess}"
            );
        }
        assert_eq!(ask(&throttle, "bob", "right", "192.0.2.1").await, (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_with_an_old_password_is_no_attack() {
        let throttle = throttle(5);
        for _ in 0..50 {
            assert_eq!(ask(&throttle, "bob", "old", "192.0.2.1").await, (WRONG, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_the_source_is_not_asked_but_the_owner_gets_in() {
        let throttle = throttle(8);
        assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
        for guess in 0..8 {
            ask(&throttle, "bob", &format!("guess{guess}"), &format!("198.51.100.{guess}")).await;
        }
        // From many addresses, one user: refused even with the right password ...
        assert_eq!(ask(&throttle, "bob", "right", "192.0.2.9").await, (REFUSED, 15));
        // ... but for the owner, from where he was let in before.
        assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
        assert_eq!(ask(&throttle, "ann", "right", "192.0.2.9").await, (None, 0));
        tokio::time::advance(Duration::from_secs(601)).await;
        assert_eq!(ask(&throttle, "bob", "right", "192.0.2.9").await, (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_that_tries_many_users_is_refused() {
        let throttle = throttle(8);
        for user in 0..8 {
            ask(&throttle, &format!("user{user}"), "same", "2001:db8::1").await;
        }
        assert_eq!(ask(&throttle, "ann", "right", "2001:db8::2").await, (REFUSED, 15));
        assert_eq!(ask(&throttle, "ann", "right", "2001:db8:1::2").await, (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn each_user_tried_with_his_own_name_as_password_is_a_guess() {
        let throttle = throttle(8);
        for user in 0..8 {
            let name = format!("user{user}");
            ask(&throttle, &name, &name, "192.0.2.1").await;
        }
        assert_eq!(ask(&throttle, "ann", "right", "192.0.2.1").await, (REFUSED, 15));
    }

    #[tokio::test(start_paused = true)]
    async fn excepted_clients_are_not_counted() {
        let except: Arc<dyn Fn(IpAddr) -> bool + Send + Sync> = Arc::new(|ip| ip.is_loopback());
        let config = ThrottleConfig { except, refuse_after: 4, ..ThrottleConfig::default() };
        let throttle = Throttle::new(Arc::new(Base), config);
        for guess in 0..20 {
            assert_eq!(ask(&throttle, "bob", &guess.to_string(), "127.0.0.1").await, (WRONG, 0));
        }
    }
}
