//! The gateway of the moment: sessions ask it, and a reload changes it beneath
//! them.
//!
//! ```text
//!   SIGHUP ─▶ read dmail.conf and the user base's file ─┬─ wrong: log it, go on as before
//!                                                       └─ good: open, then switch
//! ```
//!
//! A question that is being asked is answered by the gateway that it was asked
//! of. That one is let go after its last answer.
//!
//! The new gateway goes on counting wrong passwords. What was remembered of the
//! same user base helps out while that cannot answer; the log is rotated every
//! night, and during an outage, too. Of another user base nothing is kept.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use dmail_authent::gateway::Gateway;
use dmail_core::config::{Diagnostic, Settings};
use dmail_core::{
    Account, Advice, AuthRequest, Authenticator, CacheStatus, Change, Guess, Guesses, Outcome,
    Proofs, Search, SearchOutcome, TokenIssuer, Unavailable, Username, Verdict, Watcher,
};

use crate::failure::Failure;
use crate::news::News;
use crate::source::{self, Source};
use crate::{assemble, configuration};

/// How often an old gateway is looked at, whether its last answer is given.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// A gateway that can be exchanged while it is asked.
pub(crate) struct Live {
    path: PathBuf,
    settings: Settings,
    running: RwLock<Arc<Running>>,
    /// Whoever remembers what was answered here.
    news: Arc<News>,
}

/// A gateway and the source that it owns.
struct Running {
    settings: Settings,
    gateway: Gateway,
    source: Source,
    /// Which one took its place.
    successor: OnceLock<Arc<Self>>,
}

impl Running {
    async fn open(
        settings: &Settings,
        old: Option<&Self>,
        news: &Arc<News>,
    ) -> Result<Arc<Self>, Failure> {
        let source = Source::open(settings).await?;
        let gateway = match old {
            None => assemble::gateway(settings, &source),
            Some(old) => assemble::gateway_after(&old.gateway, settings, &source),
        };
        let told: Weak<News> = Arc::downgrade(news);
        gateway.watch(told);
        Ok(Arc::new(Self::new(settings.clone(), gateway, source)))
    }

    fn new(settings: Settings, gateway: Gateway, source: Source) -> Self {
        Self { settings, gateway, source, successor: OnceLock::new() }
    }

    /// Whether both have the same users, as far as the settings can tell.
    fn has_base_of(&self, other: &Self) -> bool {
        let base = |running: &'_ Self| {
            let Settings { authent, module, nwauth, .. } = &running.settings;
            let process = module.process.clone();
            (authent.method, process, authent.ini.clone(), nwauth.path.clone())
        };
        base(self) == base(other)
    }
}

impl Live {
    /// Opens the source of `settings`, which come from the file `path`.
    pub(crate) async fn open(path: &Path, settings: &Settings) -> Result<Arc<Self>, Failure> {
        let news = Arc::new(News::default());
        let running = RwLock::new(Running::open(settings, None, &news).await?);
        Ok(Arc::new(Self { path: path.to_owned(), settings: settings.clone(), running, news }))
    }

    /// Reads what the configuration says of the gateway once more, and goes on
    /// with it. If anything is wrong, everything stays as it is; else returns the
    /// settings that hold now.
    pub(crate) async fn reload(&self) -> Option<Settings> {
        match self.reopen().await {
            Ok(fresh) => {
                let old = self.replace(&fresh);
                // It may have other users, or other rules.
                self.news.lost_track();
                tracing::info!(file = %self.path.display(), "reloaded the gateway's settings");
                let patience = self.settings.server.drain_timeout;
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(patience, last_answers(&old)).await;
                    old.source.shutdown().await;
                });
                Some(fresh.settings.clone())
            }
            Err(problem) => {
                tracing::error!(file = %self.path.display(), %problem, "not reloaded; all stays as it was");
                None
            }
        }
    }

    /// Goes on with `fresh`; returns the one before.
    fn replace(&self, fresh: &Arc<Running>) -> Arc<Running> {
        let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *running, Arc::clone(fresh));
        // Before anything is remembered there, so that a change that ends now
        // finds its user wherever he is.
        old.successor.get_or_init(|| Arc::clone(fresh));
        drop(running);
        if fresh.has_base_of(&old) {
            fresh.gateway.take_over(&old.gateway);
        }
        old
    }

    async fn reopen(&self) -> Result<Arc<Running>, Failure> {
        let loaded = configuration::load(&self.path)?;
        log(&loaded.diagnostics);
        let wrong = || Failure::Configuration(self.path.clone());
        let fresh = loaded.settings.ok_or_else(wrong)?;
        // What the servers were built from needs a restart.
        let settings = Settings {
            authent: fresh.authent,
            module: fresh.module,
            cache: fresh.cache,
            access: fresh.access,
            throttle: fresh.throttle,
            nwauth: fresh.nwauth,
            dialects: fresh.dialects,
            policy: fresh.policy,
            ..self.settings.clone()
        };
        let diagnostics = source::check(&settings)?;
        log(&diagnostics);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(wrong());
        }
        Running::open(&settings, Some(&self.running()), &self.news).await
    }

    /// Does something with the gateway of the moment.
    pub(crate) fn with_gateway<T>(&self, work: impl FnOnce(&Gateway) -> T) -> T {
        work(&self.running().gateway)
    }

    /// Lets the source end in peace.
    pub(crate) async fn shutdown(&self) {
        let running = self.running();
        running.source.shutdown().await;
    }

    fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A change that is under way, until this is dropped: those who took the place
