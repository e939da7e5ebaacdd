//! The base as an authenticator: the answers of the original, word for word.

use std::path::Path;

use dmail_core::{DropPath, Origin, Service, Uid, UnavailableKind};

use super::*;
use dmail_schemes::Scheme;

fn origin() -> Origin {
    Origin::local(Service::Line)
}

fn name(text: &str) -> Username {
    Username::parse(text.as_bytes()).expect("a name")
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

fn open(home: &Path) -> NwAuth {
    let mut config = NwAuthConfig::new(home);
    config.scheme = Scheme::Ssha256;
    NwAuth::open(config).expect("an open base")
}

/// A check or, without a password, a lookup, in the words of the protocol.
async fn ask(base: &NwAuth, user: &str, password: Option<&str>) -> String {
    let request = match password {
        Some(password) => AuthRequest::check(name(user), secret(password), origin()),
        None => AuthRequest::lookup(name(user), origin()),
    };
    match base.authenticate(&request).await {
        Ok(Verdict::Accepted(account)) => {
            assert_eq!(account.drop, DropPath::Config);
            assert_eq!(account.uid, Some(Uid::Number(0)));
            format!("+OK {} config 0 {}", account.name, account.info)
        }
        Ok(Verdict::Rejected(rejection)) => format!("-ERR {}", rejection.text),
        Err(unavailable) => {
            assert_eq!(unavailable.kind, UnavailableKind::Record);
            format!("-DEAD {}", unavailable.detail)
        }
    }
}

async fn change(base: &NwAuth, user: &str, action: Action) -> String {
    let change = Change { user: name(user), action, origin: origin() };
    match base.change(&change).await.expect("an answer") {
        Outcome::Done(text) => format!("+OK {text}"),
        Outcome::Refused(rejection) => format!("-ERR {}", rejection.text),
    }
}

fn set(password: Option<&str>, info: Option<&str>) -> Action {
    Action::Set { secret: password.map(secret), info: info.map(|text| text.parse().expect("info")) }
}

#[tokio::test]
async fn a_user_is_added_changed_asked_for_and_deleted() {
    let home = tempfile::tempdir().expect("a directory");
    let base = open(home.path());
    let nobody = "-ERR Bob password wrong or not a valid user";
    assert_eq!(ask(&base, "Bob", Some("s1")).await, nobody);
    assert_eq!(ask(&base, "bob", None).await, "-ERR bob does not exist");
    assert_eq!(change(&base, "bob", set(None, Some("a=\"1\""))).await, "-ERR bob does not exist");
    let added = change(&base, "Bob", set(Some("s1"), Some("fwd=\"b@x\" name=\"B: S\""))).await;
    assert_eq!(added, "+OK Bob added to database");
    let full = "+OK bob config 0 fwd=\"b@x\" name=\"B: S\"";
    assert_eq!(ask(&base, "bob", Some("s1")).await, full);
    assert_eq!(ask(&base, "bob", None).await, full);
    assert_eq!(ask(&base, "Bob", Some("S1")).await, nobody);
    // (NULL) keeps the password, and info is replaced as a whole.
    change(&base, "bob", set(None, Some("name=\"B\""))).await;
    assert_eq!(ask(&base, "BOB", Some("s1")).await, "+OK BOB config 0 name=\"B\"");
    // A new password without info keeps the info.
    change(&base, "bob", set(Some("s2"), None)).await;
    assert_eq!(ask(&base, "Bob", Some("s1")).await, nobody);
    assert_eq!(ask(&base, "bob", Some("s2")).await, "+OK bob config 0 name=\"B\"");
    assert_eq!(change(&base, "BOB", Action::Delete).await, "+OK BOB deleted from database");
    assert_eq!(change(&base, "bob", Action::Delete).await, "-ERR bob does not exist");
    assert_eq!(ask(&base, "bob", None).await, "-ERR bob does not exist");
    let journal = std::fs::read_to_string(home.path().join("nwauth.add")).expect("a journal");
    assert!(journal.lines().all(|line| line.starts_with("bob:")), "{journal}");
}

#[tokio::test]
async fn what_the_file_cannot_hold_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let base = open(home.path());
    let mut smuggled = Info::default();
    smuggled.set("a", "x\" admin=\"1").expect("a value");
    let rows = [
        ("a:b", set(Some("x"), None), "-ERR a name may not hold ':'"),
        ("o'b", set(Some("x"), None), "-ERR a name may not hold '\\''"),
        ("a@b@c", set(Some("x"), None), "-ERR a name has one '@' at most (-allowats allows more)"),
        ("bob", set(Some(""), None), "-ERR the password is empty"),
        (
            "bob",
            Action::Set { secret: Some(secret("x")), info: Some(smuggled) },
            "-ERR an info value would read back as another one",
        ),
        (
            "bob",
            set(Some("x"), Some(&format!("a=\"{}\"", "y".repeat(70_000)))),
            "-ERR the record does not fit a line of nwauth.txt",
        ),
    ];
    for (user, action, expected) in rows {
        assert_eq!(change(&base, user, action).await, expected);
    }
    assert!(!home.path().join("nwauth.add").exists());
}

