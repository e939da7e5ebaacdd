//! Cached checks of Dovecot's auth service over a unix socket in its own
//! protocol: a client, and its place beside the daemon's.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::line::{CLEAR_USERS, CONNECTIONS, read_lines};
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::peer::Dovecot;
use crate::program::PASSWORD;
use crate::report::Report;

/// `ours` is the daemon's turn, one question outstanding.
pub(super) fn run(
    effort: Effort,
    report: &mut Report,
    ours: impl FnMut(Duration) -> Result<Sample, Failure>,
) -> Result<(), Failure> {
    let Some(dovecot) = start()? else {
        report.note("Not beside Dovecot: it is not installed, or this is not root.");
        return Ok(());
    };
    let contest = hold(effort, ours, |time| turn::<1>(&dovecot.socket, dovecot.pids(), time))?;
    report.contest("tcpauthsvr, one outstanding", "Dovecot's auth, cached", &contest);
    Ok(())
}

/// A Dovecot that remembers all users; `None` if it cannot be had.
pub(super) fn start() -> Result<Option<Dovecot>, Failure> {
    let dovecot = Dovecot::start(CLEAR_USERS)?;
    if let Some(dovecot) = &dovecot {
        warm(&dovecot.socket)?;
    }
    Ok(dovecot)
}

/// Lets a server see every user once.
pub(super) fn warm(socket: &Path) -> Result<(), Failure> {
    let asking = async {
        let mut asker = Asker::<1>::connect(socket, 0).await?;
        for _ in 0..CLEAR_USERS {
            asker.operate().await?;
        }
        Ok(())
    };
    one_thread()?.block_on(asking).map_err(|wrong: Wrong| Failure::Program(wrong.to_string()))
}

/// The turn of the server of these processes, with `N` questions under way on
/// each connection.
pub(super) fn turn<const N: u32>(
    socket: &Path,
    pids: Vec<u32>,
    time: Duration,
) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let mut askers = Vec::new();
        for connection in 0..CONNECTIONS {
            let first = connection * CLEAR_USERS / CONNECTIONS;
            let asker = Asker::<N>::connect(socket, first).await;
            askers.push(asker.map_err(|wrong| Failure::Program(wrong.to_string()))?);
        }
        Ok(drive(askers, time, &Server::Processes(pids)).await)
    })
}

/// A connection to the auth service, as a login process has one, on which `N`
/// questions are under way.
struct Asker<const N: u32> {
    stream: UnixStream,
    next: usize,
    id: u32,
    request: Vec<u8>,
    reply: Vec<u8>,
}

impl<const N: u32> Asker<N> {
    async fn connect(socket: &Path, next: usize) -> Result<Self, Wrong> {
        let stream = UnixStream::connect(socket).await?;
        let reply = Vec::with_capacity(4096);
        let mut asker = Self { stream, next, id: 0, request: Vec::new(), reply };
        // Each client process has one connection; they are told apart by number.
        let greeting = format!("VERSION\t1\t2\nCPID\t{}\n", std::process::id() as usize + next);
        asker.stream.write_all(greeting.as_bytes()).await?;
        while !asker.reply.ends_with(b"DONE\n") {
            if asker.stream.read_buf(&mut asker.reply).await? == 0 {
                return Err(Wrong("closed".to_owned()));
            }
        }
        Ok(asker)
    }
}

impl<const N: u32> Client for Asker<N> {
    const BATCH: u32 = N;

    async fn operate(&mut self) -> Result<(), Wrong> {
        self.request.clear();
        for _ in 0..N {
            self.id += 1;
            let response = STANDARD.encode(format!("\0test{}\0{PASSWORD}", self.next));
            self.next = (self.next + 1) % CLEAR_USERS;
            let line = format!("AUTH\t{}\tPLAIN\tservice=pop3\tresp={response}\n", self.id);
            self.request.extend_from_slice(line.as_bytes());
        }
        self.stream.write_all(&self.request).await?;
        read_lines(&mut self.stream, &mut self.reply, N, b"OK\t").await
    }
}
