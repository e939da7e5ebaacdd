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
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use dmail_authent::gateway::Gateway;
use dmail_core::config::{Diagnostic, Settings};
use dmail_core::{
    Account, AuthRequest, Authenticator, Change, Outcome, Proofs, Search, SearchOutcome,
    Unavailable, Verdict,
};

use crate::failure::Failure;
use crate::source::{self, Source};
use crate::{assemble, configuration};

/// How often an old gateway is looked at, whether its last answer is given.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// A gateway that can be exchanged while it is asked.
pub(crate) struct Live {
    path: PathBuf,
    settings: Settings,
    running: RwLock<Arc<Running>>,
}

/// A gateway and the source that it owns.
struct Running {
    settings: Settings,
    gateway: Gateway,
    source: Source,
}

impl Running {
    async fn open(settings: &Settings, old: Option<&Self>) -> Result<Arc<Self>, Failure> {
        let source = Source::open(settings).await?;
        let gateway = match old {
            None => assemble::gateway(settings, &source),
            Some(old) => assemble::gateway_after(&old.gateway, settings, &source),
        };
        Ok(Arc::new(Self { settings: settings.clone(), gateway, source }))
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
        let running = RwLock::new(Running::open(settings, None).await?);
        Ok(Arc::new(Self { path: path.to_owned(), settings: settings.clone(), running }))
    }

    /// Reads what the configuration says of the gateway once more, and goes on
    /// with it. If anything is wrong, everything stays as it is; else returns the
    /// settings that hold now.
    pub(crate) async fn reload(&self) -> Option<Settings> {
        match self.reopen().await {
            Ok(fresh) => {
                let mut running = self.running.write().unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *running, Arc::clone(&fresh));
                drop(running);
                if fresh.has_base_of(&old) {
                    fresh.gateway.take_over(&old.gateway);
                }
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
        Running::open(&settings, Some(&self.running())).await
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

#[async_trait]
impl Authenticator for Live {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.running().gateway.authenticate(request).await
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        self.running().gateway.recall(request)
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.running().gateway.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.running().gateway.search(search).await
    }

    fn forget_users(&self, mask: &str) -> usize {
        self.running().gateway.forget_users(mask)
    }

    fn proofs(&self) -> Proofs {
        self.with_gateway(Authenticator::proofs)
    }

    fn sees_address(&self) -> bool {
        self.with_gateway(Authenticator::sees_address)
    }
}
