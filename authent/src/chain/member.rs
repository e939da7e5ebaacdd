//! One source of a chain: when it is asked, and under which names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::pattern::NameList;
use dmail_core::{
    AuthRequest, Authenticator, Change, Hit, Origin, Outcome, Purpose, Rejection, RejectionKind,
    Search, SearchOutcome, Unavailable, UnavailableKind, Username, Verdict,
};
use tokio::time::timeout;

use super::affix::Affix;
use super::policy::{Heard, Policy};

/// How long a search may take: it may read all of a large base.
const LIST_PATIENCE: Duration = Duration::from_secs(300);

/// One source of a chain.
pub struct Member {
    /// What it is called in logs and explanations: `module 10 (nwauth)`.
    pub name: Arc<str>,
    /// The source itself.
    pub source: Arc<dyn Authenticator>,
    /// What its answers are for.
    pub role: Role,
    /// Which questions it gets.
    pub verbs: Verbs,
    /// What is taken off a name before it is asked.
    pub affix: Affix,
    /// How long it may take over an answer.
    pub timeout: Duration,
    /// What follows from its answers.
    pub policy: Policy,
    /// The member that gets the users of this one, one by one as they log in:
    /// its place in the chain, counted from 0.
    pub migrate_to: Option<usize>,
}

/// What the answers of a member are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It says who is who, and whether a password is right.
    Answer,
    /// It says whether a password is right, and no more: who the user is, the
    /// members say that answer lookups.
    Verify,
    /// It adds info fields to an account that others have accepted.
    Merge(Fields),
    /// It is asked for comparison, and its answer is not used.
    Shadow,
}

/// Info fields by their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// Whatever there is.
    All,
    /// These.
    Named(Vec<Box<str>>),
}

impl Fields {
    /// Whether the field of this label is one of them.
    #[must_use]
    pub fn include(&self, label: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(labels) => labels.iter().any(|known| **known == *label),
        }
    }
}

/// About which users a member is asked what; `None`: about nobody.
#[derive(Debug, Clone, Default)]
pub struct Verbs {
    /// Users whose passwords it checks.
    pub check: Option<NameList>,
    /// Users that it is asked to look up.
    pub lookup: Option<NameList>,
    /// Users that a search in it may find.
    pub search: Option<NameList>,
    /// Users whose records it changes, and whether it also adds users.
    pub set: Option<(NameList, Creates)>,
    /// Users that it removes.
    pub del: Option<NameList>,
}

/// Whether a member takes users that it does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creates {
    /// It changes users that it has.
    Never,
    /// It also takes users that nobody in the chain has.
    NewUsers,
}

