//! Dovecot 2.3 in a temporary folder: as a whole mail server
//! ([`Dovecot::mail`]), or nothing but its auth service ([`Dovecot::auth`]).

mod auth;
mod mail;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tempfile::TempDir;

pub use auth::PASSWD_FILE;

use crate::process::Process;
use crate::program::{self, Said};
use crate::wait;

/// A Dovecot. It is killed when dropped.
#[derive(Debug)]
pub struct Dovecot {
    folder: TempDir,
    /// Where its mail services listen, if it has any.
    address: Option<Ipv4Addr>,
    process: Option<Process>,
}

impl Dovecot {
    fn new(folder: TempDir, address: Option<Ipv4Addr>) -> Self {
        for name in ["run", "state"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { folder, address, process: None }
    }

    /// Stops it, if it runs, and starts it with the lines that it has.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        self.stop();
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(self.config());
        let mut process = Process::start(command, self.folder());
        process.until("Dovecot listens", |_| self.listens());
        self.process = Some(process);
    }

    /// Stops it in peace: nobody listens any more.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop(&mut self) {
        let Some(process) = self.process.take() else { return };
        let children = wait::children_of(process.pid());
        process.signal(Signal::SIGTERM);
        let _ = process.wait();
        // Those who have clients would answer them for half a minute more.
        children.iter().for_each(|(pid, _)| send(*pid, Signal::SIGTERM));
        wait::until("Dovecot is gone", || {
            !children.iter().any(|(pid, _)| wait::is_running(*pid)) && !self.listens()
        });
    }

    /// Runs `doveadm`.
    #[must_use]
    pub fn doveadm(&self, words: &[&str]) -> Said {
        let mut doveadm = Command::new("/usr/bin/doveadm");
        doveadm.arg("-c").arg(self.config()).args(words);
        program::run(doveadm, "")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> PathBuf {
        self.folder().join("dovecot.conf")
    }

    /// What it needs wherever it runs.
    fn common(&self) -> String {
        let folder = self.folder().display();
        format!(
            "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = {folder}/log\n\
             ssl = no\ndisable_plaintext_auth = no\n"
        )
    }

    /// Whether all of it can be reached.
    fn listens(&self) -> bool {
        match self.address {
            Some(address) => {
                mail::PORTS.iter().all(|port| TcpStream::connect((address, *port)).is_ok())
            }
            None => UnixStream::connect(self.auth_socket()).is_ok(),
        }
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        // Its children end with it; one that was stopped would not.
        for (pid, _) in wait::children_of(process.pid()) {
            send(pid, Signal::SIGKILL);
        }
        process.kill();
    }
}

/// Sends a signal to a process that may be gone.
fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = signal::kill(Pid::from_raw(pid), signal);
    }
}
