//! MariaDB, with a table of users `testN`.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tempfile::TempDir;

use super::{installed, text};
use crate::failure::Failure;
use crate::load::one_thread;
use crate::process::Process;
use crate::program::{PASSWORD, folder};

/// The database with the table `users`.
pub(crate) const DATABASE: &str = "bench";
/// Who may read it.
pub(crate) const LOGIN: &str = "bench";

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct MariaDb {
    process: Process,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    // Removed when the process is gone.
    _home: TempDir,
}

impl MariaDb {
    /// Starts one with so many users; `None` if it is not installed.
    pub(crate) fn start(users: usize) -> Result<Option<Self>, Failure> {
        let server = installed(&["/usr/sbin/mariadbd", "/usr/bin/mariadbd"]);
        let (Some(server), Some(install)) = (server, installed(&["/usr/bin/mariadb-install-db"]))
        else {
            return Ok(None);
        };
        let home = folder()?;
        let data = format!("--datadir={}", text(&home.path().join("data")));
        // Only root is asked whom to become; the folder is ours, so it stays us.
        let user = "--user=root";
        let made = Command::new(install)
            .args(["--no-defaults", user, &data, "--auth-root-authentication-method=normal"])
            .args(["--skip-test-db"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(Failure::system("start mariadb-install-db"))?;
        if !made.success() {
            return Err(Failure::Program(format!("mariadb-install-db: {made}")));
        }
        let socket = home.path().join("sock");
        let mut command = Command::new(server);
        command
            .args(["--no-defaults", user, &data, "--skip-networking", "--max-connections=500"])
            .arg(format!("--socket={}", text(&socket)))
            .arg(format!("--pid-file={}", text(&home.path().join("pid"))))
            .arg("--innodb-buffer-pool-size=128M")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process::start("mariadbd", &mut command)?;
        let mut server = Self { process, socket, _home: home };
        let socket = server.socket.clone();
        server.process.wait_until(|| UnixStream::connect(&socket).is_ok())?;
        let filled = one_thread()?.block_on(server.fill(users));
        filled.map_err(|error| Failure::Program(format!("mariadbd: {error}")))?;
        Ok(Some(server))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A connection of the reader's.
    pub(crate) async fn connect(&self) -> Result<Conn, mysql_async::Error> {
        Conn::new(self.options(LOGIN, Some(DATABASE))).await
    }

    fn options(&self, login: &str, database: Option<&str>) -> Opts {
        OptsBuilder::default()
            .socket(Some(text(&self.socket)))
            .user(Some(login))
            .db_name(database)
            .into()
    }

    async fn fill(&self, users: usize) -> Result<(), mysql_async::Error> {
        let mut connection = Conn::new(self.options("root", None)).await?;
        for statement in [
            "CREATE DATABASE bench CHARACTER SET utf8mb4",
            "CREATE TABLE bench.users (username VARCHAR(64) PRIMARY KEY, passwd VARCHAR(255))",
            "CREATE USER bench@localhost",
            "GRANT SELECT ON bench.* TO bench@localhost",
        ] {
            connection.query_drop(statement).await?;
        }
        let rows: Vec<String> =
            (0..users).map(|user| format!("('test{user}','{{PLAIN}}{PASSWORD}')")).collect();
        for part in rows.chunks(1000) {
            let insert = format!("INSERT INTO bench.users VALUES {}", part.join(","));
            connection.query_drop(insert).await?;
        }
        connection.disconnect().await
    }
}
