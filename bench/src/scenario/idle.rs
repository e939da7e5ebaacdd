//! Memory of idle POP3 connections that are logged in.

use std::net::SocketAddr;

use super::pop::{connect, leave, log_in, script, users};
use crate::bare::server::BareServer;
use crate::contest::{Effort, median};
use crate::failure::{Failure, Wrong};
use crate::load::one_thread;
use crate::measure::Memory;
use crate::program::{Passwords, Program};
use crate::report::{Report, Target, Wanted};
use crate::wire::Wire;

/// Connections, each of its own user.
const CONNECTIONS: usize = 500;
/// KB of one connection.
const TARGET: Wanted = Wanted::Below(8.0);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let (mut start_rss, mut start_pss) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        // A process that had connections before has memory left over from them.
        let program = Program::start(users(CONNECTIONS, Passwords::Clear))?;
        let started = Memory::of(program.pid())?;
        start_rss.push(started.rss_kb);
        start_pss.push(started.pss_kb);
        let server = BareServer::start(&script(program.pop)?)?;
        ours.push(growth(program.pop, program.pid())?);
        bare.push(growth(server.address, server.pid())?);
        program.stop()?;
    }
    let (ours, bare) = (median(ours), median(bare));
    report.memory(
        &format!("Idle: {CONNECTIONS} POP3 connections, logged in, 10 messages each"),
        &[
            ("**dmail**, PSS KB/connection".to_owned(), ours),
            ("bare: line server, PSS KB/connection".to_owned(), bare),
            ("*ratio*".to_owned(), ours / bare),
            ("dmail, RSS KB at start".to_owned(), median(start_rss)),
            ("dmail, PSS KB at start".to_owned(), median(start_pss)),
        ],
    );
    report.target(Target { what: "idle: PSS KB/connection", found: ours, wanted: TARGET });
    Ok(())
}

/// How many KB one more idle connection costs the server.
fn growth(server: SocketAddr, pid: u32) -> Result<f64, Failure> {
    one_thread()?.block_on(async {
        let grown = async {
            // What is made once for each user, such as the cache's entries,
            // does not belong to the connection.
            for user in 0..CONNECTIONS {
                let mut wire = connect(server).await?;
                log_in(&mut wire, user).await?;
                leave(wire).await?;
            }
            let before = memory(pid)?;
            let mut open: Vec<Wire> = Vec::with_capacity(CONNECTIONS);
            for user in 0..CONNECTIONS {
                let mut wire = connect(server).await?;
                log_in(&mut wire, user).await?;
                open.push(wire);
            }
            let after = memory(pid)?;
            for wire in open {
                leave(wire).await?;
            }
            Ok::<f64, Wrong>((after - before) / CONNECTIONS as f64)
        };
        grown.await.map_err(|wrong| Failure::Program(format!("idle connections: {wrong}")))
    })
}

fn memory(pid: u32) -> Result<f64, Wrong> {
    Memory::of(pid).map(|memory| memory.pss_kb).map_err(|failure| Wrong(failure.to_string()))
}
