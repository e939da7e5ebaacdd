//! What the cache may and may not say, in paused time.

mod watching;

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use dmail_core::{Action, Origin, Rejection, Secret, Service};
use tokio::time::advance;

use super::*;

/// A user base whose passwords a test can change behind the cache's back.
#[derive(Default)]
struct Base {
    passwords: Mutex<Vec<&'static str>>,
    down: Mutex<Option<UnavailableKind>>,
    /// What it calls bob, if not so.
    name: Mutex<Option<Username>>,
    asked: AtomicUsize,
}

impl Base {
    fn with(passwords: &[&'static str]) -> Arc<Self> {
        let base = Self::default();
        *base.passwords.lock().expect("no panic") = passwords.to_vec();
        Arc::new(base)
    }

    fn change_to(&self, passwords: &[&'static str]) {
        *self.passwords.lock().expect("no panic") = passwords.to_vec();
    }

    fn go_down(&self, kind: Option<UnavailableKind>) {
        *self.down.lock().expect("no panic") = kind;
    }
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(kind) = *self.down.lock().expect("no panic") {
            return Err(Unavailable::new(kind, "down"));
        }
        let passwords = self.passwords.lock().expect("no panic");
        let good = match &request.purpose {
            Purpose::Check(secret) => passwords.iter().any(|p| p.as_bytes() == secret.expose()),
            _ => !passwords.is_empty(),
        };
        Ok(match good {
            true => {
                let name = self.name.lock().expect("no panic").clone();
                Verdict::accepted(Account::named(name.unwrap_or(request.user.clone())))
            }
            false if passwords.is_empty() => {
                Verdict::Rejected(Rejection::unknown_user(&request.user))
            }
            false => Verdict::Rejected(Rejection::not_verified(&request.user)),
        })
    }

    async fn change(&self, _: &Change) -> Result<Outcome, Unavailable> {
        self.change_to(&["new"]);
        Ok(Outcome::Done("bob added to database".into()))
    }
}

/// A cache in front of a base, and what a check says: (accepted, asked the source).
struct Bench {
    cache: Cache,
    base: Arc<Base>,
}

impl Bench {
    fn new(passwords: &[&'static str], config: CacheConfig) -> Self {
        let base = Base::with(passwords);
        Self { cache: Cache::new(base.clone(), config), base }
    }

    async fn ask(&self, request: AuthRequest) -> (Option<bool>, bool) {
        let before = self.base.asked.load(Ordering::SeqCst);
        let verdict = match self.cache.authenticate(&request).await {
            Ok(Verdict::Accepted(_)) => Some(true),
            Ok(Verdict::Rejected(_)) => Some(false),
            Err(_) => None,
        };
        (verdict, self.base.asked.load(Ordering::SeqCst) > before)
    }

    async fn check(&self, password: &str) -> (Option<bool>, bool) {
        self.ask(check(password, None)).await
    }

    /// What the cache keeps of a check whose answer has not arrived yet.
    fn asking(&self, password: &str) -> Question {
        self.asking_from(password, None)
    }

    fn asking_from(&self, password: &str, client: Option<IpAddr>) -> Question {
        self.cache.question(self.cache.proof(&check(password, client)))
    }
}

fn bob() -> Username {
    name("bob")
}

fn name(text: &str) -> Username {
    Username::parse(text.as_bytes()).expect("a name")
}

fn check(password: &str, client: Option<IpAddr>) -> AuthRequest {
    let origin = Origin { client, ..Origin::local(Service::Pop3) };
    AuthRequest::check(bob(), Secret::new(password.as_bytes()), origin)
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const LATER: Option<bool> = None;
const FROM_MEMORY: bool = false;
const FROM_SOURCE: bool = true;

#[tokio::test(start_paused = true)]
async fn a_verified_password_is_answered_from_memory_while_it_is_fresh() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE));
    assert_eq!(bench.check("s").await, (YES, FROM_MEMORY));
    advance(Duration::from_secs(239)).await;
    assert_eq!(bench.check("s").await, (YES, FROM_MEMORY));
    advance(Duration::from_secs(61)).await;
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE), "300 s are over");
    assert_eq!(bench.check("s").await, (YES, FROM_MEMORY), "and it is fresh again");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_always_reaches_the_source_and_is_never_stored() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    bench.check("s").await;
    for _ in 0..3 {
        assert_eq!(bench.check("wrong").await, (NO, FROM_SOURCE));
    }
    assert_eq!(bench.check("s").await, (YES, FROM_MEMORY), "the right one is still known");
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_works_at_once_and_then_the_old_one_does_not() {
    let bench = Bench::new(&["old"], CacheConfig::default());
    bench.check("old").await;
    bench.base.change_to(&["new"]);
    assert_eq!(bench.check("new").await, (YES, FROM_SOURCE));
    assert_eq!(bench.check("old").await, (NO, FROM_SOURCE));
    assert_eq!(bench.check("new").await, (YES, FROM_MEMORY));
}