#[tokio::test]
async fn old_files_are_read_as_they_are() {
    let home = tempfile::tempdir().expect("a directory");
    let base = "Ann@Corp.example:{ssha}UiJ6QTlnw2kzSwiM+tcipCsElhVOYUNsTmFDbA==:created=\"1060034937\"\n\
                des:abOkmxXhjDb.Y:free text\n\
                clear:*geheim:\n\
                home:qrQ\\Wd:\n\
                odd:{OTP}x:\n\
                locked::\n\
                o'b:*geheim:\n";
    std::fs::write(home.path().join("nwauth.txt"), base).expect("written");
    let base = open(home.path());
    let rows = [
        ("ann@corp.example", "geheim", "+OK ann@corp.example config 0 created=\"1060034937\""),
        ("des", "geheim", "+OK des config 0 "),
        ("clear", "geheim", "+OK clear config 0 "),
        ("clear", "*geheim", "-ERR clear password wrong or not a valid user"),
        ("locked", "geheim", "-ERR locked password wrong or not a valid user"),
        ("o'b", "geheim", "+OK o'b config 0 "),
        (
            "home",
            "geheim",
            "-DEAD nwauth: user home: the password is stored in the old reversible NWAuth hash \
             (or an unknown form): set a new one",
        ),
        (
            "odd",
            "geheim",
            "-DEAD nwauth: user odd: the password is stored in an unknown scheme, \"{OTP}\"",
        ),
    ];
    for (user, password, expected) in rows {
        assert_eq!(ask(&base, user, Some(password)).await, expected);
    }
    // They can be looked up, all the same, and be given a new password.
    assert_eq!(ask(&base, "home", None).await, "+OK home config 0 ");
    change(&base, "home", set(Some("new"), None)).await;
    assert_eq!(ask(&base, "home", Some("new")).await, "+OK home config 0 ");
}

#[tokio::test]
async fn searches_skip_and_cut_and_count() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("nwauth.txt"), "ann:*:\nBob:*:\ncleo:*:\n").expect("written");
    std::fs::write(home.path().join("nwauth.add"), "bobby:*:\nann:*:\ncleo:(DELETE):\n")
        .expect("written");
    let base = open(home.path());
    let rows: &[(&str, usize, Option<usize>, &[&str])] = &[
        ("*", 0, None, &["ann", "Bob", "bobby"]),
        ("bo", 0, None, &["Bob", "bobby"]),
        ("b?b", 0, None, &["Bob"]),
        ("*", 1, None, &["Bob", "bobby"]),
        ("*", 1, Some(1), &["Bob"]),
        ("*", 0, Some(0), &[]),
        ("*", 9, None, &[]),
        ("cleo", 0, None, &[]),
    ];
    for (pattern, from, max, expected) in rows {
        let search =
            Search { pattern: (*pattern).to_owned(), from: *from, max: *max, origin: origin() };
        let SearchOutcome::Found(found) = base.search(&search).await.expect("an answer") else {
            panic!("{pattern} was refused");
        };
        let names: Vec<&str> = found.hits.iter().map(|hit| hit.user.as_str()).collect();
        assert_eq!(names, *expected, "{pattern} {from} {max:?}");
        assert_eq!(found.scanned, 3);
    }
}

