//! OpenLDAP's server, with users `uid=testN,ou=people,dc=bench`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dmail_core::Secret;
use dmail_schemes::Scheme;
use tempfile::TempDir;

use super::{installed, text};
use crate::failure::Failure;
use crate::process::Process;
use crate::program::{PASSWORD, folder};

/// A running slapd; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Slapd {
    process: Process,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    // Removed when the process is gone.
    _home: TempDir,
}

impl Slapd {
    /// Starts one with so many users; `None` if it is not installed.
    pub(crate) fn start(users: usize) -> Result<Option<Self>, Failure> {
        let Some(program) = installed(&["/usr/sbin/slapd", "/usr/libexec/slapd"]) else {
            return Ok(None);
        };
        let home = folder()?;
        let socket = home.path().join("ldap");
        install(home.path(), users).map_err(Failure::system("make a directory"))?;
        let loaded = Command::new(&program)
            .args(["-Tadd", "-q", "-f"])
            .arg(home.path().join("slapd.conf"))
            .arg("-l")
            .arg(home.path().join("users.ldif"))
            .status()
            .map_err(Failure::system("start slapadd"))?;
        if !loaded.success() {
            return Err(Failure::Program(format!("slapadd: {loaded}")));
        }
        let mut command = Command::new(&program);
        command
            .arg("-f")
            .arg(home.path().join("slapd.conf"))
            .args(["-d", "0", "-h", &Self::url_of(&socket)])
            .stderr(Stdio::null());
        let process = Process::start("slapd", &mut command)?;
        let mut slapd = Self { process, socket, _home: home };
        let socket = slapd.socket.clone();
        slapd.process.wait_until(|| UnixStream::connect(&socket).is_ok())?;
        Ok(Some(slapd))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where it listens, as a setting has it.
    pub(crate) fn url(&self) -> String {
        Self::url_of(&self.socket)
    }

    fn url_of(socket: &Path) -> String {
        format!("ldapi://{}", text(socket).replace('/', "%2F"))
    }
}

fn install(home: &Path, users: usize) -> std::io::Result<()> {
    fs::create_dir(home.join("db"))?;
    let config = format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         loglevel 0\n\
         threads 8\n\
         pidfile {home}/slapd.pid\n\
         database mdb\n\
         suffix \"dc=bench\"\n\
         rootdn \"cn=admin,dc=bench\"\n\
         rootpw secret\n\
         directory {home}/db\n\
         maxsize 1073741824\n\
         index objectClass eq\n\
         index uid eq\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by * read\n",
        home = text(home)
    );
    fs::write(home.join("slapd.conf"), config)?;
    // One salt for all is good enough for whom nobody attacks.
    let stored = dmail_schemes::hash(Scheme::Ssha, &Secret::new(PASSWORD.as_bytes()));
    let stored = stored.map_err(std::io::Error::other)?;
    let mut entries = String::from(
        "dn: dc=bench\nobjectClass: dcObject\nobjectClass: organization\no: bench\ndc: bench\n\n\
         dn: ou=people,dc=bench\nobjectClass: organizationalUnit\nou: people\n\n",
    );
    for user in 0..users {
        let _ = write!(
            entries,
            "dn: uid=test{user},ou=people,dc=bench\nobjectClass: inetOrgPerson\nuid: test{user}\n\
             cn: Test {user}\nsn: {user}\nuserPassword: {stored}\n\n"
        );
    }
    fs::write(home.join("users.ldif"), entries)
}