#[tokio::test(start_paused = true)]
async fn an_old_password_is_dead_within_its_fresh_time() {
    let bench = Bench::new(&["old"], CacheConfig::default());
    bench.check("old").await;
    bench.base.change_to(&["new"]);
    assert_eq!(bench.check("old").await, (YES, FROM_MEMORY), "nobody could know");
    advance(Duration::from_secs(300)).await;
    assert_eq!(bench.check("old").await, (NO, FROM_SOURCE));
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("old").await, (LATER, FROM_SOURCE), "no grace after it failed");
}

#[tokio::test(start_paused = true)]
async fn several_passwords_that_stay_valid_settle_in_memory() {
    let bench = Bench::new(&["main", "app"], CacheConfig::default());
    assert_eq!(bench.check("main").await, (YES, FROM_SOURCE));
    assert_eq!(bench.check("app").await, (YES, FROM_SOURCE));
    assert_eq!(bench.check("main").await, (YES, FROM_SOURCE), "it may have been replaced");
    for _ in 0..3 {
        assert_eq!(bench.check("main").await, (YES, FROM_MEMORY));
        assert_eq!(bench.check("app").await, (YES, FROM_MEMORY));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_felt_by_those_who_were_here_within_the_life() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    bench.check("s").await;
    bench.base.go_down(Some(UnavailableKind::Timeout));
    advance(Duration::from_secs(3600)).await;
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE));
    assert_eq!(bench.check("other").await, (LATER, FROM_SOURCE), "never a wrong password");
    bench.base.go_down(Some(UnavailableKind::Overloaded));
    assert_eq!(bench.check("s").await, (LATER, FROM_SOURCE), "a queue is not an outage");
    bench.base.go_down(Some(UnavailableKind::Dead));
    advance(Duration::from_secs(11 * 3600)).await;
    assert_eq!(bench.check("s").await, (LATER, FROM_SOURCE), "its life of 12 h is over");
}

