use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitStatus;

use dmail_core::{DropPath, Origin, Service, Uid, Username};

use super::*;

/// A base whose program is never run: its runs are made up.
fn base(settings: &str) -> CheckPassword {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("checkpasswordauth.ini");
    fs::write(&file, format!("program /bin/check\n{settings}")).expect("written");
    CheckPassword::open(&file, &["dmail".into()]).expect("a base")
}

fn check() -> AuthRequest {
    let bob = Username::parse(b"bob").expect("a name");
    AuthRequest::check(bob, Secret::new(*b"s3cret"), Origin::local(Service::Pop3))
}

fn look_up() -> AuthRequest {
    AuthRequest { purpose: Purpose::Lookup, ..check() }
}

fn ran(status: i32, fields: Option<&[(&str, &str)]>) -> Ran {
    let reply = fields.map(|fields| {
        let mut reply = Reply::default();
        fields.iter().for_each(|(name, value)| reply.add(name, value));
        reply
    });
    Ran { status: ExitStatus::from_raw(status), reply, said: Vec::new() }
}

#[test]
fn every_end_of_the_program_has_its_meaning() {
    let exit = |code: i32| code << 8;
    let account: Option<&[(&str, &str)]> = Some(&[("USER", "bob"), ("AUTHORIZED", "2")]);
    let rows = [
        (check(), exit(0), account, "yes"),
        (check(), exit(0), None, "source-fault"),
        (check(), exit(1), None, "not-verified"),
        (check(), exit(1), account, "not-verified"),
        (check(), exit(2), None, "source-fault"),
        (check(), exit(3), None, "not-verified"),
        (check(), exit(111), None, "source-down"),
        (check(), exit(112), None, "source-fault"),
        (check(), 9, None, "source-fault"),
        (check(), 9, account, "source-fault"),
        (look_up(), exit(0), account, "yes"),
        (look_up(), exit(0), Some(&[("USER", "bob")]), "source-fault"),
        (look_up(), exit(1), None, "source-fault"),
        (look_up(), exit(3), None, "unknown-user"),
        (look_up(), exit(111), None, "source-down"),
    ];
    for (request, status, fields, expected) in rows {
        let found = match base("lookups true").judge(&request, ran(status, fields)) {
            Ok(Verdict::Accepted(_)) => "yes",
            Ok(Verdict::Rejected(rejection)) => rejection.kind.id(),
            Err(error) => error.kind.id(),
        };
        assert_eq!(found, expected, "{:?} {status} {fields:?}", request.purpose);
    }
}

#[test]
fn the_environment_describes_the_account() {
    let base = base("drop_path ~/mbox");
    let fields = [
        ("USER", "vmail"),
        ("HOME", "/home/vmail/bob"),
        ("EXTRA", "userdb_uid userdb_quota mailstatus missing password"),
        ("userdb_uid", "1234"),
        ("userdb_quota", "5000"),
        ("mailstatus", "ok"),
        ("password", "s3cret"),
        ("uid", "1"),
    ];
    let verdict = base.judge(&check(), ran(0, Some(&fields)));
    let Ok(Verdict::Accepted(account)) = verdict else { panic!("{verdict:?}") };
    assert_eq!(account.name.as_str(), "bob");
    assert_eq!(account.drop, DropPath::File("/home/vmail/bob/mbox".into()));
    assert_eq!(account.uid, Some(Uid::Number(1234)));
    assert_eq!(account.info.to_string(), r#"quota="5000" mailstatus="ok""#);
    // A program that stays what it is does not say whose the mail is.
    let own = base.own_uid.to_string();
    let fields = [("HOME", "/h"), ("uid", own.as_str())];
    let verdict = base.judge(&check(), ran(0, Some(&fields)));
    let Ok(Verdict::Accepted(account)) = verdict else { panic!("{verdict:?}") };
    assert_eq!(account.uid, None);
}

/// A run of `script` by the shell, without a launcher: descriptors 3 and 4 are
/// 0 and 1 then.
async fn run(script: &str, limit: u64) -> Result<Ran, Unavailable> {
    let words = ["/bin/sh", "-c", script].map(OsString::from).to_vec();
    let limit = std::time::Duration::from_secs(limit);
    let environment = vec![("PATH", PATH.to_owned())];
    Job { words, environment, request: b"bob\0s3cret\0\0", limit }.run().await
}

#[tokio::test]
async fn a_run_ends_with_its_program() {
    let ran = run("cat >/dev/null; printf 'USER=bob\\0\\0'; exit 0", 30).await.expect("a run");
    assert_eq!(ran.reply.expect("a reply").get("USER"), Some("bob"));
    // Who is left behind, and holds the pipes, holds up nobody.
    let ran = run("sleep 60 & echo no >&2; exit 1", 30).await.expect("a run");
    assert_eq!((ran.status.code(), ran.reply), (Some(1), None));
    assert_eq!(ran.said, b"no\n");
    // More than fits is no reply, and hangs nobody.
    let ran = run("yes | head -c 300000; yes | head -c 300000 >&2", 30).await.expect("a run");
    assert_eq!((ran.status.code(), ran.reply, ran.said.len()), (Some(0), None, 4097));
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_killed_with_all_that_it_started() {
    let home = tempfile::tempdir().expect("a directory");
    let pid = home.path().join("pid");
    let script = format!("sleep 60 & echo $! >{}; wait", pid.display());
    let error = run(&script, 1).await.expect_err("too late");
    assert_eq!(error.kind, UnavailableKind::Timeout);
    let pid = fs::read_to_string(pid).expect("it ran");
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    let gone = || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !gone() {
        assert!(std::time::Instant::now() < deadline, "it runs on");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_no_answer() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("checkpasswordauth.ini");
    fs::write(&file, "program ./none\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    let launcher = ["/nowhere/dmail".into(), "module-exec".into(), "1".into()];
    let base = CheckPassword::open(&file, &launcher).expect("a base");
    let error = base.authenticate(&check()).await.expect_err("no answer");
    assert_eq!(error.kind, UnavailableKind::Fault);
    let verdict = base.authenticate(&look_up()).await.expect("an answer");
    let Verdict::Rejected(rejection) = verdict else { panic!("{verdict:?}") };
    assert_eq!(rejection.kind, RejectionKind::Unsupported);
    base.close().await;
    let error = base.authenticate(&check()).await.expect_err("closed");
    assert_eq!(error.kind, UnavailableKind::ShuttingDown);
}
