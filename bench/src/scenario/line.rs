//! The line protocol over a unix socket: `dmail tcpauthsvr` answering checks
//! from its cache, beside a line server that knows one answer.

use std::path::Path;
use std::time::Duration;

use dmail_schemes::Scheme;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{dovecot, mixed};
use crate::bare::lines::BareLines;
use crate::contest::{Effort, hold};
use crate::daemon::{Daemon, Stored};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::program::PASSWORD;
use crate::report::{Report, Target, Wanted};

/// Connections of each contestant.
pub(super) const CONNECTIONS: usize = 10;
/// Requests that are under way on one connection in the second contest.
const OUTSTANDING: u32 = 16;
/// Processor time of the server for one check, in µs.
const CPU: Wanted = Wanted::Below(4.0);
/// Checks in a second with many outstanding.
const RATE: Wanted = Wanted::AtLeast(1e6);
/// The rate of users with slow hashes, as a part of that of others.
const ALIKE: Wanted = Wanted::AtLeast(0.9);

/// Users with passwords in clear, and with slow hashes: these are fewer, for
/// each of them has to be hashed once.
pub(super) const CLEAR_USERS: usize = 10_000;
pub(super) const HASHED_USERS: usize = 50;

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Line protocol over a unix socket: cached checks, 10 connections");
    let Some(daemon) = Daemon::start(CLEAR_USERS, Stored::Clear)? else {
        report.note("Skipped: this `dmail` has no `tcpauthsvr`.");
        return Ok(());
    };
    warm(&daemon.socket, CLEAR_USERS)?;
    let bare = BareLines::start(&daemon.home().join("bare.sock"), "+OK test0 config 0")?;
    let turn = |target: (&Path, u32), time| one_by_one(target, CLEAR_USERS, time);
    let ours = (daemon.socket.as_path(), daemon.pid());
    let theirs = (bare.socket.as_path(), bare.pid());
    let contest = hold(effort, |time| turn(ours, time), |time| turn(theirs, time))?;
    report.contest("tcpauthsvr, one outstanding", "bare: line server", &contest);
    let found = contest.ours.server_us;
    report.target(Target { what: "line, one outstanding: server CPU µs", found, wanted: CPU });
    dovecot::run(effort, report, |time| turn(ours, time))?;
    let deep = |target: (&Path, u32), time| many_at_once(target, CLEAR_USERS, time);
    let contest = hold(effort, |time| deep(ours, time), |time| deep(theirs, time))?;
    report.contest(
        &format!("tcpauthsvr, {OUTSTANDING} outstanding"),
        "bare: line server",
        &contest,
    );
    let found = contest.ours.rate;
    report.target(Target { what: "line, 16 outstanding: checks/s", found, wanted: RATE });
    for scheme in [Scheme::Sha512Crypt, Scheme::Bcrypt, Scheme::Argon2id] {
        hashed(effort, report, &daemon, scheme)?;
    }
    mixed::run(effort, report)
}

/// Lets the daemon see every user once: what it does not know yet is the
/// source's cost, and not that of the protocol.
pub(super) fn warm(socket: &Path, users: usize) -> Result<(), Failure> {
    let asking = async {
        let mut asker = Asker::<1>::connect(socket, users, 0).await?;
        for _ in 0..users {
            asker.operate().await?;
        }
        Ok(())
    };
    one_thread()?.block_on(asking).map_err(|wrong: Wrong| Failure::Program(wrong.to_string()))
}

/// Users whose passwords are stored as a slow hash, beside as many with
/// passwords in clear.
fn hashed(
    effort: Effort,
    report: &mut Report,
    clear: &Daemon,
    scheme: Scheme,
) -> Result<(), Failure> {
    let Some(daemon) = Daemon::start(HASHED_USERS, Stored::As(scheme))? else {
        return Ok(());
    };
    warm(&daemon.socket, HASHED_USERS)?;
    let turn =
        |daemon: &Daemon, time| one_by_one((&daemon.socket, daemon.pid()), HASHED_USERS, time);
    let contest = hold(effort, |time| turn(&daemon, time), |time| turn(clear, time))?;
    report.contest(&format!("tcpauthsvr, {scheme}"), "tcpauthsvr, clear text", &contest);
    let what = format!("line, {scheme}: rate, part of that of clear text");
    report.target(Target { what: &what, found: contest.rate_ratio, wanted: ALIKE });
    Ok(())
}

fn one_by_one(target: (&Path, u32), users: usize, time: Duration) -> Result<Sample, Failure> {
    turn::<1>(target, users, time)
}

fn many_at_once(target: (&Path, u32), users: usize, time: Duration) -> Result<Sample, Failure> {
    turn::<OUTSTANDING>(target, users, time)
}

fn turn<const N: u32>(
    (socket, pid): (&Path, u32),
    users: usize,
    time: Duration,
) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let mut askers = Vec::new();
        for connection in 0..CONNECTIONS {
            let asker = Asker::<N>::connect(socket, users, connection * users / CONNECTIONS).await;
            askers.push(asker.map_err(|wrong| Failure::Program(wrong.to_string()))?);
        }
        Ok(drive(askers, time, &Server::Processes(vec![pid])).await)
    })
}

/// A connection on which `N` questions are under way.
struct Asker<const N: u32> {
    stream: UnixStream,
    users: usize,
    next: usize,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl<const N: u32> Asker<N> {
    async fn connect(socket: &Path, users: usize, next: usize) -> Result<Self, Wrong> {
        let stream = UnixStream::connect(socket).await?;
        Ok(Self { stream, users, next, request: Vec::new(), reply: Vec::with_capacity(4096) })
    }
}

impl<const N: u32> Client for Asker<N> {
    const BATCH: u32 = N;

    async fn operate(&mut self) -> Result<(), Wrong> {
        self.request.clear();
        for _ in 0..N {
            let line = format!("check test{} {PASSWORD}\n", self.next);
            self.request.extend_from_slice(line.as_bytes());
            self.next = (self.next + 1) % self.users;
        }
        self.stream.write_all(&self.request).await?;
        read_lines(&mut self.stream, &mut self.reply, N, b"+OK ").await
    }
}

/// Reads as many lines, each of which has to begin with `expected`.
pub(super) async fn read_lines(
    stream: &mut UnixStream,
    reply: &mut Vec<u8>,
    number: u32,
    expected: &[u8],
) -> Result<(), Wrong> {
    reply.clear();
    let (mut seen, mut lines) = (0, 0);
    while lines < number {
        if stream.read_buf(reply).await? == 0 {
            return Err(Wrong("closed".to_owned()));
        }
        for byte in &reply[seen..] {
            lines += u32::from(*byte == b'\n');
        }
        seen = reply.len();
    }
    let good = reply.split(|byte| *byte == b'\n').filter(|line| line.starts_with(expected));
    if good.count() == number as usize {
        return Ok(());
    }
    Err(Wrong(reply.escape_ascii().to_string()))
}
