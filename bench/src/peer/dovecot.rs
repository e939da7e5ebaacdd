//! Dovecot's auth service, with users `testN` whose passwords are in clear, and
//! its cache on.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{installed, text};
use crate::failure::Failure;
use crate::process::Process;
use crate::program::{PASSWORD, folder};

/// How long the service may take to greet.
const GREETING: Duration = Duration::from_millis(500);

/// A running Dovecot that serves no protocol but its own; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Dovecot {
    process: Process,
    /// Where its auth service listens.
    pub(crate) socket: PathBuf,
    // Removed when the process is gone.
    _home: TempDir,
}

impl Dovecot {
    /// Starts one with so many users; `None` if it is not installed, or if this
    /// is not root, which it needs.
    pub(crate) fn start(users: usize) -> Result<Option<Self>, Failure> {
        let home = folder()?;
        let socket = home.path().join("auth");
        Self::start_in(home, socket, users)
    }

    /// The same, with a socket that everybody may ask.
    pub(crate) fn start_at(users: usize, socket: &Path) -> Result<Option<Self>, Failure> {
        Self::start_in(folder()?, socket.to_owned(), users)
    }

    fn start_in(home: TempDir, socket: PathBuf, users: usize) -> Result<Option<Self>, Failure> {
        let program = installed(&["/usr/sbin/dovecot"]);
        let Some(program) = program.filter(|_| nix::unistd::geteuid().is_root()) else {
            return Ok(None);
        };
        install(home.path(), &socket, users).map_err(Failure::system("install Dovecot"))?;
        let mut command = Command::new(&program);
        command.arg("-F").arg("-c").arg(home.path().join("dovecot.conf")).stderr(Stdio::null());
        let process = Process::start("dovecot", &mut command)?;
        let mut dovecot = Self { process, socket, _home: home };
        let socket = dovecot.socket.clone();
        // A client that came while the service was starting is never greeted.
        dovecot.process.wait_until(|| greets(&socket))?;
        Ok(Some(dovecot))
    }

    /// Its processes.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.process.pids()
    }
}

fn greets(socket: &Path) -> bool {
    let greeted = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(GREETING))?;
        stream.write_all(b"VERSION\t1\t2\nCPID\t1\n")?;
        stream.read(&mut [0; 1])
    };
    greeted().is_ok_and(|count: usize| count > 0)
}

fn install(home: &Path, socket: &Path, users: usize) -> std::io::Result<()> {
    let (home, socket) = (text(home), text(socket));
    let config = format!(
        "base_dir = {home}/run\n\
         state_dir = {home}/run\n\
         log_path = {home}/log\n\
         protocols =\n\
         ssl = no\n\
         disable_plaintext_auth = no\n\
         auth_mechanisms = plain\n\
         auth_cache_size = 50M\n\
         auth_cache_ttl = 1 hour\n\
         passdb {{\n  driver = passwd-file\n  args = {home}/users\n}}\n\
         userdb {{\n  driver = static\n  args = uid=65534 gid=65534 home=/nonexistent\n}}\n\
         service auth {{\n  user = root\n  unix_listener {socket} {{\n    mode = 0666\n  }}\n}}\n"
    );
    fs::write(format!("{home}/dovecot.conf"), config)?;
    let lines: String =
        (0..users).map(|user| format!("test{user}:{{PLAIN}}{PASSWORD}::::::\n")).collect();
    fs::write(format!("{home}/users"), lines)
}
