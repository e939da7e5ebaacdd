//! A program that runs as long as it is measured.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::measure::children_of;

/// How long a program may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until there is something to see; `None` if there is nothing for long.
pub(crate) fn patiently<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let late = Instant::now() + PATIENCE;
    loop {
        match look() {
            None if Instant::now() < late => std::thread::sleep(Duration::from_millis(5)),
            seen => return seen,
        }
    }
}

/// A running program. It is asked to stop when dropped, and killed if it does
/// not.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// What failures call it.
    name: &'static str,
}

impl Process {
    /// Starts a program.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self, Failure> {
        let child = command.spawn().map_err(Failure::system(format!("start {name}")))?;
        Ok(Self { child, name })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its number and those of its children.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = children_of(self.pid());
        pids.push(self.pid());
        pids
    }

    /// The first line that it prints, if its output is piped; else nothing.
    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            // What cannot be read is nothing, either.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        line
    }

    /// Waits until `ready` has something to say.
    pub(crate) fn wait_for<T>(
        &mut self,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Failure> {
        let name = self.name;
        let seen = patiently(|| match ready() {
            Some(found) => Some(Ok(found)),
            None => {
                let status = self.ended()?;
                Some(Err(Failure::Program(format!("{name} ended at once: {status}"))))
            }
        });
        seen.unwrap_or_else(|| {
            Err(Failure::Program(format!("{name} does not answer after {PATIENCE:?}")))
        })
    }

    /// Waits until `is_ready`.
    pub(crate) fn wait_until(&mut self, mut is_ready: impl FnMut() -> bool) -> Result<(), Failure> {
        self.wait_for(|| is_ready().then_some(()))
    }

    /// What it has ended with, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = i32::try_from(self.pid()).map(Pid::from_raw);
        if pid.is_ok_and(|pid| kill(pid, Signal::SIGTERM).is_ok()) {
            patiently(|| (!matches!(self.child.try_wait(), Ok(None))).then_some(()));
        }
        // Nothing happens if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