#[tokio::test(start_paused = true)]
async fn grace_can_be_turned_off() {
    let bench = Bench::new(&["s"], CacheConfig { grace: false, ..CacheConfig::default() });
    bench.check("s").await;
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("s").await, (YES, FROM_MEMORY), "fresh needs no grace");
    advance(Duration::from_secs(400)).await;
    assert_eq!(bench.check("s").await, (LATER, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn our_own_change_drops_the_entry() {
    let bench = Bench::new(&["old"], CacheConfig::default());
    bench.check("old").await;
    let action = Action::Set { secret: Some(Secret::new(*b"new")), info: None };
    let change = Change { user: bob(), action, origin: Origin::local(Service::Admin) };
    bench.cache.change(&change).await.expect("the base is there");
    assert_eq!(bench.check("old").await, (NO, FROM_SOURCE));
    assert_eq!(bench.check("new").await, (YES, FROM_SOURCE));
}

/// The one who asked for it has gone, and the source makes it nevertheless.
#[tokio::test(start_paused = true)]
async fn what_was_verified_during_a_change_that_nobody_waits_for_is_not_remembered() {
    struct Slow(Arc<Base>);
    #[async_trait]
    impl Authenticator for Slow {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            self.0.authenticate(request).await
        }
        async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let outcome = self.0.change(change).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            outcome
        }
    }
    let base = Base::with(&["old"]);
    let cache = Cache::new(Arc::new(Slow(Arc::clone(&base))), CacheConfig::default());
    let bench = Bench { cache, base };
    let change =
        Change { user: bob(), action: Action::Delete, origin: Origin::local(Service::Admin) };
    let gone = tokio::time::timeout(Duration::from_secs(5), bench.cache.change(&change));
    let (gone, answer) = tokio::join!(gone, bench.check("old"));
    assert_eq!((gone.is_err(), answer), (true, (YES, FROM_SOURCE)));
    assert_eq!(bench.check("old").await, (NO, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn what_was_verified_before_a_change_is_not_remembered_after_it() {
    let bench = Bench::new(&["old"], CacheConfig::default());
    let question = bench.asking("old");
    bench.cache.changed(&bob());
    bench.cache.remember(&bob(), &Account::named(bob()), &question);
    assert_eq!(bench.check("old").await, (YES, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_overtaken_by_another_password_is_not_believed() {
    let bench = Bench::new(&["old"], CacheConfig::default());
    bench.check("old").await;
    advance(Duration::from_secs(300)).await;
    // The source accepts "old", then it is changed and "new" is verified, and
    // only then the first answer arrives.
    let question = bench.asking("old");
    advance(Duration::from_secs(1)).await;
    bench.base.change_to(&["new"]);
    bench.check("new").await;
    bench.cache.remember(&bob(), &Account::named(bob()), &question);
    assert_eq!(bench.check("old").await, (NO, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_overtaken_by_a_rejection_is_not_believed() {
    let bench = Bench::new(&["old"], CacheConfig { by_address: true, ..CacheConfig::default() });
    let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
    // The source accepts "old" here, then it is changed, and "old" is rejected
    // there, and only then the first answer arrives.
    let question = bench.asking_from("old", here);
    bench.base.change_to(&["new"]);
    assert_eq!(bench.ask(check("old", there)).await, (NO, FROM_SOURCE));
    bench.cache.remember(&bob(), &Account::named(bob()), &question);
    assert_eq!(bench.ask(check("old", here)).await, (NO, FROM_SOURCE));
    // Another password that is wrong says nothing about this one.
    let question = bench.asking_from("new", here);
    assert_eq!(bench.ask(check("guess", there)).await, (NO, FROM_SOURCE));
    bench.cache.remember(&bob(), &Account::named(bob()), &question);
    assert_eq!(bench.ask(check("new", here)).await, (YES, FROM_MEMORY));
}

#[tokio::test(start_paused = true)]
async fn whoever_was_removed_meanwhile_is_not_remembered() {
    let lookup = || AuthRequest::lookup(bob(), Origin::local(Service::Smtp));
    for request in [check("s", None), lookup()] {
        let bench = Bench::new(&["s"], CacheConfig::default());
        let question = bench.asking("s");
        bench.base.change_to(&[]);
        assert_eq!(bench.ask(request).await, (NO, FROM_SOURCE));
        bench.cache.remember(&bob(), &Account::named(bob()), &question);
        assert_eq!(bench.check("s").await, (NO, FROM_SOURCE));
        assert_eq!(bench.ask(lookup()).await, (NO, FROM_SOURCE));
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_source_sees_the_address_a_password_counts_for_one_address() {
    let bench = Bench::new(&["s"], CacheConfig { by_address: true, ..CacheConfig::default() });
    let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
    assert_eq!(bench.ask(check("s", here)).await, (YES, FROM_SOURCE));
    assert_eq!(bench.ask(check("s", here)).await, (YES, FROM_MEMORY));
    assert_eq!(bench.ask(check("s", there)).await, (YES, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn a_password_that_fails_anywhere_gets_no_grace_anywhere() {
    let bench = Bench::new(&["old"], CacheConfig { by_address: true, ..CacheConfig::default() });
    let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
    assert_eq!(bench.ask(check("old", here)).await, (YES, FROM_SOURCE));
    bench.base.change_to(&["new"]);
    assert_eq!(bench.ask(check("old", there)).await, (NO, FROM_SOURCE));
    bench.base.go_down(Some(UnavailableKind::Dead));
    advance(Duration::from_secs(400)).await;
    assert_eq!(bench.ask(check("old", here)).await, (LATER, FROM_SOURCE));
}

#[tokio::test(start_paused = true)]
async fn one_password_from_a_further_address_replaces_none() {
    let bench = Bench::new(&["s"], CacheConfig { by_address: true, ..CacheConfig::default() });
    let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
    bench.ask(check("s", here)).await;
    bench.ask(check("s", there)).await;
    assert_eq!(bench.ask(check("s", here)).await, (YES, FROM_MEMORY));
    bench.base.go_down(Some(UnavailableKind::Dead));
    advance(Duration::from_secs(400)).await;
    assert_eq!(bench.ask(check("s", here)).await, (YES, FROM_SOURCE), "grace");
}

#[tokio::test(start_paused = true)]
async fn a_lookup_is_remembered_as_long_as_it_is_fresh() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    let lookup = || AuthRequest::lookup(bob(), Origin::local(Service::Smtp));
    assert_eq!(bench.ask(lookup()).await, (YES, FROM_SOURCE));
    assert_eq!(bench.ask(lookup()).await, (YES, FROM_MEMORY));
    bench.base.change_to(&[]);
    advance(Duration::from_secs(300)).await;
    assert_eq!(bench.ask(lookup()).await, (NO, FROM_SOURCE));
    assert_eq!(bench.ask(lookup()).await, (NO, FROM_SOURCE), "a no is never stored");
}

#[tokio::test]
async fn no_two_users_share_an_answer() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    bench.check("s").await;
    bench.base.change_to(&[]);
    for name in ["bo", "bobb", "b_ob", "bob@x", "@bob", "bob/", "BOB."] {
        let user = Username::parse(name.as_bytes()).expect("a name");
        let request = AuthRequest::check(user, Secret::new(*b"s"), Origin::local(Service::Pop3));
        assert_eq!(bench.ask(request).await, (NO, FROM_SOURCE), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_judged_gets_no_grace() {
    let bench = Bench::new(&["s"], CacheConfig::default());
    bench.check("s").await;
    tokio::time::advance(Duration::from_secs(600)).await;
    bench.base.go_down(Some(UnavailableKind::Record));
    assert_eq!(bench.check("s").await, (LATER, FROM_SOURCE), "it may hold a new password");
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("s").await, (YES, FROM_SOURCE), "grace");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_gone_has_no_other_password_either() {
    let bench = Bench::new(&["main", "app"], CacheConfig::default());
    bench.check("main").await;
    bench.check("app").await;
    tokio::time::advance(Duration::from_secs(600)).await;
    bench.base.change_to(&[]);
    assert_eq!(bench.check("main").await, (NO, FROM_SOURCE));
    bench.base.go_down(Some(UnavailableKind::Dead));
    assert_eq!(bench.check("app").await, (LATER, FROM_SOURCE), "no grace for a deleted user");
}

#[tokio::test(start_paused = true)]
async fn the_cache_tells_how_well_it_serves() {
    let bench = Bench::new(&["pw"], CacheConfig::default());
    for password in ["pw", "pw", "wrong", "pw"] {
        bench.check(password).await;
    }
    // What is asked of memory alone counts if memory has answered.
    let recall = |password: &str| {
        let secret = Secret::new(password.as_bytes());
        bench.cache.recall(&AuthRequest::check(bob(), secret, Origin::local(Service::Pop3)))
    };
    assert!(recall("pw").is_some() && recall("wrong").is_none());
    let status = CacheStatus { hits: 3, misses: 2, users: 1, room: 1000 };
    assert_eq!(bench.cache.cache_status(false), status);
    assert_eq!(bench.cache.cache_status(true), status);
    assert_eq!(bench.cache.cache_status(false), CacheStatus { hits: 0, misses: 0, ..status });
    tokio::time::advance(Duration::from_secs(600)).await;
    bench.check("pw").await;
    bench.cache.forget_users("*");
    let asked = CacheStatus { hits: 0, misses: 1, users: 0, room: 1000 };
    assert_eq!(bench.cache.cache_status(false), asked, "a memory that is too old is no hit");
}

#[tokio::test(start_paused = true)]
async fn an_administrator_can_have_users_forgotten() {
    for (mask, count, asked) in
        [("bob", 1, FROM_SOURCE), ("B*", 1, FROM_SOURCE), ("*", 1, FROM_SOURCE), ("a*", 0, false)]
    {
        let bench = Bench::new(&["pw"], CacheConfig::default());
        let under_way = bench.asking("pw");
        assert_eq!(bench.check("pw").await, (YES, FROM_SOURCE));
        assert_eq!(bench.cache.forget_users(mask), count, "{mask}");
        assert_eq!(bench.check("pw").await, (YES, asked), "{mask}");
        // An answer that was asked for before is not fresh afterwards.
        bench.cache.forget_users(mask);
        bench.cache.remember(&bob(), &Account::named(bob()), &under_way);
        assert_eq!(bench.check("pw").await, (YES, FROM_SOURCE), "{mask}");
    }
}
