//! The place of one child in the pool: starts it, watches it, reaps it, and
//! starts the next one after a pause that grows while they keep dying.

use std::borrow::Cow;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::child::{Child, ChildState};
use super::{PoolConfig, Shared};

/// A child that lived this long was not killed by its own start.
const HEALTHY: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause after a child that was asked something. One user whose name
/// kills a module must not close it for everybody else.
const ASKED_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause after children that end before they are asked anything.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longest line of a child's standard error in the log, in bytes.
const LOG_LINE_BYTES: u64 = 1024;
/// How long after its question a password may still appear on standard error.
const SECRET_MEMORY: Duration = Duration::from_secs(10);

/// Keeps one child running until the pool closes.
pub(super) async fn run(slot: usize, shared: Arc<Shared>) {
    let mut failures = 0_u32;
    while !shared.ready.is_closed() {
        let started = Instant::now();
        let asked = match Process::start(&shared.config) {
            Ok((process, child)) => {
                shared.give_back(child);
                let asked = process.until_gone(slot).await;
                shared.forget_gone();
                asked
            }
            Err(error) => {
                let program = shared.config.command.first();
                tracing::error!(slot, ?program, %error, "authent_process cannot be started");
                false
            }
        };
        if shared.ready.is_closed() {
            return;
        }
        failures = if started.elapsed() >= HEALTHY { 0 } else { failures.saturating_add(1) };
        pause(&shared, failures, asked).await;
    }
}

/// Waits before the next start. While no child that is any good can be
/// expected here, the pool knows.
async fn pause(shared: &Shared, failures: u32, asked: bool) {
    let Some(doublings) = failures.checked_sub(1) else {
        return;
    };
    let longest = if asked { ASKED_PAUSE } else { LONGEST_PAUSE };
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(longest);
    // Children that died together need not come back together.
    let pause = pause.mul_f64(rand::random_range(0.75..1.25));
    let hopeless = !asked && failures >= 2;
    if hopeless {
        shared.failing.send_modify(|failing| *failing += 1);
    }
    tokio::time::sleep(pause).await;
    if hopeless {
        shared.failing.send_modify(|failing| *failing -= 1);
    }
}

/// A running child, without its pipes.
struct Process {
    process: tokio::process::Child,
    group: Pid,
    state: Arc<ChildState>,
    asked_to_leave: oneshot::Receiver<Cow<'static, str>>,
}

impl Process {
    /// Starts the module in a process group of its own.
    fn start(config: &PoolConfig) -> std::io::Result<(Self, Child)> {
        let mut words = config.launcher.iter().chain(&config.command);
        let program = words.next().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut process = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::other("a pipe is missing");
        let id = process.id().and_then(|id| i32::try_from(id).ok()).ok_or_else(missing)?;
        let stdin = process.stdin.take().ok_or_else(missing)?.into_owned_fd()?;
        let stdout = process.stdout.take().ok_or_else(missing)?.into_owned_fd()?;
        let stderr = process.stderr.take().ok_or_else(missing)?;
        let state = Arc::new(ChildState::new(config.quoting));
        let (leave, asked_to_leave) = oneshot::channel();
        let child = Child::new(
            pipe::Sender::from_owned_fd(stdin)?,
            pipe::Receiver::from_owned_fd(stdout)?,
            config.max_reply,
            Arc::clone(&state),
            leave,
        );
        tokio::spawn(log_stderr(stderr, id, Arc::clone(&state), config.timeout));
        Ok((Self { process, group: Pid::from_raw(id), state, asked_to_leave }, child))
    }

    /// Waits until the child has ended, by itself or because it must, and
    /// says whether it had been asked anything.
    async fn until_gone(mut self, slot: usize) -> bool {
        let pid = self.group.as_raw();
        let (status, why) = tokio::select! {
            status = self.process.wait() => (status, None),
            why = &mut self.asked_to_leave => {
                self.kill_group();
                let why = why.unwrap_or("its question was given up".into());
                (self.process.wait().await, Some(why))
            }
        };
        // Whatever it started and left behind holds its pipes.
        self.kill_group();
        self.state.gone.store(true, Ordering::Release);
        match (status.map(ended), why) {
            (Ok(ended), None) => tracing::info!(slot, pid, ended, "authent module left"),
            (Ok(_), Some(why)) => tracing::warn!(slot, pid, %why, "authent module killed"),
            (Err(error), _) => tracing::error!(slot, pid, %error, "authent module lost"),
        }
        self.state.asked.load(Ordering::Relaxed)
    }

    fn kill_group(&self) {
        // There may be nobody left in it.
        let _ = killpg(self.group, Signal::SIGKILL);
    }
}

impl Drop for Process {
    /// The pool is gone, or its runtime is.
    fn drop(&mut self) {
        if !self.state.gone.load(Ordering::Acquire) {
            self.kill_group();
        }
    }
}

fn ended(status: ExitStatus) -> String {
    status.to_string()
}

/// Puts what the child says on standard error into the log, line by line,
/// without the passwords that it was told. A question takes `patience` at most.
async fn log_stderr(stderr: ChildStderr, pid: i32, state: Arc<ChildState>, patience: Duration) {
    let mut lines = BufReader::with_capacity(512, stderr);
    let mut line = Vec::new();
    loop {
        let room = LOG_LINE_BYTES.saturating_sub(line.len() as u64);
        let mut rest_of_line = (&mut lines).take(room);
        let read = rest_of_line.read_until(b'\n', &mut line);
        match timeout(SECRET_MEMORY, read).await {
            // What was read of a line so far stays in it.
            Err(_) => state.secrets.forget(patience + SECRET_MEMORY),
            Ok(Ok(_)) if !line.is_empty() => {
                let text = String::from_utf8_lossy(line.trim_ascii_end());
                let text = state.secrets.hide(&text);
                tracing::warn!(pid, ?text, "authent module says");
                line.clear();
            }
            Ok(_) => return,
        }
    }
}