/// of the gateway that makes it have verified the old password, maybe. From the
/// oldest to the latest, as one takes over from the other.
struct Changing<'a> {
    asked: &'a Arc<Running>,
    user: &'a Username,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut at = self.asked;
        while let Some(successor) = at.successor.get() {
            successor.gateway.forget(self.user);
            at = successor;
        }
    }
}

fn log(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        match diagnostic.is_error() {
            true => tracing::error!("{diagnostic}"),
            false => tracing::warn!("{diagnostic}"),
        }
    }
}

/// Waits until nobody asks the `old` gateway any more.
async fn last_answers(old: &Arc<Running>) {
    while Arc::strong_count(old) > 1 {
        tokio::time::sleep(LAST_ANSWERS).await;
    }
}

/// Logins that other servers judge are counted by the gateway of the moment.
impl Guesses for Live {
    fn weigh(&self, guess: &Guess) -> Advice {
        self.with_gateway(|gateway| gateway.weigh(guess))
    }

    fn note(&self, guess: &Guess, right: bool) {
        self.with_gateway(|gateway| gateway.note(guess, right));
    }
}

#[async_trait]
impl Authenticator for Live {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.running().gateway.authenticate(request).await
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        self.running().gateway.recall(request)
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let asked = self.running();
        let _after = Changing { asked: &asked, user: &change.user };
        asked.gateway.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.running().gateway.search(search).await
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.news.add(watcher);
    }

    fn proofs(&self) -> Proofs {
        self.with_gateway(Authenticator::proofs)
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.with_gateway(Authenticator::token_issuer)
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.running().gateway.forget_users(mask)
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.running().gateway.cache_status(reset)
    }

    fn sees_address(&self) -> bool {
        self.with_gateway(Authenticator::sees_address)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use dmail_core::{Action, Origin, Secret, Service};
    use tokio::sync::Semaphore;

    use super::*;

    /// Accepts every password, and makes a change when it is let.
    struct Base {
        gate: Semaphore,
        changing: AtomicUsize,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Authenticator for Base {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Ok(Verdict::accepted(Account::named(request.user.clone())))
        }

        async fn change(&self, _: &Change) -> Result<Outcome, Unavailable> {
            self.changing.fetch_add(1, Ordering::SeqCst);
            drop(self.gate.acquire().await.expect("it is never closed"));
            Ok(Outcome::Done("changed".into()))
        }
    }

    fn settings() -> Settings {
        let text =
            "host_domain corp.example\nauthent_method nwauth\ndrop_path mail\nwork_path work\n";
        let mut read = |_: &Path| Ok(text.to_owned());
        let loaded = dmail_core::config::load(Path::new("/etc/dmail.conf"), &mut read);
        loaded.settings.expect("they are good")
    }

    fn running(base: &Arc<Base>, old: Option<&Gateway>) -> Arc<Running> {
        let (settings, source) = (settings(), Source::of(Arc::clone(base) as _));
        let gateway = match old {
            None => assemble::gateway(&settings, &source),
            Some(old) => assemble::gateway_after(old, &settings, &source),
        };
        Arc::new(Running::new(settings, gateway, source))
    }

    #[tokio::test]
    async fn a_change_that_ends_after_a_reload_is_told_to_all_who_came_after() {
        let base = Arc::new(Base { gate: Semaphore::new(0), changing: 0.into(), asked: 0.into() });
        let first = running(&base, None);
        let live = Arc::new(Live {
            path: PathBuf::new(),
            settings: settings(),
            running: RwLock::new(Arc::clone(&first)),
            news: Arc::default(),
        });
        let bob = Username::parse(b"Bob").expect("a name");
        let origin = Origin::local(Service::Pop3);
        let action = Action::Set { secret: Some(Secret::new(*b"new")), info: None };
        let change = Change { user: bob.clone(), action, origin };
        let changing = tokio::spawn({
            let live = Arc::clone(&live);
            async move { live.change(&change).await }
        });
        while base.changing.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let request = AuthRequest::check(bob, Secret::new(*b"old"), origin);
        let asks = async || {
            let before = base.asked.load(Ordering::SeqCst);
            assert!(matches!(live.authenticate(&request).await, Ok(Verdict::Accepted(_))));
            base.asked.load(Ordering::SeqCst) > before
        };
        let second = running(&base, Some(&first.gateway));
        live.replace(&second);
        live.replace(&running(&base, Some(&second.gateway)));
        assert!(asks().await);
        assert!(!asks().await, "it is remembered");
        base.gate.add_permits(1);
        assert!(matches!(changing.await.expect("no panic"), Ok(Outcome::Done(_))));
        assert!(asks().await, "and forgotten");
    }
}
