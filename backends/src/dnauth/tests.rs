//! A whole base on real files.

use dmail_core::{Action, Change, Origin, Outcome, Service};
use tempfile::TempDir;

use super::*;

/// A base with these settings and users.
fn base(settings: &str, users: &str) -> (TempDir, DnAuth) {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("users.dat"), users).expect("written");
    let file = home.path().join("dnauth.ini");
    std::fs::write(&file, settings).expect("written");
    let base = DnAuth::open(&file).expect("a base");
    (home, base)
}

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

async fn check(base: &DnAuth, name: &str, password: &str) -> Result<bool, UnavailableKind> {
    let secret = Secret::new(password.as_bytes());
    let request = AuthRequest::check(user(name), secret, Origin::local(Service::Pop3));
    match base.authenticate(&request).await {
        Ok(verdict) => Ok(matches!(verdict, Verdict::Accepted(_))),
        Err(error) => Err(error.kind),
    }
}

#[tokio::test]
async fn passwords_are_judged_as_the_settings_say() {
    use UnavailableKind::Record;
    let hash = dmail_schemes::hash(Scheme::Ssha256, &Secret::new(*b"opensesame")).expect("a hash");
    let users = format!(
        "clear:two words:Full\nhash:{hash}\nempty::Full\nstar:*x\nodd:$what$ever$x\n\
         locked:!secret\ndes:rl.3StKT.4T8M\n"
    );
    type Row<'a> = (&'a str, &'a str, [Result<bool, UnavailableKind>; 3]);
    // With `either`, `clear` and `hashed`.
    let rows: &[Row<'_>] = &[
        ("clear", "two words", [Ok(true), Ok(true), Err(Record)]),
        ("CLEAR", "two words", [Ok(true), Ok(true), Err(Record)]),
        ("clear", "two", [Ok(false), Ok(false), Err(Record)]),
        ("hash", "opensesame", [Ok(true), Ok(false), Ok(true)]),
        ("hash", "guess", [Ok(false), Ok(false), Ok(false)]),
        ("hash", &hash, [Ok(false), Ok(true), Ok(false)]),
        ("empty", "", [Ok(false), Ok(false), Ok(false)]),
        ("empty", "x", [Ok(false), Ok(false), Ok(false)]),
        ("star", "*x", [Ok(true), Ok(true), Ok(false)]),
        ("star", "x", [Ok(false), Ok(false), Ok(false)]),
        ("odd", "x", [Err(Record), Ok(false), Err(Record)]),
        ("locked", "!secret", [Ok(true), Ok(true), Ok(false)]),
        ("des", "rasmuslerdorf", [Ok(false), Ok(false), Ok(true)]),
        ("nobody", "x", [Ok(false), Ok(false), Ok(false)]),
    ];
    for (index, mode) in ["either", "clear", "hashed"].into_iter().enumerate() {
        let (_home, base) = base(&format!("passwords {mode}\n"), &users);
        for (name, password, expected) in rows {
            let answer = check(&base, name, password).await;
            assert_eq!(answer, expected[index], "{mode}: {name} {password}");
        }
    }
}

#[tokio::test]
async fn a_user_is_shown_with_name_and_groups() {
    let (_home, base) = base("", "Bob:x:Full:*:Bob Jones:staff:quota=\"5M\"\nann:y\n");
    let origin = Origin::local(Service::Smtp);
    let lookup = base.authenticate(&AuthRequest::lookup(user("bob"), origin)).await;
    let Ok(Verdict::Accepted(account)) = lookup else { panic!("{lookup:?}") };
    assert_eq!(account.info.to_string(), "quota=\"5M\" name=\"Bob Jones\" usergroups=\"staff\"");
    assert_eq!((account.name.as_str(), &account.drop), ("bob", &DropPath::Config));
    let nobody = base.authenticate(&AuthRequest::lookup(user("eve"), origin)).await;
    assert_eq!(nobody, Ok(Verdict::Rejected(Rejection::unknown_user(&user("eve")))));

    let search = Search { pattern: "jones".into(), from: 0, max: None, origin };
    let Ok(SearchOutcome::Found(found)) = base.search(&search).await else { panic!("it searches") };
    assert_eq!((found.hits.len(), found.scanned), (1, 2));
    let all = Search { pattern: "*".into(), from: 1, max: Some(5), origin };
    let Ok(SearchOutcome::Found(found)) = base.search(&all).await else { panic!("it searches") };
    assert_eq!(found.hits[0].user.as_str(), "ann");

    let del = Change { user: user("bob"), action: Action::Delete, origin };
    assert_eq!(base.change(&del).await, Ok(Outcome::Refused(Rejection::unsupported())));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_trouble_and_not_a_no() {
    let (home, base) = base("", "bob:x\n");
    assert_eq!(check(&base, "bob", "x").await, Ok(true));
    let (file, away) = (home.path().join("users.dat"), home.path().join("away"));
    std::fs::rename(&file, &away).expect("renamed");
    assert_eq!(check(&base, "bob", "x").await, Err(UnavailableKind::Dead));
    std::fs::rename(&away, &file).expect("renamed");
    assert_eq!(check(&base, "bob", "x").await, Ok(true));
}
