use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dmail_core::{
    Action, AuthRequest, Authenticator, Change, DropPath, Info, Origin, Secret, Service, Uid,
    Verdict,
};
use dmail_schemes::Scheme;

use super::super::NwAuthConfig;
use super::*;

fn open(path: &Path, rehash: bool) -> NwAuth {
    let mut config = NwAuthConfig::new(path);
    config.scheme = Scheme::Ssha512;
    config.rehash = rehash;
    NwAuth::open(config).expect("a base")
}

fn name(text: &str) -> Username {
    Username::parse(text.as_bytes()).expect("a name")
}

async fn change(base: &NwAuth, user: &str, action: Action) {
    let origin = Origin::local(Service::Admin);
    let change = Change { user: name(user), action, origin };
    let outcome = base.change(&change).await.expect("an answer");
    assert!(matches!(outcome, Outcome::Done(_)), "{user}: {outcome:?}");
}

async fn set(base: &NwAuth, user: &str, password: &str) {
    let secret = Some(Secret::new(password.as_bytes()));
    change(base, user, Action::Set { secret, info: None }).await;
}

async fn check(base: &NwAuth, user: &str, password: &str) -> bool {
    let origin = Origin::local(Service::Admin);
    let request = AuthRequest::check(name(user), Secret::new(password.as_bytes()), origin);
    matches!(base.authenticate(&request).await, Ok(Verdict::Accepted(_)))
}

/// All names, read in pages of this size; `between` is called after each.
async fn walk(base: &NwAuth, limit: usize, mut between: impl AsyncFnMut(usize)) -> Vec<String> {
    let mut names: Vec<Username> = Vec::new();
    loop {
        let page = base.page(names.last(), limit).await.expect("a page");
        if page.is_empty() {
            return names.iter().map(|name| name.as_str().to_owned()).collect();
        }
        assert!(page.len() <= limit);
        names.extend(page.into_iter().map(|record| record.user));
        between(names.len()).await;
    }
}

#[tokio::test]
async fn all_users_are_walked_once_whatever_the_size_of_a_page() {
    let home = tempfile::tempdir().expect("a directory");
    let text = "a:h:\nB:h:\n# no record\nc:h:\na2:h:\nc:h2:\n\nd:(DELETE):\ne:h:\n";
    fs::write(home.path().join("nwauth.txt"), text).expect("room");
    fs::write(home.path().join("nwauth.add"), "new2:h:\nb:h9:\nnew1:h:\ne:(DELETE):\nnew2:h3:\n")
        .expect("room");
    let base = open(home.path(), false);
    for limit in [1, 2, 3, 100] {
        let names = walk(&base, limit, async |_| {}).await;
        assert_eq!(names, ["a", "b", "a2", "c", "new1", "new2"], "{limit}");
    }
    // Two walks at a time, each of which takes the place of the other.
    let (mut one, mut other) = (None, None);
    for expected in ["a", "b", "a2", "c", "new1", "new2"] {
        for after in [&mut one, &mut other] {
            let page = base.page(after.as_ref(), 1).await.expect("a page");
            let user = page.into_iter().next().expect("a user").user;
            assert_eq!(user.as_str(), expected);
            *after = Some(user);
        }
    }
}

#[tokio::test]
async fn a_walk_shows_one_moment_even_if_the_files_are_merged_meanwhile() {
    let home = tempfile::tempdir().expect("a directory");
    let mut config = NwAuthConfig::new(home.path());
    config.scheme = Scheme::Ssha512;
    config.journal_limit = Some(300);
    let base = NwAuth::open(config).expect("a base");
    for number in 0..20 {
        set(&base, &format!("u{number:02}"), "x").await;
    }
    let names = walk(&base, 3, async |seen| {
        set(&base, &format!("later{seen}"), "x").await;
        if seen == 6 {
            change(&base, "u05", Action::Delete).await;
            change(&base, "u15", Action::Delete).await;
        }
    })
    .await;
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with('u')).count(), 20, "{names:?}");
}