#[tokio::test]
async fn a_read_only_base_answers_and_refuses_changes() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("nwauth.txt"), "bob:*geheim:\n").expect("written");
    let mut config = NwAuthConfig::new(home.path());
    config.scheme = Scheme::Ssha256;
    config.read_only = true;
    let base = NwAuth::open(config).expect("an open base");
    assert_eq!(ask(&base, "bob", Some("geheim")).await, "+OK bob config 0 ");
    let refused = "-ERR this user base is read-only";
    assert_eq!(change(&base, "bob", Action::Delete).await, refused);
    assert_eq!(change(&base, "bob", set(Some("x"), None)).await, refused);
    assert!(matches!(base.generate(3), Err(MaintenanceError::ReadOnly)));
}

#[tokio::test]
async fn unreadable_files_are_never_a_wrong_password() {
    let home = tempfile::tempdir().expect("a directory");
    let base = open(home.path());
    // A directory where the base should be cannot be read as a file.
    std::fs::create_dir(home.path().join("nwauth.txt")).expect("made");
    let request = AuthRequest::check(name("bob"), secret("x"), origin());
    let unavailable = base.authenticate(&request).await.expect_err("no answer");
    assert_eq!(unavailable.kind, UnavailableKind::Dead);
    assert!(unavailable.detail.contains("nwauth.txt"), "{unavailable}");
}

#[tokio::test]
async fn accounts_are_generated_and_clear_text_is_encrypted() {
    let home = tempfile::tempdir().expect("a directory");
    let clear = "a:*one:x=\"1\"\nb:{PLAIN}two:\nc:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=:\nd:*:\n";
    std::fs::write(home.path().join("nwauth.txt"), clear).expect("written");
    let base = open(home.path());
    assert_eq!(base.generate(2_345).expect("made"), 2_346);
    for user in ["test0", "test1000", "test2345"] {
        assert_eq!(ask(&base, user, Some("test")).await, format!("+OK {user} config 0 "));
    }
    assert_eq!(ask(&base, "test2346", None).await, "-ERR test2346 does not exist");

    assert_eq!(base.encrypt(&Encrypt::User(name("A"))).expect("done"), 1);
    assert_eq!(base.encrypt(&Encrypt::User(name("nobody"))).expect("done"), 0);
    assert_eq!(base.encrypt(&Encrypt::All).expect("done"), 1);
    assert_eq!(base.encrypt(&Encrypt::All).expect("done"), 0);
    assert_eq!(ask(&base, "a", Some("one")).await, "+OK a config 0 x=\"1\"");
    assert_eq!(ask(&base, "b", Some("two")).await, "+OK b config 0 ");
    assert_eq!(ask(&base, "c", Some("geheim")).await, "+OK c config 0 ");
    let journal = std::fs::read_to_string(home.path().join("nwauth.add")).expect("a journal");
    assert!(!journal.contains("*one") && !journal.contains("{PLAIN}"), "{journal}");
}

