//! saslauthd of Cyrus SASL, with its cache on, in front of an IMAP server that
//! says yes to everybody.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{installed, text};
use crate::failure::Failure;
use crate::measure::children_of;
use crate::process::patiently;
use crate::program::folder;

/// A running saslauthd; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Saslauthd {
    process: Pid,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    // Removed when the process is gone.
    _home: TempDir,
}

impl Saslauthd {
    /// Starts one; `None` if it is not installed.
    pub(crate) fn start() -> Result<Option<Self>, Failure> {
        let Some(program) = installed(&["/usr/sbin/saslauthd"]) else { return Ok(None) };
        let home = folder()?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::system("listen"))?;
        let port = listener.local_addr().map_err(Failure::system("listen"))?.port();
        // It ends with this program; nobody waits for it.
        std::thread::spawn(move || listener.incoming().flatten().for_each(say_yes));
        // As a daemon, which is what it is installed as: in the foreground (`-d`)
        // it prints what it does, which costs it more than all the rest.
        let started = Command::new(program)
            .args(["-a", "rimap", "-O", &format!("127.0.0.1/{port}"), "-m"])
            .arg(text(home.path()))
            // A cache of 4 MiB, in which an answer is good for an hour.
            .args(["-c", "-s", "4096", "-t", "3600"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(Failure::system("start saslauthd"))?;
        if !started.success() {
            return Err(Failure::Program(format!("saslauthd ended at once: {started}")));
        }
        let (socket, number) = (home.path().join("mux"), home.path().join("saslauthd.pid"));
        if patiently(|| UnixStream::connect(&socket).ok()).is_none() {
            return Err(Failure::Program("saslauthd does not answer".to_owned()));
        }
        let number = fs::read_to_string(number).map_err(Failure::system("read saslauthd.pid"))?;
        let number = number.trim().parse().map_err(|_| {
            Failure::Program(format!("saslauthd.pid does not hold a number: {number:?}"))
        })?;
        Ok(Some(Self { process: Pid::from_raw(number), socket, _home: home }))
    }

    /// Its processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let first = self.process.as_raw().unsigned_abs();
        let mut pids = children_of(first);
        pids.push(first);
        pids
    }
}

impl Drop for Saslauthd {
    fn drop(&mut self) {
        if kill(self.process, Signal::SIGTERM).is_ok() {
            // It is nobody's child, so it is gone when there is no such process.
            patiently(|| kill(self.process, None).err());
        }
    }
}

/// One login of an IMAP client (RFC 3501 section 6.2.3).
fn say_yes(mut stream: TcpStream) {
    // Whoever leaves in between has what it wanted.
    let _ = stream.write_all(b"* OK ready\r\n");
    let Ok(reading) = stream.try_clone() else { return };
    let mut line = String::new();
    if BufReader::new(reading).read_line(&mut line).is_ok() {
        let tag = line.split(' ').next().unwrap_or_default();
        let _ = stream.write_all(format!("{tag} OK done\r\n").as_bytes());
    }
}
