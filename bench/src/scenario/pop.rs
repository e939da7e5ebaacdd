//! POP3 sessions against the real program: login, STAT, QUIT on a mailbox of
//! ten messages, the login answered from the gateway's cache.

use std::net::SocketAddr;
use std::time::Duration;

use crate::bare::server::BareServer;
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::program::{PASSWORD, Passwords, Program, Users};
use crate::report::{Report, Target, Wanted, count};
use crate::script::Script;
use crate::wire::Wire;

const USERS: usize = 100;
/// Messages in every mailbox.
const MESSAGES: usize = 10;
/// Processor time of the server for one session of ten clients, in µs.
const TARGET: Wanted = Wanted::Below(250.0);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let program = Program::start(users(USERS, Passwords::Clear))?;
    let bare = BareServer::start(&script(program.pop)?)?;
    report.table("POP3: login, STAT, QUIT on 10 messages of 4 KB");
    for clients in [1, 10] {
        let turn = |server, pid, time| turn(clients, server, pid, time);
        let contest = hold(
            effort,
            |time| turn(program.pop, program.pid(), time),
            |time| turn(bare.address, bare.pid(), time),
        )?;
        let name = format!("dmail, {}", count(clients, "connection"));
        report.contest(&name, "bare: line server", &contest);
        if clients == 10 {
            let what = format!("{name}: server CPU µs/session");
            report.target(Target { what: &what, found: contest.ours.server_us, wanted: TARGET });
        }
    }
    program.stop()
}

fn turn(clients: usize, server: SocketAddr, pid: u32, time: Duration) -> Result<Sample, Failure> {
    let clients = (0..clients).map(|first| Sessions { server, first, step: clients, user: first });
    let clients = clients.collect();
    Ok(one_thread()?.block_on(drive(clients, time, &Server::Processes(vec![pid]))))
}

/// So many users, all with the same mail.
pub(super) fn users(number: usize, passwords: Passwords) -> Users {
    Users { number, messages: MESSAGES, passwords }
}

/// What the program says in one session.
pub(super) fn script(server: SocketAddr) -> Result<Script, Failure> {
    let recording = async {
        let mut wire = connect(server).await?;
        wire.record();
        log_in(&mut wire, 0).await?;
        leave(wire).await
    };
    let recorded: Result<Script, Wrong> = one_thread()?.block_on(recording);
    recorded.map_err(|wrong| Failure::Program(format!("POP3: {wrong}")))
}

/// One session after the other, each of another user: of those that no other
/// client takes, because a mailbox has one session at a time.
struct Sessions {
    server: SocketAddr,
    first: usize,
    step: usize,
    user: usize,
}

impl Client for Sessions {
    async fn operate(&mut self) -> Result<(), Wrong> {
        let user = self.user;
        self.user += self.step;
        if self.user >= USERS {
            self.user = self.first;
        }
        let mut wire = connect(self.server).await?;
        log_in(&mut wire, user).await?;
        leave(wire).await?;
        Ok(())
    }
}

/// Connects to a POP3 server.
pub(super) async fn connect(server: SocketAddr) -> Result<Wire, Wrong> {
    Wire::connect(server, |reply| reply.ends_with(b"\r\n"), "+OK").await
}

/// Logs in as `test<user>`.
pub(super) async fn log_in(wire: &mut Wire, user: usize) -> Result<(), Wrong> {
    wire.ask(format!("USER test{user}\r\n").as_bytes(), "+OK").await?;
    wire.ask(format!("PASS {PASSWORD}\r\n").as_bytes(), "+OK").await
}

/// Looks at the mailbox, which must be complete, and leaves it as it is.
pub(super) async fn leave(mut wire: Wire) -> Result<Script, Wrong> {
    wire.ask(b"STAT\r\n", &format!("+OK {MESSAGES} ")).await?;
    wire.ask(b"QUIT\r\n", "+OK").await?;
    wire.end().await
}
