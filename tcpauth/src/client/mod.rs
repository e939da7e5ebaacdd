//! The client: daemons in order, as a source.
//!
//! ```text
//!   question ──▶ first link that is up ──▶ answer
//!                     │ lost, dead, late
//!                     └─▶ the next one … none left: Unavailable
//! ```
//!
//! There is a link to every daemon of the list, so that each can tell of its
//! changes, and so that the first one is used again as soon as it is back. A
//! `set` or `del` that may have been sent is not asked a second time.

mod channel;
mod config;
mod dial;
mod lines;
mod link;
mod plain;
mod translate;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Proofs, Rejection, Search, SearchOutcome,
    Unavailable, UnavailableKind, Verdict, Watcher,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::wire::Question;
use link::{Link, State, Watchers};
use translate::Reply;

pub use config::{ClientConfig, Endpoint, TlsConfig, Versions};

/// The daemons, as a source.
pub struct Client {
    config: Arc<ClientConfig>,
    links: Vec<Arc<Link>>,
    watchers: Arc<Watchers>,
    /// End with the client.
    tasks: Mutex<JoinSet<()>>,
    closed: AtomicBool,
}

/// What one daemon makes of a question.
enum Attempt {
    Answered(Reply),
    /// No answer; the question was certainly not worked on.
    NotAsked(String),
    /// No answer; whether it was worked on is unknown.
    Lost(String),
    /// The daemon says that nobody could decide.
    Dead(Unavailable),
    /// The daemon is there, but this cannot be asked of it.
    NoWord,
}

impl Client {
    /// Starts making the links. Must be called within the runtime.
    #[must_use]
    pub fn start(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        let watchers = Arc::new(Watchers::default());
        let mut tasks = JoinSet::new();
        let link = |server| Link::new(server, Arc::clone(&config), Arc::clone(&watchers));
        let links: Vec<_> = config.servers.iter().cloned().map(link).collect();
        for link in &links {
            tasks.spawn(Arc::clone(link).run());
        }
        tasks.spawn(recheck(links.clone(), Arc::clone(&watchers), config.recheck_after));
        let (tasks, closed) = (Mutex::new(tasks), AtomicBool::new(false));
        Self { config, links, watchers, tasks, closed }
    }

    /// Waits until a daemon is there, or each was tried once: what they can
    /// judge is known then.
    pub async fn ready(&self) {
        let mut tries: JoinSet<State> = JoinSet::new();
        for link in &self.links {
            let link = Arc::clone(link);
            tries.spawn(async move { link.tried().await });
        }
        while let Some(tried) = tries.join_next().await {
            if tried.is_ok_and(|state| state.is_up()) {
                break;
            }
        }
    }

    /// Asks the daemons, one after the other, within the deadline.
    async fn ask(&self, question: Question) -> Result<Reply, Unavailable> {
        if self.closed.load(Ordering::SeqCst) {
            let why = "the connections to the tcpauth daemons are closed";
            return Err(Unavailable::new(UnavailableKind::ShuttingDown, why));
        }
        let deadline = Instant::now() + self.config.timeout;
        match self.round(&question, deadline).await {
            Err(tried) if tried.retry => {
                // A daemon that has just gone may be back in a moment.
                match self.soon(deadline).await {
                    true => self.round(&question, deadline).await.map_err(|tried| tried.error),
                    false => Err(tried.error),
                }
            }
            answer => answer.map_err(|tried| tried.error),
        }
    }

    /// Asks each daemon once.
    async fn round(&self, question: &Question, deadline: Instant) -> Result<Reply, Tried> {
        let mut reasons = Vec::new();
        let (mut dead, mut has_no_word) = (None, false);
        for (index, link) in self.links.iter().enumerate() {
            let left = u32::try_from(self.links.len() - index).unwrap_or(u32::MAX);
            let changes = matches!(question, Question::Change(_));
            let now = Instant::now();
            // Each daemon has its part of the time; a change is not asked twice.
            let part = (deadline - now) / if changes { 1 } else { left };
            match attempt(link, question, now + part).await {
                Attempt::Answered(reply) => {
                    note(question, || format!("{} answered", link.server));
                    return Ok(reply);
                }
                Attempt::Lost(why) if changes => {
                    let why = format!("{}: {why}; whether it was changed is unknown", link.server);
                    return Err(Tried::last(Unavailable::new(UnavailableKind::Dead, why)));
                }
                Attempt::Dead(error) if changes => return Err(Tried::last(error)),
                Attempt::Dead(error) => dead = Some(error),
                Attempt::Lost(why) | Attempt::NotAsked(why) => {
                    reasons.push(format!("{}: {why}", link.server));
                }
                Attempt::NoWord => {
                    has_no_word = true;
                    note(question, || format!("{} knows passwords only", link.server));
                }
            }
        }
        if has_no_word && dead.is_none() && reasons.is_empty() {
            return Ok(Reply::Verdict(Verdict::Rejected(Rejection::unsupported())));
        }
        note(question, || format!("no daemon answered: {}", reasons.join("; ")));
        match dead {
            Some(error) => Err(Tried::last(error)),
            None => {
                let retry = Instant::now() < deadline;
                let kind = if retry { UnavailableKind::Dead } else { UnavailableKind::Timeout };
                let why = format!("no tcpauth daemon answers ({})", reasons.join("; "));
                Err(Tried { error: Unavailable::new(kind, why), retry })
            }
        }
    }

