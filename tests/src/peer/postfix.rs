//! Postfix, with a configuration and a queue of its own in a temporary folder
//! and on a free port of the loopback address. Only root can start it.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{User, chown};
use tempfile::TempDir;

use crate::process::Process;
use crate::{machine, program, wait};

const MASTER: &str = "/usr/lib/postfix/sbin/master";

/// Services of master.cf beside the SMTP server, none of them in a chroot.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// A Postfix. It is stopped when dropped.
#[derive(Debug)]
pub struct Postfix {
    folder: TempDir,
    port: u16,
    master: Option<Process>,
}

impl Postfix {
    /// The folders of one, which does not run yet. `None`, and a word on why,
    /// if it cannot run here.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn new(test: &str) -> Option<Self> {
        if !machine::is_ours(test) {
            return None;
        }
        assert!(Path::new(MASTER).exists(), "Postfix must be installed");
        let folder = tempfile::tempdir().expect("a directory");
        open_to_all(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = port.local_addr().expect("it is bound").port();
        let postfix = Self { folder, port, master: None };
        for name in ["etc", "queue", "data"] {
            fs::create_dir(postfix.path(name)).expect("a directory");
        }
        let owner = User::from_name("postfix").expect("an answer").expect("Postfix' own user");
        chown(&postfix.path("data"), Some(owner.uid), None).expect("root may");
        postfix.configure("");
        let mut check = Command::new("postfix");
        check.arg("-c").arg(postfix.path("etc")).arg("check");
        let _ = program::run(check, "").success();
        Some(postfix)
    }

    /// Starts it with these lines of main.cf beside those that it cannot do
    /// without.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(&mut self, main_cf: &str) {
        self.configure(main_cf);
        let mut command = Command::new(MASTER);
        command.arg("-c").arg(self.path("etc")).arg("-d");
        let mut master = Process::start(command, self.folder.path());
        let address = self.smtp();
        master.until("Postfix listens", |_| TcpStream::connect(address).is_ok());
        self.master = Some(master);
    }

    fn configure(&self, main_cf: &str) {
        let folder = self.folder.path().display();
        let mut main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {folder}/queue\n\
             data_directory = {folder}/data\n\
             command_directory = /usr/sbin\n\
             daemon_directory = /usr/lib/postfix/sbin\n\
             mail_owner = postfix\n\
             setgid_group = postdrop\n\
             myhostname = mx.far.example\n\
             mydestination =\n\
             mynetworks =\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             maillog_file = {folder}/maillog\n\
             maillog_file_prefixes = {folder}\n\
             alias_maps =\n\
             alias_database =\n\
             default_transport = discard\n\
             relay_transport = discard\n\
             smtpd_peername_lookup = no\n\
             smtpd_error_sleep_time = 0\n\
             import_environment = MAIL_CONFIG LANG=C\n"
        );
        write!(main, "{main_cf}").expect("a String");
        fs::write(self.path("etc/main.cf"), main).expect("room");
        let services = format!("127.0.0.1:{} inet n - n - - smtpd\n{SERVICES}", self.port);
        fs::write(self.path("etc/master.cf"), services).expect("room");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where its SMTP server listens.
    #[must_use]
    pub fn smtp(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder of its settings, in place of `/etc/postfix`.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.path("etc")
    }

    /// The folder for the sockets of servers that it asks.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.path("queue/private")
    }

    /// What `postmap -q` says of a key: its value, or nothing.
    #[must_use]
    pub fn postmap(&self, key: &str, table: &str) -> program::Said {
        let mut command = Command::new("postmap");
        // Its daemons run there.
        command.current_dir(self.path("queue"));
        command.arg("-c").arg(self.path("etc")).args(["-q", key, table]);
        program::run(command, "")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("maillog")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Some(mut master) = self.master.take() {
            // It tells its children to go.
            master.signal(Signal::SIGTERM);
            wait::until("Postfix ends", || !master.is_running());
        }
    }
}

/// Lets everybody look into a folder: Postfix' daemons are not root.
///
/// # Panics
///
/// If it is not ours.
pub fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("our own folder");
}
