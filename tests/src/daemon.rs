//! `dmail tcpauthsvr`, running.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::process::Process;
use crate::program;

/// A folder with a tcpauthsvr.conf and its users.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    /// The words before the program, if it runs in a place of its own.
    before: Vec<String>,
}

/// The daemon of a folder, running.
#[derive(Debug)]
pub struct Running {
    process: Process,
    log: String,
}

impl Daemon {
    /// A daemon with these settings, and the users in NWAuth files.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["log", "users"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let daemon = Self { folder, before: Vec::new() };
        // Cheap hashes: these tests are not about their strength.
        let common = "dsmtp_path .\nnwauth_path users\nnwauth_scheme ssha512\nlog_path log\n\
                      log_level debug\nlog_delay 0\n";
        fs::write(daemon.config(), format!("{common}{settings}")).expect("room");
        daemon
    }

    /// The same, started by the words of a command.
    #[must_use]
    pub fn behind(self, words: &[&str]) -> Self {
        Self { before: words.iter().map(|word| (*word).to_owned()).collect(), ..self }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its tcpauthsvr.conf.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder().join("tcpauthsvr.conf")
    }

    /// Adds a user to the NWAuth files.
    ///
    /// # Panics
    ///
    /// If that cannot be done.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        let users = self.folder().join("users").display().to_string();
        let command = program::dmail(&["nwauth", "-path", &users, "set", name, password]);
        let _ = program::run(command, "").success();
        self
    }

    /// Starts it, and waits until clients can connect.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(&self) -> Running {
        let config = self.config().display().to_string();
        let own = program::path().display().to_string();
        let words: Vec<&str> = self.before.iter().map(String::as_str).collect();
        let line = [&words[..], &[&own, "tcpauthsvr", "-config", &config]].concat();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]);
        let log = self.folder().join("log/tcpauthsvr.log");
        let read = || fs::read_to_string(&log).unwrap_or_default();
        let before = read().len();
        let mut process = Process::start(command, self.folder());
        process.until("the daemon has started", |_| read()[before..].contains(": started "));
        Running { process, log: read()[before..].to_owned() }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log/tcpauthsvr.log")).unwrap_or_default()
    }
}

impl Running {
    /// Where it listens.
    ///
    /// # Panics
    ///
    /// If it listens on no TCP socket.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let after = self.log.split("address=").nth(1).expect("an address in the log");
        let word = after.split_whitespace().next().unwrap_or_default();
        word.parse().expect("an address")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Stops it in peace.
    ///
    /// # Panics
    ///
    /// If its exit code is not 0.
    pub fn stop(self) {
        self.signal(Signal::SIGTERM);
        let status = self.process.wait();
        assert!(status.success(), "{status}");
    }

    /// `kill -9`.
    pub fn kill(self) {
        self.process.kill();
    }
}
