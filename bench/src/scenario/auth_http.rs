//! nginx's `auth_http`: cached logins over connections that are kept alive,
//! beside an nginx that gives one fixed answer.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::line::{CLEAR_USERS, CONNECTIONS};
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::peer::{Nginx, free_address};
use crate::program::{Dialect, PASSWORD};
use crate::report::{Report, Target, Wanted};

/// Logins in a second.
const RATE: Wanted = Wanted::AtLeast(150_000.0);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("auth_http: cached logins, 10 connections kept alive");
    let Some(nginx) = Nginx::start()? else {
        report.note("Skipped: nginx is not installed.");
        return Ok(());
    };
    let address = free_address()?;
    let line = format!("dialect auth-http {address} imap=127.0.0.1:143");
    let ours = Dialect::start(CLEAR_USERS, &line, address)?;
    one_thread()?
        .block_on(async {
            let mut asker = Asker::connect(address, 0).await?;
            for _ in 0..CLEAR_USERS {
                asker.operate().await?;
            }
            Ok(())
        })
        .map_err(|wrong: Wrong| Failure::Program(wrong.to_string()))?;
    let contest = hold(
        effort,
        |time| turn(address, ours.pid(), time),
        |time| turn(nginx.address, nginx.pid(), time),
    )?;
    report.contest("auth-http, one outstanding", "nginx: a fixed answer", &contest);
    let found = contest.ours.rate;
    report.target(Target { what: "auth_http, one outstanding: logins/s", found, wanted: RATE });
    report.note(
        "Logins are not logged here (log_level warn): nginx does not log its answers, either.",
    );
    Ok(())
}

fn turn(address: SocketAddr, pid: u32, time: Duration) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        let mut askers = Vec::new();
        for connection in 0..CONNECTIONS {
            let asker = Asker::connect(address, connection * CLEAR_USERS / CONNECTIONS).await;
            askers.push(asker.map_err(|wrong| Failure::Program(wrong.to_string()))?);
        }
        Ok(drive(askers, time, &Server::Processes(vec![pid])).await)
    })
}

/// A connection as nginx would keep one alive.
struct Asker {
    stream: TcpStream,
    next: usize,
    reply: Vec<u8>,
}

impl Asker {
    async fn connect(address: SocketAddr, next: usize) -> Result<Self, Wrong> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, next, reply: Vec::with_capacity(4096) })
    }
}

impl Client for Asker {
    async fn operate(&mut self) -> Result<(), Wrong> {
        let request = format!(
            "GET /auth HTTP/1.1\r\nHost: 127.0.0.1\r\nAuth-Method: plain\r\n\
             Auth-User: test{}\r\nAuth-Pass: {PASSWORD}\r\nAuth-Protocol: imap\r\n\
             Auth-Login-Attempt: 1\r\nClient-IP: 192.0.2.7\r\n\r\n",
            self.next
        );
        self.next = (self.next + 1) % CLEAR_USERS;
        self.stream.write_all(request.as_bytes()).await?;
        self.reply.clear();
        while !self.reply.ends_with(b"\r\n\r\n") {
            if self.stream.read_buf(&mut self.reply).await? == 0 {
                return Err(Wrong("closed".to_owned()));
            }
        }
        let status = b"Auth-Status: OK\r\n";
        if self.reply.windows(status.len()).any(|line| line == status) {
            return Ok(());
        }
        Err(Wrong(self.reply.escape_ascii().to_string()))
    }
}
