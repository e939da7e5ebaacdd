//! Import and diff between bases of files.

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use dmail_backends::nwauth::{NwAuth, NwAuthConfig};
use dmail_core::{
    Account, AuthRequest, DropPath, Found, Hit, Info, Rejection, RejectionKind, Search,
    SearchOutcome, UnavailableKind, Verdict,
};
use dmail_schemes::Scheme;
use tempfile::TempDir;

use super::*;
use crate::format::{Fields, Format};
use crate::{diff, export, feed};

fn open(folder: &Path) -> Arc<dyn Authenticator> {
    let mut config = NwAuthConfig::new(folder);
    config.scheme = Scheme::Ssha;
    Arc::new(NwAuth::open(config).expect("a base"))
}

fn base(text: &str) -> (TempDir, Arc<dyn Authenticator>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("nwauth.txt"), text).expect("room");
    let base = open(folder.path());
    (folder, base)
}

/// Imports passwd lines; gives the summary and the events that are not "added".
async fn import_lines(
    target: &Arc<dyn Authenticator>,
    text: &'static str,
    on_conflict: OnConflict,
    dry_run: bool,
) -> (Summary, Vec<String>) {
    let feed = feed::file(Format::PasswdFile.reader(Fields::default()), text.as_bytes());
    let mut events = Vec::new();
    let options = Import { on_conflict, dry_run };
    let summary = import(Arc::clone(target), feed, options, &mut |event| {
        events.push(format!("{} {} {:?}", event.line, event.user, event.kind));
    })
    .await
    .expect("an import");
    (summary, events)
}

async fn exported(base: &Arc<dyn Authenticator>) -> String {
    let mut text = Vec::new();
    let writer = Format::Nwauth.writer(Fields::default());
    let mut write = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        Ok(())
    };
    let feed = feed::base(Arc::clone(base));
    export::export(feed, writer, &mut write, &mut |_| {}).await.expect("an export");
    String::from_utf8(text).expect("text")
}

const PRESENT: &str = "same:$6$s$h:name=\"S\"\npass:$6$s$old:\ninfo:$6$s$h:name=\"Old\"\n\
                       keep:$6$s$h:name=\"Old\"\n";

const INCOMING: &str = "same:$6$s$h:::S\nSAME:$6$s$h:::S\npass:$6$s$new\ninfo:$6$s$h:::New\n\
                        keep:x:::New\nnew:$6$s$h:7\nwrong\n";

#[tokio::test]
async fn a_dry_run_says_what_the_import_then_does() {
    let (_folder, target) = base(PRESENT);
    let (dry, said) = import_lines(&target, INCOMING, OnConflict::Replace, true).await;
    assert_eq!(exported(&target).await, PRESENT, "nothing is changed");
    let expected = [
        "1 same Same",
        "2 SAME Refused(\"the same user is in line 1\")",
        "3 pass Changed(\"password\")",
        "4 info Changed(\"fields\")",
        "5 keep Note(\"the password is in another file (x)\")",
        "5 keep Note(\"no password is given: the present one stays, as do drop path and owner\")",
        "5 keep Changed(\"fields\")",
        "6 new Added",
        "7 wrong Refused(\"not written user:password:uid:gid:gecos:home:shell:extra\")",
    ];
    assert_eq!(said, expected);
    let (done, _) = import_lines(&target, INCOMING, OnConflict::Replace, false).await;
    assert_eq!(done, dry);
    let expected = "same:$6$s$h:name=\"S\"\npass:$6$s$new:\ninfo:$6$s$h:name=\"New\"\n\
                    keep:$6$s$h:name=\"New\"\nnew:$6$s$h:drop_owner=\"7\"\n";
    assert_eq!(exported(&target).await, expected);
    // Once more, and there is nothing to do.
    let (again, _) = import_lines(&target, INCOMING, OnConflict::Replace, false).await;
    assert_eq!((again.added, again.changed, again.same, again.refused), (0, 0, 5, 2));
}

#[tokio::test]
async fn a_conflict_is_skipped_or_ends_the_import() {
    let (_folder, target) = base(PRESENT);
    let (skipped, _) = import_lines(&target, INCOMING, OnConflict::Skip, false).await;
    assert_eq!((skipped.added, skipped.changed, skipped.skipped), (1, 0, 3));
    assert_eq!(exported(&target).await, format!("{PRESENT}new:$6$s$h:drop_owner=\"7\"\n"));
    let (_folder, target) = base(PRESENT);
    let (stopped, said) = import_lines(&target, INCOMING, OnConflict::Stop, false).await;
    assert!(stopped.stopped);
    assert_eq!(said.last().expect("an event"), "3 pass Skipped(\"password\")");
    assert_eq!(exported(&target).await, PRESENT);
}

#[tokio::test]
async fn a_whole_base_moves_with_its_passwords() {
    let users: String =
        (0..3000).map(|n| format!("user{n}:{{SSHA}}QUJD:quota=\"{n}\"\n")).collect();
    let (_old, old) = base(&users);
    let (_new, new) = base("");
    let options = Import { on_conflict: OnConflict::Stop, dry_run: false };
    let done = import(Arc::clone(&new), feed::base(Arc::clone(&old)), options, &mut |_| {}).await;
    let summary = done.expect("an import");
    assert_eq!((summary.added, summary.noted, summary.refused), (3000, 0, 0));
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(exported(&new).await), sorted(users));
    let same = diff::diff(old, new, None, &mut |_, _| {}).await.expect("a comparison");
    assert_eq!((same.equal, same.is_equal()), (3000, true));
}

