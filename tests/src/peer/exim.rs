//! Exim 4.96 in a temporary folder and on an address of its own. Its package
//! does not go together with Postfix', so `test.sh` unpacks it beside.
//!
//! Exim knows its own user and some paths by heart. A mount namespace shows it
//! what it expects, which only root can make:
//!
//! ```text
//!   /etc/passwd, /etc/group    with a user and a group Debian-exim (nobody)
//!   /run                       the `run` of this folder: dmail/, saslauthd/
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::own_address;
use crate::machine;
use crate::process::Process;
use crate::program;

/// Its port.
const SMTP: u16 = 10025;
/// The number of `nobody` and `nogroup`, who are Exim's user here.
const NOBODY: u32 = 65534;

/// Shows Exim what it expects. The words: the folder, then the command.
const NAMESPACE: &str = "\
mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/group\" /etc/group && \
mount --bind \"$0/run\" /run && exec \"$@\"";

/// What only a test needs. The authenticators come last.
const COMMON: &str = "\
spool_directory = FOLDER/spool
log_file_path = FOLDER/log/%s
pid_file_path = FOLDER/exim.pid
primary_hostname = exim.example
daemon_smtp_ports = 10025
local_interfaces = ADDRESS
host_lookup =
tls_advertise_hosts =
acl_smtp_rcpt = deny
keep_environment =
begin acl
deny:
  deny
begin authenticators
";

/// An Exim that serves SMTP. It is killed when dropped.
#[derive(Debug)]
pub struct Exim {
    folder: TempDir,
    address: Ipv4Addr,
    process: Option<Process>,
}

impl Exim {
    /// One that does not run so far. `None`, and a word on standard error, if
    /// it cannot run here.
    ///
    /// # Panics
    ///
    /// If there is no room for its folders.
    #[must_use]
    pub fn new(test: &str) -> Option<Self> {
        if binary().is_none() {
            eprintln!("skipped, for test.sh has not unpacked exim4-daemon-heavy: {test}");
            return None;
        }
        if !machine::is_ours(test) {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("ex").tempdir_in("/tmp").expect("a folder");
        let exim = Self { folder, address: own_address(), process: None };
        fs::set_permissions(exim.path(""), PermissionsExt::from_mode(0o755)).expect("it is ours");
        for name in ["spool", "log", "run", "run/dmail", "run/saslauthd"] {
            fs::create_dir(exim.path(name)).expect("a folder");
            chown(exim.path(name), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        for (file, line) in [
            ("passwd", "Debian-exim:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"),
            ("group", "Debian-exim:x:65534:\n"),
        ] {
            let known = fs::read_to_string(Path::new("/etc").join(file)).expect("it is there");
            fs::write(exim.path(file), known + line).expect("room for it");
        }
        Some(exim)
    }

    /// Documented lines of dmail.conf with the folders and the group of this
    /// Exim instead of those of a machine.
    #[must_use]
    pub fn here(&self, lines: &str) -> String {
        lines
            .replace("/run/", &format!("{}/", self.path("run").display()))
            .replace("group=Debian-exim", "group=nogroup")
            .replace("group=sasl", "group=nogroup")
    }

    /// Starts it with these authenticators, as they are documented, and waits
    /// until clients can connect.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(&mut self, authenticators: &str) {
        let common = COMMON
            .replace("FOLDER", &self.path("").display().to_string())
            .replace("ADDRESS", &self.address.to_string());
        fs::write(self.path("exim.conf"), common + authenticators).expect("room for it");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", NAMESPACE]).arg(self.folder.path());
        command.arg(binary().expect("it is there")).arg("-C").arg(self.path("exim.conf"));
        command.arg("-bdf");
        let mut process = Process::start(command, self.folder.path());
        let address = self.smtp();
        process.until("Exim listens", |_| TcpStream::connect(address).is_ok());
        self.process = Some(process);
    }

    /// Where it listens.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        (self.address, SMTP).into()
    }

    /// What it has logged so far, of refusals and of trouble.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.path("log").join(name)).unwrap_or_default();
        ["main", "reject", "panic"].map(read).concat()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Exim's program: the one that is installed, or that `test.sh` has unpacked.
fn binary() -> Option<PathBuf> {
    let target = program::path().ancestors().nth(2).expect("it is in <target>/<profile>");
    let unpacked = target.join("peers/exim4/usr/sbin/exim4");
    ["/usr/sbin/exim4".into(), unpacked].into_iter().find(|path: &PathBuf| path.exists())
}
