//! The real program: an installation in a folder of its own, and `dmail serve`
//! running on it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::failure::Failure;
use crate::mail;
use crate::process::Process;

/// The domain of all users.
pub(crate) const DOMAIN: &str = "bench.example";
/// The password of all users.
pub(crate) const PASSWORD: &str = "test";
/// What the installation says. Nothing may limit a load that comes from one
/// address; everything else is as it comes, the log included.
const CONFIG: &str = "\
host_domain bench.example
authent_method nwauth
authent_cache 10000
nwauth_path users
drop_path mail
work_path work
log_path log
smtp_port 127.0.0.1:0
pop_port 127.0.0.1:0
max_connections_per_ip 0
pop_max_connections 100000
smtp_max_connections 100000
";

/// `dmail serve` on an installation of its own; dropping it ends both.
#[derive(Debug)]
pub(crate) struct Program {
    process: Process,
    /// Where DPOP listens.
    pub(crate) pop: SocketAddr,
    /// Where DSMTP listens.
    pub(crate) smtp: SocketAddr,
    // Removed when the process is gone.
    home: TempDir,
}

/// Whom an installation has as users, and what they have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Users {
    /// How many there are: `test0`, `test1`, and so on.
    pub(crate) number: usize,
    /// Messages of 4 KB in the drop file of each.
    pub(crate) messages: usize,
    /// How their passwords are stored.
    pub(crate) passwords: Passwords,
}

/// How passwords are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passwords {
    /// As they are: neither the time nor the memory of a hash is in a figure.
    Clear,
    /// As the program stores them by itself, with argon2id.
    Hashed,
}

impl Program {
    /// Starts the program on a new installation with these users.
    pub(crate) fn start(users: Users) -> Result<Self, Failure> {
        Self::start_with(users, "")
    }

    /// The same with more `settings`, which beat those that all have.
    pub(crate) fn start_with(users: Users, settings: &str) -> Result<Self, Failure> {
        let binary = binary()?;
        let home = folder()?;
        install(home.path(), users, settings).map_err(Failure::system("make an installation"))?;
        if users.passwords == Passwords::Hashed {
            generate(&binary, home.path(), users.number)?;
        }
        let mut command = Command::new(&binary);
        command.args(["serve", "-c"]).arg(home.path().join("dmail.conf"));
        let mut process = Process::start("dmail serve", &mut command)?;
        // In the log stands where the servers listen.
        let log = home.path().join("log/dmail.log");
        let (pop, smtp) = process.wait_for(|| {
            let text = fs::read_to_string(&log).ok()?;
            Some((address(&text, "pop3")?, address(&text, "smtp")?))
        })?;
        Ok(Self { process, pop, smtp, home })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The folder of its installation.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Stops it, and says if it has not waited for that.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        match self.process.ended() {
            Some(status) => {
                Err(Failure::Program(format!("dmail serve ended while it was measured: {status}")))
            }
            None => Ok(()),
        }
    }
}

/// `dmail serve --only dialects` on an installation of its own; dropping it ends
/// both.
#[derive(Debug)]
pub(crate) struct Dialect {
    process: Process,
    // Removed when the process is gone.
    home: TempDir,
}

/// The log of mail servers that ask has the logins already.
const SILENT: &str = "log_level warn\n";

impl Dialect {
    /// Serves the line `dialect …`, which is on `address`, for users with
    /// passwords in clear. It logs nothing but trouble.
    pub(crate) fn start(number: usize, line: &str, address: SocketAddr) -> Result<Self, Failure> {
        let listens = |_: &Path| TcpStream::connect(address).is_ok();
        Self::start_with(number, &format!("{SILENT}{line}"), listens)
    }

    /// The same for lines of which one is on the unix socket `file`, named from
    /// the folder of the installation.
    pub(crate) fn start_on(
        number: usize,
        lines: &str,
        file: impl AsRef<Path>,
        logs: bool,
    ) -> Result<Self, Failure> {
        let level = if logs { "" } else { SILENT };
        let listens = |home: &Path| UnixStream::connect(home.join(&file)).is_ok();
        Self::start_with(number, &format!("{level}{lines}"), listens)
    }