#[tokio::test]
async fn what_differs_is_said_for_each_user() {
    let (_old, old) = base("a:h:quota=\"1\" x=\"1\"\nb:h:\nc:h:\ngone:h:\n");
    let (_new, new) = base("a:h:quota=\"2\" y=\"3\"\nmore:h:\nb:h:drop_path=\"/b\"\nc:h2:\n");
    let mut said = Vec::new();
    let mut report = |user: &Username, difference: &diff::Difference| {
        said.push(format!("{user} {difference:?}"));
    };
    let done = diff::diff(Arc::clone(&old), Arc::clone(&new), None, &mut report).await;
    let summary = done.expect("a comparison");
    let expected = [
        "a Fields([\"quota \\\"1\\\" | \\\"2\\\"\", \"x \\\"1\\\" | -\", \"y - | \\\"3\\\"\"])",
        "b Fields([\"drop path config | /b\"])",
        "gone OnlyOld",
        "more OnlyNew",
    ];
    assert_eq!(said, expected);
    assert_eq!((summary.equal, summary.differ), (1, 2));
    // Only those who are named.
    let names = feed::names_in("# some\nc\nnobody\nmore\n".as_bytes());
    let mut said = Vec::new();
    let mut report = |user: &Username, difference: &diff::Difference| {
        said.push(format!("{user} {difference:?}"));
    };
    diff::diff(old, new, Some(names), &mut report).await.expect("a comparison");
    assert_eq!(said, ["nobody Neither", "more OnlyNew"]);
}

/// A base that is down, and one that takes nothing in.
struct Down;

#[async_trait]
impl Authenticator for Down {
    async fn authenticate(&self, _: &AuthRequest) -> Result<Verdict, Unavailable> {
        Err(Unavailable::new(UnavailableKind::Dead, "it is down"))
    }
}

#[tokio::test]
async fn a_base_that_does_not_answer_is_no_base_without_users() {
    let down: Arc<dyn Authenticator> = Arc::new(Down);
    let (_folder, up) = base("bob:h:\n");
    let done = diff::diff(Arc::clone(&up), Arc::clone(&down), None, &mut |_, _| {}).await;
    // Its users cannot be listed, as it does not search.
    assert!(matches!(done, Err(TransferError::NoList { .. })), "{done:?}");
    let names = feed::names_in("bob\n".as_bytes());
    let done = diff::diff(up, Arc::clone(&down), Some(names), &mut |_, _| {}).await;
    assert_eq!(done.expect("a comparison").unanswered, 1);
    let feed = feed::base(Arc::clone(&down));
    let options = Import { on_conflict: OnConflict::Skip, dry_run: false };
    let done = import(down, feed, options, &mut |_| {}).await;
    assert!(matches!(done, Err(TransferError::NoRecords)), "{done:?}");
}

/// A base that only searches and looks up, in its own way.
struct Searched {
    users: usize,
    /// It gives out no more than this at a time.
    most: usize,
    /// It knows `-from`.
    pages: bool,
}

#[async_trait]
impl Authenticator for Searched {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        Ok(match request.user.as_str() {
            "user0" => Verdict::Rejected(Rejection::new(RejectionKind::Disabled, "closed")),
            _ => Verdict::accepted(Account {
                name: request.user.clone(),
                drop: DropPath::Config,
                uid: None,
                info: Info::default(),
            }),
        })
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let from = if self.pages { search.from } else { 0 };
        let max = search.max.unwrap_or(usize::MAX).min(self.most);
        let hit = |n| {
            let user = Username::parse(format!("user{n}").as_bytes()).expect("a name");
            Hit { user, info: Info::default() }
        };
        let hits = (0..self.users).skip(from).take(max).map(hit).collect();
        Ok(SearchOutcome::Found(Found { hits, scanned: self.users }))
    }
}

#[tokio::test]
async fn a_base_that_gives_out_few_users_at_a_time_is_read_to_its_end() {
    let rows = [(7, 3, true), (6, 3, true), (7, 100, true), (7, 100, false), (0, 3, false)];
    for (users, most, pages) in rows {
        let base = || Arc::new(Searched { users, most, pages }) as Arc<dyn Authenticator>;
        let done = diff::diff(base(), base(), None, &mut |_, _| {}).await.expect("a comparison");
        let asked = done.equal + done.unanswered;
        // Those of the second list who could not be asked about count again.
        assert_eq!(done.equal, users.saturating_sub(1) as u64, "{users} {most} {pages}");
        assert!(asked >= users as u64, "{users} {most} {pages}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_say_that_the_user_is_not_there() {
    let closed: Arc<dyn Authenticator> = Arc::new(Searched { users: 1, most: 1, pages: true });
    let (_folder, open) = base("user0:h:\n");
    let names = feed::names_in("user0\n".as_bytes());
    let mut said = Vec::new();
    let mut report = |_: &Username, difference: &diff::Difference| said.push(difference.clone());
    diff::diff(closed, open, Some(names), &mut report).await.expect("a comparison");
    assert_eq!(said, [diff::Difference::Unanswered("old: closed".to_owned())]);
}
