//! Dovecot's IMAP server, with a folder of its own and on a free port of the
//! loopback address. Only root can start it.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::postfix::open_to_all;
use crate::process::Process;
use crate::program::{self, Said};
use crate::{machine, wait};

/// A Dovecot. It is stopped when dropped.
#[derive(Debug)]
pub struct DovecotImap {
    folder: TempDir,
    port: u16,
    process: Process,
}

impl DovecotImap {
    /// Starts it with these lines beside those that it cannot do without.
    /// `None`, and a word on why, if it cannot run here.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not start.
    #[must_use]
    pub fn start(test: &str, lines: &str) -> Option<Self> {
        if !machine::is_ours(test) {
            return None;
        }
        assert!(Path::new("/usr/lib/dovecot/imap-login").exists(), "Dovecot must be installed");
        let folder = tempfile::tempdir().expect("a directory");
        open_to_all(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = port.local_addr().expect("it is bound").port();
        let home = folder.path().display();
        let mut text = format!(
            "base_dir = {home}/run\nstate_dir = {home}/state\nlog_path = {home}/log\n\
             protocols = imap\nssl = no\ndisable_plaintext_auth = no\nfirst_valid_uid = 1000\n\
             service anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    address = 127.0.0.1\n    \
             port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n"
        );
        write!(text, "{lines}").expect("a String");
        for name in ["run", "state"] {
            fs::create_dir(folder.path().join(name)).expect("a directory");
        }
        let file = folder.path().join("dovecot.conf");
        fs::write(&file, text).expect("room");
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(&file);
        let mut process = Process::start(command, folder.path());
        process.until("Dovecot listens", |_| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Self { folder, port, process })
    }

    /// Where its IMAP server listens.
    #[must_use]
    pub fn imap(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What a command of doveadm says.
    #[must_use]
    pub fn doveadm(&self, words: &[&str]) -> Said {
        let mut command = Command::new("doveadm");
        command.arg("-c").arg(self.path("dovecot.conf")).args(words);
        program::run(command, "")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for DovecotImap {
    fn drop(&mut self) {
        if self.process.is_running() {
            // It tells its children to go.
            self.process.signal(Signal::SIGTERM);
            wait::until("Dovecot ends", || !self.process.is_running());
        }
    }
}
