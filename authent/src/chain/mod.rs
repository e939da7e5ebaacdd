//! A chain of sources: who is asked about whom, in which order, and what
//! follows from each answer.
//!
//! ```text
//!   request ─▶ member ─▶ member ─▶ …       in order; its policy says stop or next
//!                 │ decision
//!                 ▼
//!      verified only? ─▶ the account, from those who look up
//!                 ▼
//!      merge members  ─▶ more info fields
//!                 ▼
//!      the answer ────▶ shadow members, migration   (easing)
//! ```
//!
//! The policy is data ([`policy`]); nothing of it is in the code that asks.
//! With one policy in all members the chain is what is called a fallback, with
//! name patterns it routes by domain, with roles it looks up here and verifies
//! there.
//!
//! A wrong password costs the time of an unknown user: see `pace.rs`.

pub mod policy;

mod affix;
mod changing;
mod member;
mod pace;
mod searching;
mod watching;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    Account, AuthRequest, Authenticator, Change, Outcome, Proofs, Purpose, Rejection,
    RejectionKind, Search, SearchOutcome, TokenIssuer, Unavailable, UnavailableKind, Verdict,
    Watcher,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub use affix::Affix;
pub use member::{Creates, Fields, Member, Role, Verbs};

use crate::easing::{Arrival, Migration, Shadow, Turns};
use pace::Pace;
use policy::{After, Decision, Heard, Walk};
use watching::Relay;

/// A chain of sources. Its order is the order of its members.
pub struct Chain {
    members: Vec<Arc<Member>>,
    /// For each member, what compares it, if it is a shadow.
    shadows: Vec<Option<Arc<Shadow>>>,
    /// For each member, the way of its users into another one.
    migrations: Vec<Option<Arc<Migration>>>,
    turns: Arc<Turns>,
    /// For each member, how long it takes over those whom it does not know.
    paces: Vec<Pace>,
    /// What members tell their changes to; they hold it weakly.
    relays: Mutex<Vec<Arc<Relay>>>,
}

impl Chain {
    /// A chain of these members.
    #[must_use]
    pub fn new(members: Vec<Member>) -> Self {
        let members: Vec<Arc<Member>> = members.into_iter().map(Arc::new).collect();
        // As long as one of them may take over one answer.
        let patience = members.iter().map(|member| member.timeout).max().unwrap_or_default();
        let turns = Arc::new(Turns::new(patience));
        let as_source = |member: &Arc<Member>| Arc::clone(member) as Arc<dyn Authenticator>;
        let shadow = |member: &Arc<Member>| {
            let is_shadow = member.role == Role::Shadow;
            is_shadow.then(|| Shadow::new(Arc::clone(&member.name), as_source(member)))
        };
        let migration = |member: &Arc<Member>| {
            let target = members.get(member.migrate_to?)?;
            let name = Arc::clone(&target.name);
            Some(Migration::new(name, as_source(target), Arc::clone(&turns)))
        };
        Self {
            shadows: members.iter().map(shadow).collect(),
            migrations: members.iter().map(migration).collect(),
            turns,
            paces: members.iter().map(|_| Pace::default()).collect(),
            relays: Mutex::default(),
            members,
        }
    }

    /// Asks the members in order.
    async fn walk(&self, request: &AuthRequest) -> Walk {
        let mut walk = Walk::new();
        for (index, member) in self.members.iter().enumerate() {
            if !member.answers(request) {
                self.note_left_out(member, request);
                continue;
            }
            if self.is_still_arriving(index, request) {
                request.note("chain", || format!("{}: the user is just moving there", member.name));
                continue;
            }
            request.note("chain", || format!("{} is asked", member.name));
            let asked = Instant::now();
            let heard = member.hear(request).await;
            request
                .note("chain", || format!("{}: {}", member.name, heard.describe(&member.policy)));
            let denies = matches!(heard, Heard::Unknown);
            let is_no = matches!(heard, Heard::Rejected { .. });
            let is_salt = matches!(request.purpose, Purpose::Salt(_));
            if denies && request.purpose.is_login() {
                self.paces[index].remember(asked.elapsed());
            }
            if walk.hear(index, heard, &member.policy) == After::Stop {
                // A salt, too: one that is made up took the whole way.
                if is_no && request.purpose.is_login() || is_salt {
                    self.keep_pace(request, index + 1).await;
                }
                break;
            }
        }
        walk
    }