    fn start_with(
        number: usize,
        settings: &str,
        listens: impl Fn(&Path) -> bool,
    ) -> Result<Self, Failure> {
        let (binary, home) = (binary()?, folder()?);
        let users = Users { number, messages: 0, passwords: Passwords::Clear };
        let config = home.path().join("dmail.conf");
        install(home.path(), users, settings).map_err(Failure::system("make an installation"))?;
        let mut command = Command::new(&binary);
        command.args(["serve", "--only", "dialects", "-c"]).arg(&config);
        let mut process = Process::start("dmail serve", &mut command)?;
        process.wait_until(|| listens(home.path()))?;
        Ok(Self { process, home })
    }

    /// The folder of its installation.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Where the log says that `service` listens.
fn address(log: &str, service: &str) -> Option<SocketAddr> {
    let mark = format!("listening service=\"{service}\" address=");
    let (_, rest) = log.split_once(&mark)?;
    let (address, _) = rest.split_once('\n')?;
    address.parse().ok()
}

/// A folder that goes when it is dropped: on the disk that this program is on,
/// because a disk in memory flushes for nothing.
pub(crate) fn folder() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(own_folder()?)
        .map_err(Failure::system("make a folder"))
}

/// Writes configuration, users whose passwords are in clear, and mail.
fn install(home: &Path, users: Users, settings: &str) -> std::io::Result<()> {
    for folder in ["users", "mail", "work", "log"] {
        fs::create_dir(home.join(folder))?;
    }
    let name = |line: &str| line.split(' ').next().map(str::to_owned);
    let beaten: Vec<_> = settings.lines().map(name).collect();
    let common = CONFIG.lines().filter(|line| !beaten.contains(&name(line)));
    let lines: String = common.chain(settings.lines()).map(|line| format!("{line}\n")).collect();
    fs::write(home.join("dmail.conf"), lines)?;
    if users.passwords == Passwords::Clear {
        let line = |user| format!("test{user}:{{PLAIN}}{PASSWORD}:\n");
        let lines: String = (0..users.number).map(line).collect();
        fs::write(home.join("users/nwauth.txt"), lines)?;
    }
    if users.messages > 0 {
        let mail = mail::drop_file(users.messages, &mail::message(4096));
        for user in 0..users.number {
            fs::write(home.join(format!("mail/test{user}")), &mail)?;
        }
    }
    Ok(())
}

/// Has the program make the users, which it calls `test0` and so on, too.
fn generate(binary: &Path, home: &Path, users: usize) -> Result<(), Failure> {
    let status = Command::new(binary)
        .args(["nwauth", "-path"])
        .arg(home.join("users"))
        .args(["-generate", &users.saturating_sub(1).to_string()])
        .stdout(Stdio::null())
        .status()
        .map_err(Failure::system("run dmail nwauth"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::Program(format!("dmail nwauth -generate: {status}")))
}

/// The program beside this one. Cargo knows whether it is up to date.
pub(crate) fn binary() -> Result<PathBuf, Failure> {
    let binary = own_folder()?.join("dmail");
    let cargo = std::env::var_os("CARGO");
    if cargo.is_some() || !binary.exists() {
        let mut build = Command::new(cargo.unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--package", "dmail"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status().map_err(Failure::system("run cargo build"))?;
        if !status.success() {
            return Err(Failure::Program("cargo could not build dmail".to_owned()));
        }
    }
    Ok(binary)
}

/// The folder that this program lies in.
fn own_folder() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(Failure::system("find this program"))?;
    let folder = own.parent().map(Path::to_owned);
    folder.ok_or_else(|| Failure::Program("this program lies nowhere".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_where_the_servers_listen() {
        let log = "2026-11-21T10:00:00Z  INFO dmail::serve: listening service=\"smtp\" \
                   address=127.0.0.1:2525\n\
                   2026-11-21T10:00:00Z  INFO dmail::serve: listening service=\"pop3\" \
                   address=[::1]:1110\n\
                   2026-11-21T10:00:00Z  INFO dmail::serve: listening service=\"line\" address=127";
        assert_eq!(address(log, "smtp"), "127.0.0.1:2525".parse().ok());
        assert_eq!(address(log, "pop3"), "[::1]:1110".parse().ok());
        assert_eq!(address(log, "line"), None);
    }
}