impl Member {
    /// A member that is asked everything about everybody, and changes only the
    /// users that it has.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, source: Arc<dyn Authenticator>) -> Self {
        let everybody = NameList::parse("*").ok();
        Self {
            name: name.into(),
            source,
            role: Role::Answer,
            verbs: Verbs {
                check: everybody.clone(),
                lookup: everybody.clone(),
                search: everybody.clone(),
                set: everybody.map(|everybody| (everybody, Creates::Never)),
                del: None,
            },
            affix: Affix::default(),
            timeout: Duration::from_secs(10),
            policy: Policy::default(),
            migrate_to: None,
        }
    }

    /// Whether it is one of those that say yes or no to this request.
    pub(super) fn answers(&self, request: &AuthRequest) -> bool {
        let name = request.user.as_str();
        match (&self.role, &request.purpose) {
            (Role::Answer, Purpose::Lookup) => includes(&self.verbs.lookup, name),
            (_, Purpose::Lookup) => false,
            (Role::Answer | Role::Verify, purpose) => {
                self.judges(purpose) && includes(&self.verbs.check, name)
            }
            _ => false,
        }
    }

    /// Whether it is one to ask about such a login. A token is between its
    /// issuer and those who judge tokens, whoever has the user. All else is
    /// about the user's password, and he may be with one who knows passwords
    /// only: nobody else may let him in then.
    fn judges(&self, purpose: &Purpose) -> bool {
        let proofs = self.source.proofs();
        match purpose {
            Purpose::Lookup => true,
            Purpose::Prove(proof) if proof.is_token() => proofs.token,
            Purpose::Check(_) | Purpose::Prove(_) | Purpose::Salt(_) => proofs.password,
        }
    }

    /// Whether it says of anybody that a password is right.
    pub(super) fn checks(&self) -> bool {
        matches!(self.role, Role::Answer | Role::Verify) && self.verbs.check.is_some()
    }

    /// Whether it is asked about this user and verb at all, whatever for.
    pub(super) fn is_asked(&self, request: &AuthRequest) -> bool {
        let verb = match &request.purpose {
            Purpose::Lookup => &self.verbs.lookup,
            _ => &self.verbs.check,
        };
        self.judges(&request.purpose) && includes(verb, request.user.as_str())
    }

    /// Whether it can be asked who this user is.
    pub(super) fn looks_up(&self, user: &Username) -> bool {
        includes(&self.verbs.lookup, user.as_str())
    }

    /// Its answer to a request, as the policy takes it.
    pub(super) async fn hear(&self, request: &AuthRequest) -> Heard {
        match self.authenticate(request).await {
            Ok(Verdict::Accepted(account)) => {
                if matches!(request.purpose, Purpose::Salt(_)) && self.looks_up(&request.user) {
                    // A "no" takes one more question, and the client must not
                    // see by the time whose salt is made up.
                    let lookup = AuthRequest { purpose: Purpose::Lookup, ..request.clone() };
                    let _ = self.authenticate(&lookup).await;
                }
                Heard::Accepted(account)
            }
            Ok(Verdict::Rejected(rejection)) => self.judge(request, rejection).await,
            Err(error) => Heard::Unavailable(error),
        }
    }

    /// What kind of "no" it was.
    async fn judge(&self, request: &AuthRequest, rejection: Rejection) -> Heard {
        use RejectionKind::{
            BadInput, Disabled, NotAllowed, NotVerified, OnHold, Throttled, UnknownUser,
        };
        match (rejection.kind, &request.purpose) {
            (UnknownUser, _) | (NotVerified | BadInput, Purpose::Lookup) => Heard::Unknown,
            (Disabled | NotAllowed | OnHold | Throttled, _) => {
                Heard::Rejected { rejection, sure: true }
            }
            (NotVerified | BadInput, _) => self.wrong_or_unknown(request, rejection).await,
            // It knows passwords only. If it has the user, nobody else may let
            // him in with older keys.
            (RejectionKind::Unsupported, Purpose::Prove(_) | Purpose::Salt(_)) => {
                self.wrong_or_unknown(request, rejection).await
            }
            (RejectionKind::Unsupported, _) => Heard::Unavailable(self.unsupported(request)),
        }
    }

    /// Most sources answer a check of somebody who is not there as they answer
    /// a wrong password. Which of the two it was, a lookup tells.
    async fn wrong_or_unknown(&self, request: &AuthRequest, rejection: Rejection) -> Heard {
        if !self.looks_up(&request.user) {
            return Heard::Rejected { rejection, sure: false };
        }
        request.note("chain", || format!("{}: not verified; is the user there?", self.name));
        let lookup = AuthRequest { purpose: Purpose::Lookup, ..request.clone() };
        match self.authenticate(&lookup).await {
            Ok(Verdict::Accepted(_)) => Heard::Rejected { rejection, sure: true },
            Ok(Verdict::Rejected(no)) => match no.kind {
                RejectionKind::Disabled
                | RejectionKind::NotAllowed
                | RejectionKind::OnHold
                | RejectionKind::Throttled => Heard::Rejected { rejection, sure: true },
                RejectionKind::Unsupported => Heard::Rejected { rejection, sure: false },
                _ => Heard::Unknown,
            },
            Err(error) => Heard::Undecided(error),
        }
    }

    /// Whether it has this user.
    pub(super) async fn has(&self, user: &Username, origin: Origin) -> Result<bool, Unavailable> {
        let lookup = AuthRequest::lookup(user.clone(), origin);
        match self.hear(&lookup).await {
            Heard::Accepted(_) | Heard::Rejected { .. } => Ok(true),
            Heard::Unknown => Ok(false),
            Heard::Unavailable(error) | Heard::Undecided(error) => Err(error),
        }
    }

    fn unsupported(&self, request: &AuthRequest) -> Unavailable {
        let verb = match &request.purpose {
            Purpose::Lookup => "lookup",
            _ => "check",
        };
        let detail = format!(
            "{} does not answer {verb}; do_{verb} false keeps such questions away from it",
            self.name
        );
        Unavailable::new(UnavailableKind::Fault, detail)
    }

    /// What `asking` comes to within `patience`.
    async fn within<T>(
        &self,
        patience: Duration,
        asking: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        match timeout(patience, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Unavailable { kind, detail })) => {
                Err(Unavailable::new(kind, format!("{}: {detail}", self.name)))
            }
            Err(_) => {
                let patience = patience.as_secs_f64();
                let detail = format!("{} gave no answer within {patience} s", self.name);
                Err(Unavailable::new(UnavailableKind::Timeout, detail))
            }
        }
    }

    /// The users of a list as the chain knows them.
    fn restore(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        if self.affix.is_empty() {
            return hits;
        }
        hits.retain_mut(|hit| match self.affix.restore(&hit.user) {
            Some(user) => {
                hit.user = user;
                true
            }
            None => false,
        });
        hits
    }
}

/// The source as the rest of the chain sees it: under the chain's names, and
/// with a deadline.
#[async_trait]
impl Authenticator for Member {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = self.affix.strip(&request.user);
        if user == request.user {
            return self.within(self.timeout, self.source.authenticate(request)).await;
        }
        request.note("chain", || format!("{} knows {} as {user}", self.name, request.user));
        let stripped = AuthRequest { user, ..request.clone() };
        match self.within(self.timeout, self.source.authenticate(&stripped)).await? {
            Verdict::Accepted(account) => {
                let mut account = Arc::unwrap_or_clone(account);
                account.name = request.user.clone();
                Ok(Verdict::accepted(account))
            }
            rejected @ Verdict::Rejected(_) => Ok(rejected),
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let change = Change { user: self.affix.strip(&change.user), ..change.clone() };
        self.within(self.timeout, self.source.change(&change)).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let pattern = self.affix.strip_pattern(&search.pattern);
        let search = Search { pattern, ..search.clone() };
        let outcome = self.within(LIST_PATIENCE, self.source.search(&search)).await?;
        Ok(match outcome {
            SearchOutcome::Found(mut found) => {
                found.hits = self.restore(found.hits);
                SearchOutcome::Found(found)
            }
            refused @ SearchOutcome::Refused(_) => refused,
        })
    }

    fn sees_address(&self) -> bool {
        self.source.sees_address()
    }

    async fn close(&self) {
        self.source.close().await;
    }
}

pub(super) fn includes(list: &Option<NameList>, name: &str) -> bool {
    list.as_ref().is_some_and(|list| list.includes(name))
}
