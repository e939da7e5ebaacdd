//! Wrong passwords among right ones, on the same connections: the second
//! version of the daemon's protocol, in which answers overtake each other. The
//! right ones come from the cache; a wrong one costs a slow hash.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dmail_schemes::Scheme;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::line::{CONNECTIONS, HASHED_USERS, warm};
use crate::contest::{Effort, hold};
use crate::daemon::{Daemon, Stored};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::program::PASSWORD;
use crate::report::{Report, Target, Wanted};

/// Right passwords under way on a connection. A wrong one is the tenth.
const RIGHT: u32 = 9;
/// What the right ones keep of their rate.
const KEPT: Wanted = Wanted::AtLeast(0.9);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let scheme = Scheme::Argon2id;
    let Some(daemon) = Daemon::start(HASHED_USERS, Stored::As(scheme))? else {
        return Ok(());
    };
    warm(&daemon.socket, HASHED_USERS)?;
    let guesses = Arc::new(AtomicU64::new(0));
    let turn = |guesses, time| turn(&daemon, guesses, time);
    let contest = hold(effort, |time| turn(Some(&guesses), time), |time| turn(None, time))?;
    let name = format!("{RIGHT} right and a wrong one, {scheme}");
    report.contest(&name, "the same without the wrong ones", &contest);
    let what = "line, wrong among right ones: part of the rate that is kept";
    report.target(Target { what, found: contest.rate_ratio, wanted: KEPT });
    let answered = guesses.load(Ordering::Relaxed);
    report.note(&format!("{answered} wrong ones were answered meanwhile."));
    Ok(())
}

fn turn(
    daemon: &Daemon,
    guesses: Option<&Arc<AtomicU64>>,
    time: Duration,
) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let mut askers = Vec::new();
        for connection in 0..CONNECTIONS {
            let first = connection * HASHED_USERS / CONNECTIONS;
            let asker = Asker::connect(&daemon.socket, first, guesses.cloned()).await;
            askers.push(asker.map_err(|wrong| Failure::Program(wrong.to_string()))?);
        }
        Ok(drive(askers, time, &Server::Processes(vec![daemon.pid()])).await)
    })
}

/// A connection of the second version.
struct Asker {
    stream: UnixStream,
    next: usize,
    id: u64,
    /// Counts the wrong passwords that were answered, if one is always under way.
    guesses: Option<Arc<AtomicU64>>,
    /// The id of that one.
    guess: Option<u64>,
    /// Arrived, and not yet a whole line.
    input: Vec<u8>,
}

impl Asker {
    async fn connect(
        socket: &Path,
        next: usize,
        guesses: Option<Arc<AtomicU64>>,
    ) -> Result<Self, Wrong> {
        let stream = UnixStream::connect(socket).await?;
        let mut asker = Self { stream, next, id: 0, guesses, guess: None, input: Vec::new() };
        let nonce = "0".repeat(32);
        let greeting = format!("dmail 2 heartbeat=60 nonce={nonce}\n");
        asker.stream.write_all(greeting.as_bytes()).await?;
        let welcome = asker.line().await?;
        if welcome.starts_with("+OK ") { Ok(asker) } else { Err(Wrong(welcome)) }
    }

    /// The next line of the server.
    async fn line(&mut self) -> Result<String, Wrong> {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Wrong("closed".to_owned()));
            }
        }
    }

    fn question(&mut self, request: &mut String, password: &str) -> Result<u64, Wrong> {
        self.id += 1;
        self.next = (self.next + 1) % HASHED_USERS;
        let written = writeln!(request, "{} check test{} {password} - - pop3", self.id, self.next);
        written.map(|()| self.id).map_err(|error| Wrong(error.to_string()))
    }
}

impl Client for Asker {
    const BATCH: u32 = RIGHT;

    async fn operate(&mut self) -> Result<(), Wrong> {
        let mut request = String::new();
        if self.guesses.is_some() && self.guess.is_none() {
            let password = format!("guess{}", self.id);
            self.guess = Some(self.question(&mut request, &password)?);
        }
        for _ in 0..RIGHT {
            self.question(&mut request, PASSWORD)?;
        }
        self.stream.write_all(request.as_bytes()).await?;
        let mut right = 0;
        while right < RIGHT {
            let line = self.line().await?;
            let (id, answer) = line.split_once(' ').unwrap_or_default();
            let is_guess = self.guess.is_some_and(|guess| id == guess.to_string());
            match (is_guess, answer.split(' ').next()) {
                (true, Some("no")) => {
                    self.guess = None;
                    if let Some(guesses) = &self.guesses {
                        guesses.fetch_add(1, Ordering::Relaxed);
                    }
                }
                (false, Some("ok")) => right += 1,
                _ => return Err(Wrong(line)),
            }
        }
        Ok(())
    }
}
