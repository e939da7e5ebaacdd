//! Other servers' dialects: cached checks of `dmail serve`, beside the servers
//! whose dialects they are.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::dovecot;
use super::line::{CLEAR_USERS, CONNECTIONS};
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::peer::Saslauthd;
use crate::program::{Dialect, PASSWORD};
use crate::report::{Report, Target, Wanted};

/// Questions under way on one connection in the second contest with Dovecot.
const OUTSTANDING: u32 = 16;
/// Users that saslauthd is asked about: its cache has room for some.
const SASL_USERS: usize = 100;
/// Requests in a second, each on a connection of its own.
const RATE: Wanted = Wanted::AtLeast(75_000.0);
/// Processor time of the server for one of them, in µs.
const CPU: Wanted = Wanted::Below(12.0);

const SETTINGS: &str = "\
authent_cache 20000
authent_cache_fresh 1h
dialect dovecot-auth unix:auth.sock tempfail=code
dialect saslauthd unix:mux
";

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Dialects over unix sockets: cached checks, 10 connections at a time");
    // None of the peers logs who has logged in: the mail servers do.
    let program = Dialect::start_on(CLEAR_USERS, SETTINGS, "auth.sock", false)?;
    auth(effort, report, &program)?;
    saslauthd(effort, report, &program)?;
    let logging = Dialect::start_on(CLEAR_USERS, SETTINGS, "auth.sock", true)?;
    logged(effort, report, &logging, &program)
}

/// What a line of the log costs for each login.
fn logged(
    effort: Effort,
    report: &mut Report,
    logging: &Dialect,
    silent: &Dialect,
) -> Result<(), Failure> {
    let socket = |program: &Dialect| program.home().join("auth.sock");
    dovecot::warm(&socket(logging))?;
    let turn = |program: &Dialect, time| {
        dovecot::turn::<OUTSTANDING>(&socket(program), vec![program.pid()], time)
    };
    let contest = hold(effort, |time| turn(logging, time), |time| turn(silent, time))?;
    let name = format!("dovecot-auth, {OUTSTANDING} outstanding, each logged");
    report.contest(&name, "the same, not logged", &contest);
    Ok(())
}

fn auth(effort: Effort, report: &mut Report, program: &Dialect) -> Result<(), Failure> {
    let socket = program.home().join("auth.sock");
    dovecot::warm(&socket)?;
    let Some(dovecot) = dovecot::start()? else {
        report.note("dovecot-auth: skipped, Dovecot is not installed, or this is not root.");
        return Ok(());
    };
    let ours = || (socket.as_path(), vec![program.pid()]);
    let theirs = || (dovecot.socket.as_path(), dovecot.pids());
    let turn = |(socket, pids): (&Path, _), time| dovecot::turn::<1>(socket, pids, time);
    let contest = hold(effort, |time| turn(ours(), time), |time| turn(theirs(), time))?;
    report.contest("dovecot-auth, one outstanding", "Dovecot's auth, cached", &contest);
    let turn = |(socket, pids): (&Path, _), time| dovecot::turn::<OUTSTANDING>(socket, pids, time);
    let contest = hold(effort, |time| turn(ours(), time), |time| turn(theirs(), time))?;
    let name = format!("dovecot-auth, {OUTSTANDING} outstanding");
    report.contest(&name, "Dovecot's auth, cached", &contest);
    Ok(())
}

fn saslauthd(effort: Effort, report: &mut Report, program: &Dialect) -> Result<(), Failure> {
    let socket = program.home().join("mux");
    let Some(peer) = Saslauthd::start()? else {
        report.note("saslauthd: skipped, it is not installed.");
        return Ok(());
    };
    let ours = |time| turn(&socket, vec![program.pid()], time);
    let theirs = |time| turn(&peer.socket, peer.pids(), time);
    let contest = hold(effort, ours, theirs)?;
    report.contest("saslauthd, a connection each", "saslauthd, cached", &contest);
    let found = contest.ours.rate;
    report.target(Target { what: "saslauthd: requests/s", found, wanted: RATE });
    let found = contest.ours.server_us;
    report.target(Target { what: "saslauthd: server CPU µs", found, wanted: CPU });
    Ok(())
}

fn turn(socket: &Path, pids: Vec<u32>, time: Duration) -> Result<Sample, Failure> {
    let asker = |number| Asker {
        socket: socket.to_owned(),
        next: number * SASL_USERS / CONNECTIONS,
        reply: Vec::with_capacity(64),
    };
    let askers = (0..CONNECTIONS).map(asker).collect();
    one_thread()?.block_on(async { Ok(drive(askers, time, &Server::Processes(pids)).await) })
}

/// Whoever checks passwords by libsasl: one connection for each.
struct Asker {
    socket: std::path::PathBuf,
    next: usize,
    reply: Vec<u8>,
}

impl Client for Asker {
    async fn operate(&mut self) -> Result<(), Wrong> {
        let user = format!("test{}", self.next);
        self.next = (self.next + 1) % SASL_USERS;
        let mut request = Vec::with_capacity(64);
        for field in [user.as_str(), PASSWORD, "imap", ""] {
            let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
            request.extend_from_slice(&length.to_be_bytes());
            request.extend_from_slice(field.as_bytes());
        }
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(&request).await?;
        self.reply.clear();
        while stream.read_buf(&mut self.reply).await? > 0 {}
        match self.reply.get(2..4) {
            Some(b"OK") => Ok(()),
            _ => Err(Wrong(self.reply.escape_ascii().to_string())),
        }
    }
}
