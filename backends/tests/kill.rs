//! Writers are killed with SIGKILL at random instants. What they had been told
//! was done is in the files, and the files can be read.
//!
//! The test runs itself as the writers: with [`WRITER`] in the environment,
//! `writer` sets users and says on standard output which changes were
//! acknowledged. Nothing is timed: a writer is killed after a random number of
//! acknowledgements.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dmail_backends::nwauth::{NwAuth, NwAuthConfig};
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Info, Origin, Outcome, Secret, Service, Username,
    Verdict,
};
use dmail_schemes::Scheme;

/// Names the writer and the directory: `w0 /tmp/x`.
const WRITER: &str = "DMAIL_KILL_WRITER";

const ROUNDS: u64 = 30;
const USERS: u64 = 40;

fn base(directory: &Path) -> NwAuth {
    let mut config = NwAuthConfig::new(directory);
    config.scheme = Scheme::Ssha256;
    // Small, so that writers die in merges, too.
    config.journal_limit = Some(4_000);
    NwAuth::open(config).expect("the base can be read")
}

fn name(writer: &str, user: u64) -> Username {
    Username::parse(format!("{writer}.{user}").as_bytes()).expect("a name")
}

async fn count_of(base: &NwAuth, user: Username) -> u64 {
    let request = AuthRequest::lookup(user, Origin::local(Service::Line));
    match base.authenticate(&request).await.expect("an answer") {
        Verdict::Accepted(account) => {
            let count = account.info.get("n").expect("a count");
            count.parse().expect("a number")
        }
        Verdict::Rejected(_) => 0,
    }
}

/// Not a test of its own: the program that is killed.
#[tokio::test]
async fn writer() {
    let Ok(job) = std::env::var(WRITER) else {
        return;
    };
    let (writer, directory) = job.split_once(' ').expect("a job");
    let base = base(Path::new(directory));
    let mut next = 1;
    for user in 0..USERS {
        next = next.max(count_of(&base, name(writer, user)).await + 1);
    }
    // SIGKILL ends this.
    for count in next.. {
        let user = count % USERS;
        let mut info = Info::default();
        info.set("n", &count.to_string()).expect("a field");
        let change = Change {
            user: name(writer, user),
            action: Action::Set { secret: Some(Secret::new(*b"geheim")), info: Some(info) },
            origin: Origin::local(Service::Line),
        };
        let outcome = base.change(&change).await.expect("an answer");
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        writeln!(std::io::stdout(), "\nacked {user} {count}").expect("a reader");
    }
}

fn start(writer: &str, directory: &Path) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env(WRITER, format!("{writer} {}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("a writer")
}

/// Reads acknowledgements until there are `enough`, kills the writer, and
/// reads what it still had said.
fn run(writer: &str, directory: &Path, enough: u64, acked: &mut HashMap<String, u64>) {
    let mut child = start(writer, directory);
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut seen = 0;
    for line in stdout.lines() {
        let line = line.expect("text");
        let Some((user, count)) = line.strip_prefix("acked ").and_then(|ack| ack.split_once(' '))
        else {
            continue;
        };
        // A line that the kill cut short may hold half a number; it has no LF,
        // but then its count is smaller than the true one.
        if let (Ok(user), Ok(count)) = (user.parse(), count.parse::<u64>()) {
            let name = name(writer, user).to_string();
            let known = acked.entry(name).or_default();
            *known = count.max(*known);
        }
        seen += 1;
        if seen == enough {
            child.kill().expect("SIGKILL");
        }
    }
    child.wait().expect("reaped");
    assert!(seen >= enough, "{writer} stopped by itself after {seen}");
}

#[tokio::test]
async fn no_acknowledged_change_is_lost_when_writers_are_killed() {
    let home = tempfile::tempdir().expect("a directory");
    let mut acked: HashMap<String, u64> = HashMap::new();
    for round in 0..ROUNDS {
        let enough = |writer: u64| 1 + (round * 37 + writer * 53) % 120;
        let (mut one, mut two) = (HashMap::new(), HashMap::new());
        std::thread::scope(|scope| {
            scope.spawn(|| run("w0", home.path(), enough(0), &mut one));
            scope.spawn(|| run("w1", home.path(), enough(1), &mut two));
        });
        for (user, count) in one.into_iter().chain(two) {
            acked.insert(user, count);
        }
        let base = base(home.path());
        for (user, count) in &acked {
            let user = Username::parse(user.as_bytes()).expect("a name");
            let present = count_of(&base, user.clone()).await;
            assert!(present >= *count, "round {round}: {user} has {present}, not {count}");
        }
    }
    assert!(acked.len() as u64 > USERS, "both writers wrote");
}
