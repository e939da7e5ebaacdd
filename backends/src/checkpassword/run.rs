//! One run of the program.
//!
//! ```text
//!   this process ─ stdin, stdout ─▶ launcher: they become 3 and 4
//!                                       └▶ the program (3: login, password)
//!                                             └▶ checkpassword-reply (4: the account)
//! ```

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use dmail_dialects::checkpassword::{MAX_REPLY, Reply};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How much of what a program says on standard error is taken.
const MAX_SAID: usize = 4_096;
/// How long its pipes are listened to after its end. What it wrote is there at
/// once; somebody whom it left behind may hold them open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ran {
    /// How the program ended.
    pub(super) status: ExitStatus,
    /// What it became has said, if all of it came.
    pub(super) reply: Option<Reply>,
    /// What it said on standard error.
    pub(super) said: Vec<u8>,
}

/// What is run.
pub(super) struct Job<'a> {
    /// The words of the command.
    pub(super) words: Vec<OsString>,
    /// All of its environment.
    pub(super) environment: Vec<(&'a str, String)>,
    /// What it reads on descriptor 3.
    pub(super) request: &'a [u8],
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Job<'_> {
    /// Runs it to its end, or to the deadline: then nothing of it runs on.
    pub(super) async fn run(self) -> Result<Ran, Unavailable> {
        let limit = self.limit;
        match timeout(limit, self.run_on()).await {
            Ok(Ok(ran)) => Ok(ran),
            Ok(Err(error)) => Err(Unavailable::new(
                UnavailableKind::Fault,
                format!("checkpassword: the program cannot be run: {error}"),
            )),
            Err(_) => Err(Unavailable::new(
                UnavailableKind::Timeout,
                format!("checkpassword: the program took longer than {} s", limit.as_secs()),
            )),
        }
    }

    async fn run_on(self) -> std::io::Result<Ran> {
        let (program, arguments) =
            self.words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::of(&child);
        let missing = || std::io::Error::other("a pipe is missing");
        let mut stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (mut reply, mut said) = (Vec::new(), Vec::new());
        let status = {
            let tell = async {
                // Whoever does not read it says no without having looked.
                let _ = stdin.write_all(self.request).await;
                drop(stdin);
            };
            let listen = async {
                tokio::join!(
                    read(stdout, MAX_REPLY, &mut reply, Reply::is_whole),
                    read(stderr, MAX_SAID, &mut said, |_| false),
                )
            };
            tokio::pin!(tell, listen);
            let mut told = false;
            let mut heard = false;
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status?,
                    () = &mut tell, if !told => told = true,
                    _ = &mut listen, if !heard => heard = true,
                }
            };
            group.release();
            if !heard {
                let _ = timeout(LAST_WORDS, &mut listen).await;
            }
            status
        };
        Ok(Ran { status, reply: Reply::parse(&reply), said })
    }
}

/// Reads until the end, the limit, or what is enough.
async fn read(
    mut from: impl AsyncRead + Unpin,
    limit: usize,
    into: &mut Vec<u8>,
    enough: impl Fn(&[u8]) -> bool,
) {
    let mut block = [0; 1024];
    while let Ok(length @ 1..) = from.read(&mut block).await {
        // What is beyond the limit is read and forgotten, so that the writer
        // gets to its end; a reply that is too long is none.
        let room = (limit + 1).saturating_sub(into.len());
        into.extend_from_slice(&block[..length.min(room)]);
        if enough(into) {
            return;
        }
    }
}

/// The process group of a run, which is killed if the run is given up.
struct Group {
    group: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { group: id.map(Pid::from_raw) }
    }

    /// The program has ended by itself. What it left running on purpose may
    /// run on, and its number may be another's soon.
    fn release(mut self) {
        self.group = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // There may be nobody left in it.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}
