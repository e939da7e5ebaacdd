//! `dmail tcpauthsvr` on a unix socket, with users of its own.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dmail_core::Secret;
use dmail_schemes::Scheme;
use tempfile::TempDir;

use crate::failure::Failure;
use crate::process::Process;
use crate::program::{PASSWORD, binary, folder};

/// Nothing may limit the load; everything else is as it comes.
const CONFIG: &str = "\
listen unix:auth.sock
source nwauth
nwauth_path users
authent_cache 20000
authent_cache_fresh 1h
log_path log
";

/// The daemon on an installation of its own; dropping it ends both.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Process,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    // Removed when the process is gone.
    home: TempDir,
}

/// How the passwords of its users are stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stored {
    /// As they are.
    Clear,
    /// All as the same text of this scheme.
    As(Scheme),
}

impl Daemon {
    /// Starts the daemon with users `test0` and so on; `None` if the program
    /// has none.
    pub(crate) fn start(users: usize, stored: Stored) -> Result<Option<Self>, Failure> {
        let binary = binary()?;
        if !knows_daemon(&binary)? {
            return Ok(None);
        }
        let home = folder()?;
        install(home.path(), users, stored)?;
        let mut command = Command::new(&binary);
        command.args(["tcpauthsvr", "-config"]).arg(home.path().join("tcpauthsvr.conf"));
        let process = Process::start("dmail tcpauthsvr", &mut command)?;
        let socket = home.path().join("auth.sock");
        let mut daemon = Self { process, socket, home };
        let socket = &daemon.socket;
        daemon.process.wait_until(|| UnixStream::connect(socket).is_ok())?;
        Ok(Some(daemon))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The folder of its installation.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }
}

/// Whether this program is one that has the daemon.
fn knows_daemon(binary: &Path) -> Result<bool, Failure> {
    let status = Command::new(binary)
        .args(["tcpauthsvr", "-help"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(Failure::system(format!("start {}", binary.display())))?;
    Ok(status.success())
}

fn install(home: &Path, users: usize, stored: Stored) -> Result<(), Failure> {
    let text = match stored {
        Stored::Clear => format!("{{PLAIN}}{PASSWORD}"),
        Stored::As(scheme) => {
            let stored = dmail_schemes::hash(scheme, &Secret::new(PASSWORD.as_bytes()));
            stored.map_err(|error| Failure::Program(error.to_string()))?
        }
    };
    let lines: String = (0..users).map(|user| format!("test{user}:{text}:\n")).collect();
    let written = (|| {
        for folder in ["users", "log"] {
            fs::create_dir(home.join(folder))?;
        }
        fs::write(home.join("users/nwauth.txt"), lines)?;
        fs::write(home.join("tcpauthsvr.conf"), CONFIG)
    })();
    written.map_err(Failure::system("make an installation"))
}
