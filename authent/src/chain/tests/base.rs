//! A source in memory for these tests, and short words for what is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::pattern::NameList;
use dmail_core::{
    Account, Action, AuthRequest, Authenticator, Change, DropPath, Found, Hit, Info, Origin,
    Outcome, Proofs, Purpose, Rejection, Salt, Search, SearchOutcome, Secret, Service, Unavailable,
    UnavailableKind, Username, Verdict, Watcher,
};

use super::super::{Chain, Member};

/// A user base in memory. Like most, it answers a check of an unknown user as
/// it answers a wrong password.
#[derive(Default)]
pub(super) struct Base {
    users: Mutex<BTreeMap<String, User>>,
    asked: Mutex<Vec<String>>,
    pub(super) down: AtomicBool,
    /// Checks are answered, all else is not.
    pub(super) half_down: AtomicBool,
    /// It judges no proofs.
    pub(super) passwords_only: AtomicBool,
    /// It judges tokens and nothing else: each user's is the password.
    pub(super) tokens_only: AtomicBool,
    /// How long an answer takes.
    pub(super) takes: Mutex<Duration>,
    /// Where all mail lies, if not where dmail.conf says.
    pub(super) drop: Mutex<Option<&'static str>>,
    pub(super) watcher: Mutex<Option<std::sync::Weak<dyn Watcher>>>,
}

#[derive(Clone)]
struct User {
    password: String,
    info: Info,
}

impl Base {
    /// With users `name password info`.
    pub(super) fn with(users: &[(&str, &str, &str)]) -> Arc<Self> {
        let base = Self::default();
        for (name, password, info) in users {
            base.put(name, password, info);
        }
        Arc::new(base)
    }

    pub(super) fn put(&self, name: &str, password: &str, info: &str) {
        let user = User { password: password.into(), info: info.parse().expect("info") };
        self.users().insert(name.into(), user);
    }

    /// The user's password, if there is such a user.
    pub(super) fn password(&self, name: &str) -> Option<String> {
        self.users().get(name).map(|user| user.password.clone())
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().expect("no panic")).join(" ")
    }

    fn users(&self) -> MutexGuard<'_, BTreeMap<String, User>> {
        self.users.lock().expect("no panic")
    }

    async fn reached(&self, what: &str, user: &str) -> Result<(), Unavailable> {
        self.asked.lock().expect("no panic").push(format!("{what}:{user}"));
        let takes = *self.takes.lock().expect("no panic");
        tokio::time::sleep(takes).await;
        let down = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        match down(&self.down) || (down(&self.half_down) && what != "check") {
            true => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            false => Ok(()),
        }
    }

    fn account(&self, name: &Username, user: &User) -> Account {
        let drop = match *self.drop.lock().expect("no panic") {
            Some(path) => DropPath::File(path.into()),
            None => DropPath::Config,
        };
        Account { drop, info: user.info.clone(), ..Account::named(name.clone()) }
    }
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let name = &request.user;
        let verb = match &request.purpose {
            Purpose::Check(_) => "check",
            Purpose::Lookup => "lookup",
            Purpose::Prove(_) => "prove",
            Purpose::Salt(_) => "salt",
        };
        // Decided at once; it is the answer that takes long.
        let user = self.users().get(name.as_str()).cloned();
        self.reached(verb, name.as_str()).await?;
        Ok(match (user, &request.purpose) {
            (Some(user), Purpose::Check(secret)) if secret.expose() == user.password.as_bytes() => {
                Verdict::accepted(self.account(name, &user))
            }
            (Some(user), Purpose::Lookup) => Verdict::accepted(self.account(name, &user)),
            (None, Purpose::Lookup) => Verdict::Rejected(Rejection::unknown_user(name)),
            (_, Purpose::Prove(_) | Purpose::Salt(_))
                if self.passwords_only.load(Ordering::SeqCst) =>
            {
                Verdict::Rejected(Rejection::unsupported())
            }
            (Some(user), Purpose::Prove(proof)) if proof.guess() == user.password.as_bytes() => {
                Verdict::accepted(self.account(name, &user))
            }
            (Some(user), Purpose::Salt(question)) => {
                question.tell(Salt { bytes: user.password.as_bytes().into(), iterations: 1 });
                Verdict::accepted(self.account(name, &user))
            }
            _ => Verdict::Rejected(Rejection::not_verified(name)),
        })
    }

    fn proofs(&self) -> Proofs {
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        match (is(&self.passwords_only), is(&self.tokens_only)) {
            (_, true) => Proofs::TOKENS,
            (true, false) => Proofs::default(),
            (false, false) => Proofs::STORED,
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let name = change.user.as_str();
        self.reached("change", name).await?;
        match &change.action {
            Action::Delete => {
                if self.users().remove(name).is_none() {
                    return Ok(Outcome::Refused(Rejection::unknown_user(&change.user)));
                }
            }
            Action::Set { secret, info } => {
                let password = secret
                    .as_ref()
                    .map(|secret| String::from_utf8_lossy(secret.expose()).into_owned());
                let mut users = self.users();
                let old = users.get(name).cloned();
                let Some(password) = password.or(old.as_ref().map(|old| old.password.clone()))
                else {
                    return Ok(Outcome::Refused(Rejection::unknown_user(&change.user)));
                };
                let info = info.clone().or(old.map(|old| old.info)).unwrap_or_default();
                users.insert(name.into(), User { password, info });
            }
        }
        Ok(Outcome::Done(format!("{name} done")))
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.reached("search", &search.pattern).await?;
        let users = self.users();
        let all = users.iter().filter(|(name, _)| search.matches(name));
        let hits = all
            .skip(search.from)
            .take(search.max.unwrap_or(usize::MAX))
            .map(|(name, user)| Hit { user: self::user(name), info: user.info.clone() })
            .collect();
        Ok(SearchOutcome::Found(Found { hits, scanned: users.len() }))
    }

    fn watch(&self, watcher: std::sync::Weak<dyn Watcher>) {
        *self.watcher.lock().expect("no panic") = Some(watcher);
    }
}

pub(super) fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

pub(super) fn names(list: &str) -> Option<NameList> {
    Some(NameList::parse(list).expect("a list"))
}

/// A member that is asked everything, as `name`.
pub(super) fn member(name: &str, base: &Arc<Base>) -> Member {
    Member::new(name, Arc::clone(base) as Arc<dyn Authenticator>)
}

pub(super) fn check(name: &str, password: &str) -> AuthRequest {
    let origin = Origin::local(Service::Pop3);
    AuthRequest::check(user(name), Secret::new(password.as_bytes()), origin)
}

pub(super) fn lookup(name: &str) -> AuthRequest {
    AuthRequest::lookup(user(name), Origin::local(Service::Smtp))
}

/// The answer in one line: `yes NAME INFO`, `no KIND`, or `later`.
pub(super) async fn ask(chain: &Chain, request: AuthRequest) -> String {
    match chain.authenticate(&request).await {
        Ok(Verdict::Accepted(account)) => {
            format!("yes {} {}", account.name, account.info).trim_end().to_owned()
        }
        Ok(Verdict::Rejected(no)) => format!("no {}", no.kind.id()),
        Err(_) => "later".into(),
    }
}
