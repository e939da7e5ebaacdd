//! saslauthd of Cyrus SASL, with its cache on, in front of an IMAP server that
//! says yes to everybody.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{installed, text, wait_for};
use crate::failure::Failure;
use crate::measure::children_of;
use crate::program::{end, folder};

/// A running saslauthd; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Saslauthd {
    process: Child,
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
        let process = Command::new(program)
            .args(["-d", "-a", "rimap", "-O", &format!("127.0.0.1/{port}"), "-m"])
            .arg(text(home.path()))
            // A cache of 4 MiB, in which an answer is good for an hour.
            .args(["-c", "-s", "4096", "-t", "3600"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Failure::system("start saslauthd"))?;
        let socket = home.path().join("mux");
        let mut server = Self { process, socket, _home: home };
        let socket = server.socket.clone();
        wait_for("saslauthd", &mut server.process, || UnixStream::connect(&socket).is_ok())?;
        Ok(Some(server))
    }

    /// Its processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let first = self.process.id();
        let mut pids = children_of(first);
        pids.push(first);
        pids
    }
}

impl Drop for Saslauthd {
    fn drop(&mut self) {
        end(&mut self.process);
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