    /// Whether a link comes up, if one went down just now.
    async fn soon(&self, deadline: Instant) -> bool {
        let since = |link: &Arc<Link>| match link.state() {
            State::Down(since, _) => Some(since),
            _ => None,
        };
        let Some(latest) = self.links.iter().filter_map(since).max() else {
            return self.links.iter().any(|link| link.state().is_up());
        };
        let until = deadline.min(latest + self.config.connect_timeout);
        if until <= Instant::now() {
            return false;
        }
        let mut ups = JoinSet::new();
        for link in &self.links {
            let link = Arc::clone(link);
            ups.spawn(async move { link.up().await });
        }
        timeout_at(until, ups.join_next()).await.is_ok()
    }
}

/// Why no daemon answered, and whether it is worth to ask once more.
struct Tried {
    error: Unavailable,
    retry: bool,
}

impl Tried {
    fn last(error: Unavailable) -> Self {
        Self { error, retry: false }
    }
}

/// While a daemon cannot tell us of its changes, everything that is remembered
/// is asked again so often.
async fn recheck(links: Vec<Arc<Link>>, watchers: Arc<Watchers>, every: Duration) {
    loop {
        sleep(every).await;
        if links.iter().any(|link| !link.state().is_up()) {
            watchers.tell(|watcher| watcher.lost_track());
        }
    }
}

/// Asks one daemon.
async fn attempt(link: &Link, question: &Question, deadline: Instant) -> Attempt {
    let answer = async {
        match link.tried().await {
            State::Trying => Attempt::NotAsked("not tried yet".into()),
            State::Down(_, why) => Attempt::NotAsked(why.to_string()),
            State::First(plain) => translate::plain(&plain, question).await,
            State::Second(channel) => translate::second(&channel, question).await,
        }
    };
    let late = |_| Attempt::Lost("no answer in time".into());
    timeout_at(deadline, answer).await.unwrap_or_else(late)
}

fn note(question: &Question, text: impl FnOnce() -> String) {
    if let Question::Authenticate(request) = question {
        request.note("tcpauth", text);
    }
}

/// The daemon answered what was not asked, which no daemon does.
fn mismatch() -> Unavailable {
    Unavailable::new(UnavailableKind::Fault, "a tcpauth daemon answered another question")
}

#[async_trait]
impl Authenticator for Client {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        match self.ask(Question::Authenticate(request.clone())).await? {
            Reply::Verdict(verdict) => Ok(verdict),
            _ => Err(mismatch()),
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        match self.ask(Question::Change(change.clone())).await? {
            Reply::Outcome(outcome) => Ok(outcome),
            _ => Err(mismatch()),
        }
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        match self.ask(Question::Search(search.clone())).await? {
            Reply::Search(outcome) => Ok(outcome),
            _ => Err(mismatch()),
        }
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.watchers.add(watcher);
    }

    /// A daemon may be in front of any user base, and is not asked yet when
    /// this has to be known: so the settings say it.
    fn sees_address(&self) -> bool {
        self.config.by_address
    }

    /// What one of the daemons can judge: the others are passed over. One that
    /// is away for longer does not count while another is there, or clients
    /// would choose what nobody can judge until it is back, and not what the
    /// other can.
    fn proofs(&self) -> Proofs {
        let is_any_up = self.links.iter().any(|link| link.state().is_up());
        let counted = |link: &&Arc<Link>| !is_any_up || link.state().was_lately_up();
        let counting = self.links.iter().filter(counted);
        counting.fold(Proofs::default(), |all, link| all.or(link.proofs()))
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        self.links.iter().for_each(|link| link.close());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.config.servers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
