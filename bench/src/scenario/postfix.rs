//! Logins through Postfix: SMTP sessions with `AUTH PLAIN`, which our socket
//! decides, beside the same Postfix with Dovecot's.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::dovecot;
use super::line::{CLEAR_USERS, CONNECTIONS};
use super::smtp::connect;
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::peer::{Dovecot, Postfix};
use crate::program::{Dialect, PASSWORD};
use crate::report::Report;

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Logins through Postfix: connect, EHLO, AUTH PLAIN, QUIT; 10 clients");
    let Some(mut postfix) = Postfix::new()? else {
        report.note("Skipped: Postfix is not installed, or this is not root.");
        return Ok(());
    };
    let (ours, theirs) = (postfix.path("dmail"), postfix.path("dovecot"));
    let settings = format!(
        "authent_cache 20000\nauthent_cache_fresh 1h\n\
         dialect dovecot-auth unix:{} mode=666\n",
        ours.display()
    );
    let program = Dialect::start_on(CLEAR_USERS, &settings, &ours, false)?;
    let Some(dovecot) = Dovecot::start_at(CLEAR_USERS, &theirs)? else {
        report.note("Skipped: Dovecot is not installed.");
        return Ok(());
    };
    dovecot::warm(&ours)?;
    dovecot::warm(&theirs)?;
    let [by_us, by_them] = postfix.start([&ours, &theirs])?;
    let contest = hold(
        effort,
        |time| turn(by_us, vec![program.pid()], time),
        |time| turn(by_them, dovecot.pids(), time),
    )?;
    report.contest("Postfix asks dmail", "Postfix asks Dovecot's auth", &contest);
    report
        .note("Server CPU is that of the one who is asked; Postfix takes most of both processors.");
    Ok(())
}

fn turn(server: SocketAddr, pids: Vec<u32>, time: Duration) -> Result<Sample, Failure> {
    let sessions = |number| Sessions { server, next: number * CLEAR_USERS / CONNECTIONS };
    let sessions = (0..CONNECTIONS).map(sessions).collect();
    Ok(one_thread()?.block_on(drive(sessions, time, &Server::Processes(pids))))
}

/// One session after the other, each of the next user.
struct Sessions {
    server: SocketAddr,
    next: usize,
}

impl Client for Sessions {
    async fn operate(&mut self) -> Result<(), Wrong> {
        let response = STANDARD.encode(format!("\0test{}\0{PASSWORD}", self.next));
        self.next = (self.next + 1) % CLEAR_USERS;
        let mut wire = connect(self.server, false).await?;
        wire.ask(format!("AUTH PLAIN {response}\r\n").as_bytes(), "235").await?;
        wire.ask(b"QUIT\r\n", "221").await?;
        wire.end().await.map(drop)
    }
}