#[tokio::test]
async fn a_record_comes_out_as_it_was_put_in() {
    let home = tempfile::tempdir().expect("a directory");
    let base = open(home.path(), false);
    let info: Info = "name=\"Bob: Smith\" fwd=\"|prog \"x y\" z\"".parse().expect("info");
    let bob = UserRecord {
        user: name("bob@corp.example"),
        stored: Some(Secret::new(*b"$6$salt$hash")),
        drop: DropPath::File("/srv/mail/bob".into()),
        uid: Some(Uid::Name("bob".into())),
        info,
    };
    let plain = UserRecord {
        user: name("O'Brien"),
        stored: None,
        drop: DropPath::Config,
        uid: None,
        info: Info::default(),
    };
    let bad = UserRecord { user: name("a:b"), ..plain.clone() };
    let done = base.put_all(&[bob.clone(), bad, plain]).await.expect("an answer");
    assert!(matches!(done[0], Outcome::Done(_)), "{done:?}");
    assert!(matches!(done[1], Outcome::Refused(_)), "{done:?}");
    assert!(matches!(done[2], Outcome::Done(_)), "{done:?}");
    let page = base.page(None, 10).await.expect("a page");
    assert_eq!(format!("{:?}", page[0]), format!("{bob:?}"));
    assert_eq!(page[0].stored, bob.stored);
    assert_eq!((page[1].user.as_str(), &page[1].stored), ("o'brien", &None));
    // The file says where the mail is, and so does a lookup.
    let request = AuthRequest::lookup(bob.user, Origin::local(Service::Admin));
    let Ok(Verdict::Accepted(account)) = base.authenticate(&request).await else {
        panic!("bob exists");
    };
    assert_eq!((&account.drop, &account.uid), (&bob.drop, &bob.uid));
}

#[tokio::test]
async fn a_read_only_base_takes_nothing_in() {
    let home = tempfile::tempdir().expect("a directory");
    let mut config = NwAuthConfig::new(home.path());
    config.scheme = Scheme::Ssha512;
    config.read_only = true;
    let base = NwAuth::open(config).expect("a base");
    let info = Info::default();
    let user =
        UserRecord { user: name("bob"), stored: None, drop: DropPath::Config, uid: None, info };
    assert!(matches!(base.put(&user).await, Ok(Outcome::Refused(_))));
}

fn stored(home: &Path) -> String {
    fs::read_to_string(home.join("nwauth.add")).unwrap_or_default()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_weak_hash_is_replaced_by_the_login_and_only_then() {
    let home = tempfile::tempdir().expect("a directory");
    let text = "weak:*secret:name=\"W\"\ngood:{SSHA512}QUJD:\nother:*secret:\n";
    fs::write(home.path().join("nwauth.txt"), text).expect("room");
    let base = open(home.path(), true);
    assert!(!check(&base, "weak", "guess").await);
    assert!(check(&base, "weak", "secret").await);
    until("a new hash is stored", || stored(home.path()).contains("weak:{SSHA512}")).await;
    assert!(stored(home.path()).contains("name=\"W\""), "{}", stored(home.path()));
    assert!(check(&base, "weak", "secret").await && !check(&base, "weak", "guess").await);
    assert_eq!(stored(home.path()).lines().count(), 1, "once");

    let without = open(home.path(), false);
    assert!(check(&without, "other", "secret").await);
    assert_eq!(stored(home.path()).lines().count(), 1, "nobody asked for it");
}

#[tokio::test]
async fn a_password_that_was_set_meanwhile_is_not_overwritten() {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join("nwauth.txt"), "bob:*secret:\n").expect("room");
    let base = open(home.path(), true);
    let record = base.find(&name("bob")).await.expect("readable").expect("bob");
    set(&base, "bob", "another").await;
    // As if the login had been checked before the change.
    base.perhaps_rehash(&name("bob"), &record, &Secret::new(*b"secret"));
    set(&base, "ann", "x").await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
        assert!(check(&base, "bob", "another").await);
        assert!(!check(&base, "bob", "secret").await);
    }
}