/// The user of RFC 7677 section 3, as Dovecot stores him, and ann, who has no
/// keys. The proof is that of the RFC.
#[tokio::test]
async fn stored_keys_judge_proofs_and_never_leave_the_base() {
    use dmail_core::{Evidence, ScramHash};
    let home = tempfile::tempdir().expect("a directory");
    let text = "user:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,\
                WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,\
                wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=:name=\"U\"\n\
                ann:{PLAIN}pencil:\nbad:{SCRAM-SHA-256}4096,x:\n";
    std::fs::write(home.path().join("nwauth.txt"), text).expect("a file");
    let base = open(home.path());
    assert_eq!(base.proofs(), Proofs::STORED);
    let told = async |user: &str| {
        let question = SaltQuestion::new(ScramHash::Sha256);
        let purpose = Purpose::Salt(question.clone());
        let request = AuthRequest { user: name(user), purpose, origin: origin(), trace: None };
        let verdict = base.authenticate(&request).await;
        (verdict.map_err(|error| error.kind), question.told().map(|salt| salt.iterations))
    };
    let (verdict, salt) = told("user").await;
    assert!(matches!(verdict, Ok(Verdict::Accepted(_))) && salt == Some(4096), "{verdict:?}");
    for user in ["ann", "nobody"] {
        let refused = Ok(Verdict::Rejected(Rejection::not_verified(&name(user))));
        assert_eq!(told(user).await, (refused, None), "{user}");
    }
    assert_eq!(told("bad").await, (Err(UnavailableKind::Record), None));

    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let said = format!(
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    );
    let shown = [
        0x74, 0x7c, 0xdb, 0x65, 0xaa, 0x56, 0x22, 0x4e, 0x23, 0x52, 0x13, 0x7e, 0x52, 0xd7, 0xbd,
        0xca, 0xd6, 0xa0, 0xf7, 0x38, 0xdf, 0x30, 0x78, 0x2c, 0xaa, 0x69, 0xa2, 0xcf, 0xb0, 0x27,
        0x75, 0x54,
    ];
    let prove = async |user: &str, said: &str| {
        let proof = Proof::new(Evidence::Scram {
            hash: ScramHash::Sha256,
            said: said.as_bytes().into(),
            proof: shown.into(),
        });
        let purpose = Purpose::Prove(proof.clone());
        let request = AuthRequest { user: name(user), purpose, origin: origin(), trace: None };
        let verdict = base.authenticate(&request).await.map_err(|error| error.kind);
        (verdict, proof.signature().is_some())
    };
    let (verdict, signed) = prove("user", &said).await;
    let Ok(Verdict::Accepted(account)) = verdict else { panic!("{verdict:?}") };
    assert_eq!((account.info.to_string().as_str(), signed), ("name=\"U\"", true));
    for (user, said) in [("user", "something else"), ("ann", &said), ("nobody", &said)] {
        let refused = Ok(Verdict::Rejected(Rejection::not_verified(&name(user))));
        assert_eq!(prove(user, said).await, (refused, false), "{user} {said}");
    }
    assert_eq!(prove("bad", &said).await, (Err(UnavailableKind::Record), false));
}

#[tokio::test]
async fn keys_are_set_if_they_are_wanted_and_a_password_that_is_told_fits_them() {
    use dmail_core::{Salt, ScramHash};
    let home = tempfile::tempdir().expect("a directory");
    let config = NwAuthConfig { scheme: Scheme::ScramSha256, ..NwAuthConfig::new(home.path()) };
    let base = NwAuth::open(config).expect("an open base");
    assert_eq!(change(&base, "bob", set(Some("s1"), None)).await, "+OK bob added to database");
    assert_eq!(ask(&base, "bob", Some("s1")).await, "+OK bob config 0 ");
    let wrong = "-ERR bob password wrong or not a valid user";
    assert_eq!(ask(&base, "bob", Some("s2")).await, wrong);
    let question = SaltQuestion::new(ScramHash::Sha256);
    let purpose = Purpose::Salt(question.clone());
    let request = AuthRequest { user: name("bob"), purpose, origin: origin(), trace: None };
    assert!(matches!(base.authenticate(&request).await, Ok(Verdict::Accepted(_))));
    let salt = question.told().expect("a salt");
    assert_eq!((salt.bytes.len(), salt.iterations), (Salt::BYTES, Salt::ITERATIONS));
}
