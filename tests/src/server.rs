//! `dmail serve`, running.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

use crate::client::Client;
use crate::process::Process;
use crate::program;

/// A running server with its addresses.
#[derive(Debug)]
pub struct Server {
    process: Process,
    smtp: Vec<SocketAddr>,
    pop: Vec<SocketAddr>,
    /// What it had logged when it was ready.
    log: String,
}

impl Server {
    /// Serves the configuration `file`, whose log goes to `log`, and waits
    /// until clients can connect. What it prints goes into files in `folder`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(file: &Path, log: &Path, folder: &Path) -> Self {
        // The log may hold the lines of servers before this one.
        let read = |log| fs::read_to_string(log).unwrap_or_default();
        let before = read(log).len();
        let command = program::dmail(&["serve", "-c", &file.display().to_string()]);
        let mut process = Process::start(command, folder);
        process.until("the server has started", |_| read(log)[before..].contains(": started "));
        let log = &read(log)[before..];
        let (smtp, pop) = (addresses(log, "smtp"), addresses(log, "pop3"));
        Self { process, smtp, pop, log: log.to_owned() }
    }

    /// Where the first SMTP service listens.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        self.smtp[0]
    }

    /// Where the first POP3 service listens.
    #[must_use]
    pub fn pop(&self) -> SocketAddr {
        self.pop[0]
    }

    /// The POP3 service at this address.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn pop_on(&self, ip: IpAddr) -> SocketAddr {
        *self.pop.iter().find(|address| address.ip() == ip).expect("a pop_port there")
    }

    /// Where the first line `dialect NAME` that has a port listens.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn dialect(&self, name: &str) -> SocketAddr {
        *addresses(&self.log, name).first().expect("a dialect on TCP")
    }

    /// A new SMTP connection, greeted and introduced.
    #[must_use]
    pub fn smtp_client(&self) -> Client {
        let mut client = Client::connect(self.smtp());
        client.expect("220 ");
        client.ask("EHLO client.example", "250 ");
        client
    }

    /// A new POP3 connection, greeted.
    #[must_use]
    pub fn pop_client(&self) -> Client {
        let mut client = Client::connect(self.pop());
        client.expect("+OK ");
        client
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Asks it to stop, and returns at once.
    pub fn ask_to_stop(&self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// Waits for its end.
    pub fn wait(self) -> ExitStatus {
        self.process.wait()
    }

    /// Stops it in peace.
    ///
    /// # Panics
    ///
    /// If its exit code is not 0.
    pub fn stop(self) {
        self.ask_to_stop();
        let status = self.wait();
        assert!(status.success(), "{status}");
    }

    /// `kill -9`.
    pub fn kill(self) {
        self.process.kill();
    }
}

/// The addresses that the log names for `service`.
fn addresses(log: &str, service: &str) -> Vec<SocketAddr> {
    let service = format!("listening service=\"{service}\" address=");
    let of_line = |line: &str| line.split_once(&*service)?.1.trim().parse().ok();
    log.lines().filter_map(of_line).collect()
}
