//! Dovecot with nothing but its auth service, in a folder of its own.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::process::Process;
use crate::program::{Said, run};
use crate::wait;

/// Users in a passwd-file, in `users` of the folder.
pub const PASSWD_FILE: &str = "\
passdb {
  driver = passwd-file
  args = FOLDER/users
}
userdb {
  driver = passwd-file
  args = FOLDER/users
}
";

/// Dovecot's auth service. It is killed when dropped.
#[derive(Debug)]
pub struct DovecotAuth {
    folder: TempDir,
    process: Option<Process>,
}

impl DovecotAuth {
    /// Starts it with these user databases, `FOLDER` in them being its folder,
    /// and these users as a passwd-file has them.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(databases: &str, users: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display().to_string();
        for name in ["run", "state"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        fs::write(folder.path().join("users"), users).expect("room");
        let (user, login) = match nix::unistd::geteuid().is_root() {
            true => ("dovecot".to_owned(), "dovenull".to_owned()),
            false => (own_name(), own_name()),
        };
        let own = own_name();
        let settings = format!(
            "base_dir = {path}/run\nstate_dir = {path}/state\nlog_path = {path}/log\n\
             protocols =\nssl = no\nauth_failure_delay = 0\n\
             default_internal_user = {user}\ndefault_internal_group = {user}\n\
             default_login_user = {login}\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n\
             mail_location = maildir:{path}/mail/%u\n\
             service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n\
             service auth {{\n  user = {own}\n  unix_listener auth-client {{\n    mode = 0600\n  }}\n  \
             unix_listener auth-userdb {{\n    mode = 0600\n  }}\n}}\n{}",
            databases.replace("FOLDER", &path)
        );
        fs::write(folder.path().join("dovecot.conf"), settings).expect("room");
        let mut dovecot = Self { folder, process: None };
        dovecot.restart();
        dovecot
    }

    /// Starts it again, if it was stopped.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(self.config());
        let mut process = Process::start(command, self.folder.path());
        let socket = self.auth_socket();
        process.until("dovecot takes logins", |_| UnixStream::connect(&socket).is_ok());
        self.process = Some(process);
    }

    /// Stops it: nobody listens any more.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            let children = wait::children_of(process.pid());
            process.signal(Signal::SIGTERM);
            let _ = process.wait();
            // They answer for a moment longer than their master.
            wait::until("the children of dovecot are gone", || {
                children.iter().all(|(pid, _)| !wait::is_running(*pid))
            });
        }
        let socket = self.auth_socket();
        wait::until("dovecot is gone", || UnixStream::connect(&socket).is_err());
    }

    /// Sends a signal to the process that answers.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn signal_auth(&self, signal: Signal) {
        let master = self.process.as_ref().expect("it runs").pid();
        let is_auth = |pid: u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.starts_with(b"dovecot/auth")
        };
        let children = wait::children_of(master);
        let auth = children.into_iter().find(|(pid, _)| is_auth(*pid)).expect("an auth process");
        let pid = i32::try_from(auth.0).expect("a process id is small");
        signal::kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// What `doveadm` says.
    #[must_use]
    pub fn doveadm(&self, words: &[&str]) -> Said {
        let mut command = Command::new("doveadm");
        command.arg("-c").arg(self.config()).args(words);
        run(command, "")
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The socket for passwords.
    #[must_use]
    pub fn auth_socket(&self) -> PathBuf {
        self.folder.path().join("run/auth-client")
    }

    /// The socket for users.
    #[must_use]
    pub fn userdb_socket(&self) -> PathBuf {
        self.folder.path().join("run/auth-userdb")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("dovecot.conf")
    }
}

impl Drop for DovecotAuth {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            // Its children end with it; one that was stopped would not.
            for (pid, _) in wait::children_of(process.pid()) {
                if let Ok(pid) = i32::try_from(pid) {
                    let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
            process.kill();
        }
    }
}

fn own_name() -> String {
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid());
    own.ok().flatten().map_or("root".to_owned(), |user| user.name)
}
