//! A program that runs until it is told to stop, and what it prints meanwhile.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::wait;

/// A running program. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints goes into files in `folder`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut command: Command, folder: &Path) -> Self {
        let (out, err) = (folder.join("stdout"), folder.join("stderr"));
        let append = |path: &PathBuf| {
            File::options().append(true).create(true).open(path).expect("a file for the output")
        };
        command.stdin(Stdio::null()).stdout(append(&out)).stderr(append(&err));
        Self { child: command.spawn().expect("the program is there"), out, err }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far, on standard output.
    #[must_use]
    pub fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// The same on standard error.
    #[must_use]
    pub fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Whether it still runs.
    ///
    /// # Panics
    ///
    /// If the system does not know it.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// Waits until `condition` holds.
    ///
    /// # Panics
    ///
    /// If the program ends before, or [`wait::PATIENCE`] does.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        wait::until(what, || {
            let running = self.is_running();
            let holds = condition(self);
            assert!(running || holds, "it ended before {what}: {}", self.err());
            holds
        });
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process id is small");
        signal::kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    ///
    /// If it does not within [`wait::PATIENCE`].
    pub fn wait(mut self) -> ExitStatus {
        wait::until("the program ends", || !self.is_running());
        self.child.wait().expect("our own child")
    }

    /// Kills it; nothing of it runs on.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and then both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
