//! Dovecot's auth service with a user base of its own, in a temporary folder.
//! It has no listener: `doveadm auth test` asks it. Its own penalty for
//! addresses that guess is off, which would make the tests last.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::machine;
use crate::process::Process;
use crate::program;

const PROGRAM: &str = "/usr/sbin/dovecot";

/// A Dovecot. It is stopped when dropped.
#[derive(Debug)]
pub struct Dovecot {
    process: Process,
    folder: TempDir,
}

impl Dovecot {
    /// Starts one with these users and passwords, and with these lines in its
    /// configuration. `None`, and a word on why, if it cannot run here.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(test: &str, users: &[(&str, &str)], lines: &str) -> Option<Self> {
        if !machine::is_ours(test) {
            return None;
        }
        assert!(Path::new(PROGRAM).exists(), "install dovecot-core");
        let folder = tempfile::tempdir().expect("a directory");
        let home = folder.path().display();
        let mut known = String::new();
        for (user, password) in users {
            writeln!(known, "{user}:{{PLAIN}}{password}::::::").expect("a String");
        }
        fs::write(folder.path().join("users"), known).expect("room");
        let config = format!(
            "base_dir = {home}/run\n\
             state_dir = {home}/run\n\
             log_path = {home}/log\n\
             protocols =\n\
             ssl = no\n\
             disable_plaintext_auth = no\n\
             auth_mechanisms = plain\n\
             auth_failure_delay = 0\n\
             passdb {{\n  driver = passwd-file\n  args = {home}/users\n}}\n\
             userdb {{\n  driver = static\n  args = uid=65534 gid=65534 home=/nonexistent\n}}\n\
             service auth {{\n  user = root\n}}\n\
             service stats {{\n  chroot =\n}}\n\
             service anvil {{\n  chroot =\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n\
             {lines}"
        );
        fs::write(folder.path().join("dovecot.conf"), config).expect("room");
        let mut command = Command::new(PROGRAM);
        command.arg("-F").arg("-c").arg(folder.path().join("dovecot.conf"));
        let mut process = Process::start(command, folder.path());
        let socket = folder.path().join("run/auth-client");
        process.until("Dovecot listens", |_| UnixStream::connect(&socket).is_ok());
        Some(Self { process, folder })
    }

    /// Whether somebody may log in from `client`, as `doveadm auth test` says.
    #[must_use]
    pub fn lets_in(&self, user: &str, password: &str, client: &str) -> bool {
        let mut command = Command::new("doveadm");
        command.arg("-c").arg(self.file("dovecot.conf"));
        command.args(["auth", "test", "-x", &format!("rip={client}"), "-x", "service=imap"]);
        command.args([user, password]);
        program::run(command, "").code == Some(0)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Its first process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Asked in peace, it ends its services.
        self.process.signal(nix::sys::signal::Signal::SIGTERM);
        let ended = std::time::Instant::now() + crate::wait::PATIENCE;
        while self.process.is_running() && std::time::Instant::now() < ended {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