    fn note_left_out(&self, member: &Member, request: &AuthRequest) {
        if matches!(member.role, Role::Answer) {
            let user = &request.user;
            request.note("chain", || format!("{} is not asked this about {user}", member.name));
        }
    }

    /// Whether another member's users move to the member `target`, and this
    /// one is on the way.
    fn is_still_arriving(&self, target: usize, request: &AuthRequest) -> bool {
        let is_target = self.members.iter().any(|member| member.migrate_to == Some(target));
        is_target && self.turns.is_arriving(&request.user)
    }

    /// Takes the time that those from member `first` on would have taken.
    async fn keep_pace(&self, request: &AuthRequest, first: usize) {
        let rest = self.members.iter().zip(&self.paces).skip(first);
        let unasked = rest.filter(|(member, _)| member.answers(request));
        let time: Duration = unasked.map(|(_, pace)| pace.sample()).sum();
        if !time.is_zero() {
            request.note("chain", || "waits as long as an unknown user would take".into());
            sleep(time).await;
        }
    }

    /// The account of a user whose password a member has verified, and nothing
    /// else.
    async fn account(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let lookup = AuthRequest { purpose: Purpose::Lookup, ..request.clone() };
        let Decision { heard, .. } = self.walk(&lookup).await.decision().clone();
        if heard == Heard::Unknown {
            let user = &request.user;
            tracing::warn!(%user, "the password is right, but no module knows the account");
        }
        verdict(heard, request)
    }

    /// Adds the info fields of the members that have some to add.
    async fn merge(
        &self,
        request: &AuthRequest,
        mut account: Arc<Account>,
    ) -> Result<Arc<Account>, Unavailable> {
        for member in &self.members {
            let Role::Merge(fields) = &member.role else { continue };
            if !member.looks_up(&request.user) {
                continue;
            }
            request.note("chain", || format!("{} is asked what it has to add", member.name));
            let lookup = AuthRequest { purpose: Purpose::Lookup, ..request.clone() };
            match member.hear(&lookup).await {
                Heard::Accepted(more) => {
                    let added = add_fields(Arc::make_mut(&mut account), &more, fields);
                    request.note("chain", || format!("{} adds {added}", member.name));
                }
                Heard::Unknown | Heard::Rejected { .. } => {
                    request.note("chain", || format!("{} has nothing to add", member.name));
                }
                Heard::Unavailable(error) | Heard::Undecided(error) => {
                    let after = member.policy.unavailable;
                    request.note("chain", || match after {
                        After::Stop => format!("{} cannot say what it would add", member.name),
                        After::Next => format!("without what {} would add", member.name),
                    });
                    if after == After::Stop {
                        return Err(error);
                    }
                    let user = &request.user;
                    tracing::warn!(%user, %error, "accepted without the fields of a source");
                }
            }
        }
        Ok(account)
    }

    /// Moves a user who was accepted by a member that gives its users away.
    async fn migrate(&self, request: &AuthRequest, walk: &Walk, by: usize, arrival: Arrival) {
        let (Some(migration), Some(target)) = (&self.migrations[by], self.members[by].migrate_to)
        else {
            return;
        };
        // Who was not asked, or did not answer, gets nobody. Without the password
        // itself nobody can be moved.
        if matches!(request.purpose, Purpose::Check(_)) && walk.is_unknown_to(target) {
            let went = migration.arrive(arrival).await;
            request.note("chain", || went);
        }
    }

    /// Shows the answer to those who compare.
    fn shadow(&self, request: &AuthRequest, verdict: &Verdict) {
        for (member, shadow) in self.members.iter().zip(&self.shadows) {
            let Some(shadow) = shadow.as_ref().filter(|_| member.is_asked(request)) else {
                continue;
            };
            request.note("chain", || format!("{} is asked the same, to compare", member.name));
            shadow.compare(request, verdict);
        }
    }

