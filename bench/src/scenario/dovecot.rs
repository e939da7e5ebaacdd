//! The daemon's cached checks beside those of Dovecot's auth service, each over
//! a unix socket in its own protocol.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::line::{CLEAR_USERS, CONNECTIONS};
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
    let Some(dovecot) = Dovecot::start(CLEAR_USERS)? else {
        report.note("Not beside Dovecot: it is not installed, or this is not root.");
        return Ok(());
    };
    one_thread()?
        .block_on(async {
            let mut asker = Asker::connect(&dovecot.socket, 0).await?;
            for _ in 0..CLEAR_USERS {
                asker.operate().await?;
            }
            Ok(())
        })
        .map_err(|wrong: Wrong| Failure::Program(wrong.to_string()))?;
    let contest = hold(effort, ours, |time| turn(&dovecot, time))?;
    report.contest("tcpauthsvr, one outstanding", "Dovecot's auth, cached", &contest);
    Ok(())
}

fn turn(dovecot: &Dovecot, time: Duration) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let mut askers = Vec::new();
        for connection in 0..CONNECTIONS {
            let first = connection * CLEAR_USERS / CONNECTIONS;
            let asker = Asker::connect(&dovecot.socket, first).await;
            askers.push(asker.map_err(|wrong| Failure::Program(wrong.to_string()))?);
        }
        Ok(drive(askers, time, &Server::Processes(dovecot.pids())).await)
    })
}

/// A connection to the auth service, as a login process has one.
struct Asker {
    stream: UnixStream,
    next: usize,
    id: u32,
    reply: Vec<u8>,
}

impl Asker {
    async fn connect(socket: &Path, next: usize) -> Result<Self, Wrong> {
        let stream = UnixStream::connect(socket).await?;
        let mut asker = Self { stream, next, id: 0, reply: Vec::with_capacity(4096) };
        // Each client process has one connection; they are told apart by number.
        let greeting = format!("VERSION\t1\t2\nCPID\t{}\n", std::process::id() as usize + next);
        asker.stream.write_all(greeting.as_bytes()).await?;
        while !asker.reply.ends_with(b"DONE\n") {
            asker.read().await?;
        }
        Ok(asker)
    }

    async fn read(&mut self) -> Result<(), Wrong> {
        match self.stream.read_buf(&mut self.reply).await? {
            0 => Err(Wrong("closed".to_owned())),
            _ => Ok(()),
        }
    }
}

impl Client for Asker {
    async fn operate(&mut self) -> Result<(), Wrong> {
        self.id += 1;
        let response = STANDARD.encode(format!("\0test{}\0{PASSWORD}", self.next));
        self.next = (self.next + 1) % CLEAR_USERS;
        let request = format!("AUTH\t{}\tPLAIN\tservice=pop3\tresp={response}\n", self.id);
        self.stream.write_all(request.as_bytes()).await?;
        self.reply.clear();
        while !self.reply.ends_with(b"\n") {
            self.read().await?;
        }
        if self.reply.starts_with(format!("OK\t{}\t", self.id).as_bytes()) {
            return Ok(());
        }
        Err(Wrong(self.reply.escape_ascii().to_string()))
    }
}
