//! A user moves into the new source with a login at the old one, which is when
//! the password is known.
//!
//! ```text
//!   accepted at the old source, and the new one has no such user
//!     ─▶ the user's turn; is it still so?
//!     ─▶ set (password, info fields) at the new source
//!     ─▶ check there: does the password work, is it the same account?
//!          yes: from now on the new source answers
//!          no:  del there again, one line in the log, the old one goes on
//! ```
//!
//! Until the check is done, the chain does not ask the new source about this
//! user: a `set` carries no drop path and no uid, and mail must not go astray.

use std::sync::Arc;
use std::time::Duration;

use dmail_core::{
    Account, Action, AuthRequest, Authenticator, Change, Info, Outcome, Purpose, RejectionKind,
    Secret, Unavailable, Username, Verdict,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::differences::{Difference, differences};
use super::turns::Turns;

/// Users that move at a time. The others move with their next login.
const AT_A_TIME: usize = 16;
/// How long a login may wait for its move. The move itself goes on.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long after a failure a user is not tried again.
const RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How many failures are remembered.
const FAILURES: u64 = 100_000;

/// The way into one new source.
pub struct Migration {
    name: Arc<str>,
    target: Arc<dyn Authenticator>,
    turns: Arc<Turns>,
    free: Arc<Semaphore>,
    failed: moka::sync::Cache<Username, ()>,
}

/// A user who has just logged in at the old source.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The check that was accepted.
    pub request: AuthRequest,
    /// What the old source said of the account.
    pub account: Arc<Account>,
    /// [`Turns::changes`] of the user before the old source was asked.
    pub seen: u64,
}

/// How a move ended.
#[derive(Debug, thiserror::Error)]
enum NotMoved {
    #[error("the record was changed meanwhile")]
    Changed,
    #[error("the user is there already")]
    Present,
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("the new source refuses the user: {0}")]
    Refused(&'static str),
    #[error("the new source does not accept the password that it was given")]
    NotVerified,
    #[error("it would not be the same account: {0}")]
    OtherAccount(Difference),
}

impl NotMoved {
    /// The reason id of the log: stable, one word.
    fn id(&self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Present => "present",
            Self::Unavailable(_) => "unavailable",
            Self::Refused(kind) => kind,
            Self::NotVerified => "not-verified",
            Self::OtherAccount(difference) => difference.id(),
        }
    }

    /// Whether the next login would end no better.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NotVerified | Self::OtherAccount(_))
    }
}

impl Migration {
    /// Into `target`, which must answer or give up within its time.
    #[must_use]
    pub fn new(name: Arc<str>, target: Arc<dyn Authenticator>, turns: Arc<Turns>) -> Arc<Self> {
        let failed =
            moka::sync::Cache::builder().max_capacity(FAILURES).time_to_live(RETRY_AFTER).build();
        let free = Arc::new(Semaphore::new(AT_A_TIME));
        Arc::new(Self { name, target, turns, free, failed })
    }

    /// Moves the user, and waits a little for it. Says how it went, for the
    /// explanation.
    pub async fn arrive(self: &Arc<Self>, arrival: Arrival) -> String {
        let user = arrival.request.user.to_lowercase();
        if self.failed.contains_key(&user) {
            return format!("not moved to {}: it failed lately, see the log", self.name);
        }
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            return format!("not moved to {} yet: {AT_A_TIME} others are on the way", self.name);
        };
        let migration = Arc::clone(self);
        let moving = tokio::spawn(async move {
            let _permit = permit;
            let moved = migration.carry(&arrival).await;
            migration.report(&user, moved)
        });
        match timeout(PATIENCE, moving).await {
            Ok(Ok(text)) => text,
            Ok(Err(_)) | Err(_) => format!("on the way to {}", self.name),
        }
    }

    fn report(&self, user: &Username, moved: Result<(), NotMoved>) -> String {
        let source = &*self.name;
        match moved {
            Ok(()) => {
                tracing::info!(%user, %source, "migrate: moved");
                format!("moved to {source}")
            }
            Err(why) => {
                let reason = why.id();
                match why {
                    NotMoved::Present | NotMoved::Changed => {
                        tracing::debug!(%user, %source, reason, "migrate: not moved, {why}");
                    }
                    _ => tracing::warn!(%user, %source, reason, "migrate: not moved, {why}"),
                }
                if why.is_lasting() {
                    self.failed.insert(user.clone(), ());
                }
                format!("not moved to {source}: {why}")
            }
        }
    }

    async fn carry(&self, arrival: &Arrival) -> Result<(), NotMoved> {
        let Arrival { request, account, seen } = arrival;
        let request = &AuthRequest { trace: None, ..request.clone() };
        let Purpose::Check(secret) = &request.purpose else { return Err(NotMoved::Present) };
        let turn = self.turns.unchanged(&request.user, *seen).await;
        let _turn = turn.ok_or(NotMoved::Changed)?;
        let lookup = AuthRequest { purpose: Purpose::Lookup, ..request.clone() };
        match self.target.authenticate(&lookup).await? {
            Verdict::Rejected(no) if no.kind == RejectionKind::UnknownUser => {}
            Verdict::Rejected(no) if no.kind == RejectionKind::NotVerified => {}
            Verdict::Rejected(no) => return Err(NotMoved::Refused(no.kind.id())),
            Verdict::Accepted(_) => return Err(NotMoved::Present),
        }
        let _arriving = self.turns.arrive(&request.user);
        let settled = match self.add(request, secret, &account.info).await {
            Ok(()) => self.verify(request, account).await,
            // Whether the user is there now is not known: better not.
            Err(NotMoved::Unavailable(error)) => Err(error.into()),
            Err(refused) => return Err(refused),
        };
        if settled.is_err() {
            self.take_back(request).await;
        }
        settled
    }

    async fn add(
        &self,
        request: &AuthRequest,
        secret: &Secret,
        info: &Info,
    ) -> Result<(), NotMoved> {
        let info = Some(info.clone()).filter(|info| !info.is_empty());
        let action = Action::Set { secret: Some(secret.clone()), info };
        match self.target.change(&change(request, action)).await? {
            Outcome::Done(_) => Ok(()),
            Outcome::Refused(rejection) => Err(NotMoved::Refused(rejection.kind.id())),
        }
    }

    /// The new source must take the password, and mean the same mailbox. Info
    /// fields that only it has do no harm.
    async fn verify(&self, request: &AuthRequest, account: &Account) -> Result<(), NotMoved> {
        let Verdict::Accepted(there) = self.target.authenticate(request).await? else {
            return Err(NotMoved::NotVerified);
        };
        let mut found = differences(account, &there).into_iter();
        match found.find(|difference| !matches!(difference, Difference::Extra(_))) {
            Some(difference) => Err(NotMoved::OtherAccount(difference)),
            None => Ok(()),
        }
    }

    async fn take_back(&self, request: &AuthRequest) {
        let (user, source) = (&request.user, &*self.name);
        match self.target.change(&change(request, Action::Delete)).await {
            Ok(Outcome::Done(_)) => {}
            Ok(Outcome::Refused(no)) if no.kind == RejectionKind::UnknownUser => {}
            Ok(Outcome::Refused(no)) => {
                let why = no.kind.id();
                tracing::error!(%user, %source, why, "migrate: a record stays that is not right");
            }
            Err(error) => {
                tracing::error!(%user, %source, %error, "migrate: a record may stay that is not right");
            }
        }
    }
}

fn change(request: &AuthRequest, action: Action) -> Change {
    Change { user: request.user.clone(), action, origin: request.origin }
}