    async fn decide(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if matches!(request.purpose, Purpose::Salt(_)) {
            return verdict(self.walk(request).await.decision().clone().heard, request);
        }
        let seen = self.turns.changes(&request.user);
        let walk = self.walk(request).await;
        let Decision { heard, by } = walk.decision().clone();
        let account = match (heard, by) {
            (Heard::Accepted(account), Some(by)) => {
                let arrival =
                    Arrival { request: request.clone(), account: Arc::clone(&account), seen };
                self.migrate(request, &walk, by, arrival).await;
                match self.members[by].role {
                    Role::Verify => match self.account(request).await? {
                        Verdict::Accepted(account) => account,
                        rejected @ Verdict::Rejected(_) => return Ok(rejected),
                    },
                    _ => account,
                }
            }
            (heard, _) => return verdict(heard, request),
        };
        Ok(Verdict::Accepted(self.merge(request, account).await?))
    }
}

#[async_trait]
impl Authenticator for Chain {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if matches!(&request.purpose, Purpose::Check(secret) if secret.is_empty()) {
            request.note("chain", || "an empty password is refused unasked".into());
            return Ok(Verdict::Rejected(Rejection::not_verified(&request.user)));
        }
        let verdict = self.decide(request).await?;
        if request.purpose.is_repeatable() {
            self.shadow(request, &verdict);
        }
        Ok(verdict)
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let Some(_turn) = self.turns.change(&change.user).await else {
            let detail = "another change of this user takes too long, so this one was not begun";
            return Err(Unavailable::new(UnavailableKind::Overloaded, detail));
        };
        changing::change(&self.members, change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        searching::search(&self.members, search).await
    }

    fn watch(&self, watcher: Weak<dyn Watcher>) {
        for member in &self.members {
            if member.affix.is_empty() {
                member.source.watch(Weak::clone(&watcher));
                continue;
            }
            let relay =
                Arc::new(Relay { affix: member.affix.clone(), watcher: Weak::clone(&watcher) });
            let weak: Weak<Relay> = Arc::downgrade(&relay);
            member.source.watch(weak);
            self.relays.lock().unwrap_or_else(PoisonError::into_inner).push(relay);
        }
    }

    fn sees_address(&self) -> bool {
        self.members.iter().any(|member| member.sees_address())
    }

    /// Whatever one of those can judge that are asked about logins.
    fn proofs(&self) -> Proofs {
        let checking = self.members.iter().filter(|member| member.checks());
        checking.fold(Proofs::NONE, |all, member| all.or(member.source.proofs()))
    }

    /// That of the first who knows one.
    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        let checking = self.members.iter().filter(|member| member.checks());
        checking.filter_map(|member| member.source.token_issuer()).next()
    }

    fn forget_users(&self, mask: &str) -> usize {
        let members = self.members.iter();
        members.map(|member| member.source.forget_users(&member.affix.strip_mask(mask))).sum()
    }

    /// All at once, for each may wait for its children.
    async fn close(&self) {
        let mut closing = JoinSet::new();
        for member in &self.members {
            let source = Arc::clone(&member.source);
            closing.spawn(async move { source.close().await });
        }
        closing.join_all().await;
    }
}

/// The chain's answer.
fn verdict(heard: Heard, request: &AuthRequest) -> Result<Verdict, Unavailable> {
    match heard {
        Heard::Accepted(account) => Ok(Verdict::Accepted(account)),
        Heard::Rejected { rejection, .. } => Ok(Verdict::Rejected(rejection)),
        Heard::Unknown => Ok(Verdict::Rejected(unknown(request))),
        Heard::Unavailable(error) | Heard::Undecided(error) => Err(error),
    }
}

/// Nobody has such a user, in the words of one who was asked.
fn unknown(request: &AuthRequest) -> Rejection {
    let user = &request.user;
    let text = match &request.purpose {
        Purpose::Lookup => Rejection::unknown_user(user).text,
        _ => Rejection::not_verified(user).text,
    };
    Rejection::new(RejectionKind::UnknownUser, text)
}

/// Takes over the wanted fields, in place of those that are there, and names
/// them.
fn add_fields(account: &mut Account, more: &Account, fields: &Fields) -> String {
    let mut added = Vec::new();
    for (label, value) in more.info.iter().filter(|(label, _)| fields.include(label)) {
        // It was a field of an account, and so it can be one of another.
        if account.info.set(label, value).is_ok() {
            added.push(label);
        }
    }
    match added.is_empty() {
        true => "nothing".into(),
        false => added.join(", "),
    }
}

#[cfg(test)]
mod tests;
