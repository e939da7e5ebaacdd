//! Memory after logins whose passwords are stored as argon2id. Each hash takes
//! 19 MB for a moment, as many at a time as there are processors; what the
//! program keeps of that must not grow with the number of logins.

use std::net::SocketAddr;
use std::thread::available_parallelism;

use tokio::task::JoinSet;

use super::pop::{connect, leave, log_in, users};
use crate::contest::Effort;
use crate::failure::{Failure, Wrong};
use crate::load::one_thread;
use crate::measure::Memory;
use crate::program::{Passwords, Program};
use crate::report::{Report, Target, Wanted};

/// Logins in one wave, each of a user that nobody remembers.
const WAVE: usize = 100;
const WAVES: usize = 2;
/// Clients at the same time.
const CLIENTS: usize = 10;
/// What one hash takes, in KB.
const HASH_KB: f64 = 19.0 * 1024.0;
/// What everything else may take, in KB.
const REST_KB: f64 = 16.0 * 1024.0;

pub(super) fn run(_: Effort, report: &mut Report) -> Result<(), Failure> {
    let program = Program::start(users(WAVES * WAVE, Passwords::Hashed))?;
    let mut rows = vec![("at start, PSS KB".to_owned(), pss(&program)?)];
    for wave in 0..WAVES {
        one_thread()?
            .block_on(log_all_in(program.pop, wave * WAVE))
            .map_err(|wrong| Failure::Program(format!("POP3: {wrong}")))?;
        rows.push((format!("after {} first logins, PSS KB", (wave + 1) * WAVE), pss(&program)?));
    }
    report.memory("Hashed: passwords stored as argon2id", &rows);
    let processors = available_parallelism().map_or(1, usize::from) as f64;
    let found = pss(&program)?;
    let wanted = Wanted::Below(processors * HASH_KB + REST_KB);
    report.target(Target { what: "hashed: PSS KB", found, wanted });
    program.stop()
}

/// One wave, from this user on.
async fn log_all_in(server: SocketAddr, first: usize) -> Result<(), Wrong> {
    let share = move |client| (first..first + WAVE).skip(client).step_by(CLIENTS);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            for user in share(client) {
                let mut wire = connect(server).await?;
                log_in(&mut wire, user).await?;
                leave(wire).await?;
            }
            Ok(())
        });
    }
    clients.join_all().await.into_iter().collect()
}

fn pss(program: &Program) -> Result<f64, Failure> {
    Ok(Memory::of(program.pid())?.pss_kb)
}
