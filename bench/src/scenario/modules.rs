//! The line protocol over pipes: the pool with modules that have an answer to
//! everything, beside lines that are written to `cat` and read back.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use dmail_authent::pool::{Pool, PoolConfig};
use dmail_core::{AuthRequest, Authenticator, Origin, Secret, Service, Username, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::{Server, children};
use crate::program::PASSWORD;
use crate::report::{Report, Target, Wanted, count};

/// The pool's rate as a part of that of `cat`.
const TARGET: Wanted = Wanted::AtLeast(0.5);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Modules: checks over the pipes of child processes");
    for number in [1, 4] {
        let contest = hold(effort, |time| ask_pool(number, time), |time| ask_cat(number, time))?;
        let name = format!("pool, {}, as many askers", count(number, "module"));
        report.contest(&name, "bare: cat", &contest);
        let what = format!("{name}: rate, part of cat's");
        report.target(Target { what: &what, found: contest.rate_ratio, wanted: TARGET });
    }
    report.note("Server: the children. Client: this process, and with it the pool.");
    Ok(())
}

/// One turn of the pool, with new children.
fn ask_pool(number: usize, time: Duration) -> Result<Sample, Failure> {
    let own = std::env::current_exe().map_err(Failure::system("find this program"))?;
    let config =
        PoolConfig { number, ..PoolConfig::new([own.into_os_string(), "bare-module".into()]) };
    let others = children();
    one_thread()?.block_on(async {
        let pool = Arc::new(Pool::start(config));
        let request = request()?;
        let asker = || Asker { pool: Arc::clone(&pool), request: request.clone() };
        let askers: Vec<Asker> = (0..number).map(|_| asker()).collect();
        // The first answer means that there are children.
        asker().operate().await.map_err(|wrong| Failure::Program(wrong.to_string()))?;
        let modules = children().into_iter().filter(|child| !others.contains(child));
        let sample = drive(askers, time, &Server::Processes(modules.collect())).await;
        pool.shutdown().await;
        Ok(sample)
    })
}

/// One turn of `cat`, with new processes.
fn ask_cat(number: usize, time: Duration) -> Result<Sample, Failure> {
    one_thread()?.block_on(async {
        // Clients end with their turn, processes only once they are measured.
        let mut processes = (0..number).map(|_| start_cat()).collect::<Result<Vec<_>, _>>()?;
        let cats = processes.iter_mut().map(Cat::of).collect::<Result<Vec<_>, _>>()?;
        let pids = processes.iter().filter_map(Child::id).collect();
        Ok(drive(cats, time, &Server::Processes(pids)).await)
    })
}

fn start_cat() -> Result<Child, Failure> {
    Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failure::system("start cat"))
}

fn request() -> Result<AuthRequest, Failure> {
    let user = Username::parse(b"test0").map_err(|error| Failure::Program(error.to_string()))?;
    let here = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let origin = Origin { client: here, local: here, ..Origin::local(Service::Pop3) };
    Ok(AuthRequest::check(user, Secret::new(PASSWORD.as_bytes()), origin))
}

struct Asker {
    pool: Arc<Pool>,
    request: AuthRequest,
}

impl Client for Asker {
    async fn operate(&mut self) -> Result<(), Wrong> {
        match self.pool.authenticate(&self.request).await {
            Ok(Verdict::Accepted(_)) => Ok(()),
            other => Err(Wrong(format!("{other:?}"))),
        }
    }
}

/// The pipes of a `cat`.
struct Cat {
    input: ChildStdin,
    output: ChildStdout,
    reply: Vec<u8>,
}

impl Cat {
    /// Takes the pipes of this process.
    fn of(process: &mut Child) -> Result<Self, Failure> {
        let missing = || Failure::Program("cat has no pipes".to_owned());
        Ok(Self {
            input: process.stdin.take().ok_or_else(missing)?,
            output: process.stdout.take().ok_or_else(missing)?,
            reply: Vec::with_capacity(256),
        })
    }
}

impl Client for Cat {
    async fn operate(&mut self) -> Result<(), Wrong> {
        const LINE: &[u8] = b"check test0 test 127.0.0.1\n";
        self.input.write_all(LINE).await?;
        self.reply.clear();
        while !self.reply.ends_with(b"\n") {
            if self.output.read_buf(&mut self.reply).await? == 0 {
                return Err(Wrong("cat has ended".to_owned()));
            }
        }
        if self.reply == LINE { Ok(()) } else { Err(Wrong("cat says something else".to_owned())) }
    }
}
