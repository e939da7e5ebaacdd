//! MariaDB's server, on a folder and a port of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::free_port;
use crate::process::Process;
use crate::program::{Said, run};
use crate::wait;

/// A server. It is killed when dropped.
#[derive(Debug)]
pub struct MariaDb {
    folder: TempDir,
    port: u16,
    more: Vec<String>,
    process: Option<Process>,
}

impl MariaDb {
    /// Starts a new server; `more` are further options. `None`, and a word on
    /// standard error, if it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(more: &[&str]) -> Option<Self> {
        if !is_installed() {
            eprintln!("skipped: mariadbd is not installed (Debian: mariadb-server)");
            return None;
        }
        // The path of a socket has 107 bytes at most.
        let folder = tempfile::Builder::new().prefix("db").tempdir_in("/tmp").expect("a directory");
        write_certificates(folder.path());
        let mut install = command("mariadb-install-db");
        install
            .args(["--auth-root-authentication-method=normal"])
            .args(["--skip-test-db", "--skip-name-resolve"])
            .arg(option("datadir", &folder.path().join("data")))
            .arg(option("tmpdir", folder.path()));
        let said = run(install, "");
        assert_eq!(said.code, Some(0), "{}{}", said.text(), said.err);
        let more = more.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Self { folder, port: free_port(), more, process: None };
        server.restart();
        Some(server)
    }

    /// Starts it again on the same folder and port.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let home = self.folder.path();
        let mut server = command("mariadbd");
        server
            .arg(option("datadir", &home.join("data")))
            .arg(option("tmpdir", home))
            .arg(option("socket", &self.socket()))
            .arg(option("pid-file", &home.join("pid")))
            .arg(option("log-error", &home.join("error.log")))
            .arg(option("ssl-cert", &home.join("server.pem")))
            .arg(option("ssl-key", &home.join("server.key")))
            .arg(format!("--port={}", self.port))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--performance-schema=OFF"])
            .args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M"])
            // What is committed survives the server, if not the machine.
            .args(["--innodb-flush-log-at-trx-commit=2"])
            .args(&self.more);
        let mut process = Process::start(server, home);
        let log = home.join("error.log");
        wait::until("MariaDB answers", || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            assert!(process.is_running(), "it ended: {log}");
            self.ask("SELECT 1").code == Some(0)
        });
        self.process = Some(process);
    }

    /// Kills it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The running server, for signals.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it was started")
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The socket that it listens on as well.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s.sock")
    }

    /// The certificate that has signed the server's.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Runs statements as root.
    #[must_use]
    pub fn ask(&self, sql: &str) -> Said {
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "--batch", "--skip-column-names", "-u", "root"])
            .args(["--default-character-set=utf8mb4"])
            .arg(option("socket", &self.socket()));
        run(client, sql)
    }

    /// Runs statements as root, which succeed; says what they print.
    ///
    /// # Panics
    ///
    /// If one of them fails.
    pub fn sql(&self, sql: &str) -> String {
        self.ask(sql).success().text().trim().to_owned()
    }

    /// The same; `None` if the server does not take the statement now, for
    /// instance for want of room.
    pub fn try_sql(&self, sql: &str) -> Option<String> {
        let said = self.ask(sql);
        (said.code == Some(0)).then(|| said.text().trim().to_owned())
    }

    /// A folder that lives as long as the server.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn is_installed() -> bool {
    ["/usr/sbin/mariadbd", "/usr/bin/mariadbd"].iter().any(|path| Path::new(path).exists())
}

/// A program of the server, which insists on being told if it runs as root.
fn command(name: &str) -> Command {
    let debian = Path::new("/usr/sbin").join(name);
    let mut command = if debian.exists() { Command::new(debian) } else { Command::new(name) };
    // It has to be the first word.
    command.arg("--no-defaults");
    if nix::unistd::geteuid().is_root() {
        command.arg("--user=root");
    }
    command
}

fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// `ca.pem`, and `server.pem` for localhost with its key.
fn write_certificates(folder: &Path) {
    let key = || KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (ca_key, server_key) = (key(), key());
    let ca = authority.self_signed(&ca_key).expect("a certificate");
    let issuer = Issuer::new(authority, ca_key);
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let server = CertificateParams::new(names).expect("parameters");
    let server = server.signed_by(&server_key, &issuer).expect("a certificate");
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("room for it");
    };
    write("ca.pem", ca.pem());
    write("server.pem", server.pem());
    write("server.key", server_key.serialize_pem());
}
