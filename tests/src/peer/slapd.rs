//! OpenLDAP's slapd, with a directory of its own in a temporary folder and on
//! free ports of the loopback address.
//!
//! ```text
//!   dc=corp,dc=example
//!     ou=people      uid=user0 … (mail user0@corp.example, password secret0),
//!                    ann, and those of `LdapOptions::entries`
//!     ou=services    cn=dmail (may read hashes and write), cn=reader (may not)
//! ```

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::free_port;
use crate::authority::Certificate;
use crate::machine;
use crate::process::Process;
use crate::program;
use crate::wait;

/// The entry beneath which everybody is.
pub const SUFFIX: &str = "dc=corp,dc=example";

/// Who may read hashes and write, and its password.
pub const WRITER: (&str, &str) = ("cn=dmail,ou=services,dc=corp,dc=example", "writersecret");

/// Who may read all but hashes, and its password.
pub const READER: (&str, &str) = ("cn=reader,ou=services,dc=corp,dc=example", "readersecret");

/// Where slapd looks for the settings of Cyrus SASL, and nowhere else.
const SASL_FOLDER: &str = "/etc/ldap/sasl2";

/// What a directory is to have.
#[derive(Debug, Clone, Default)]
pub struct LdapOptions {
    /// How many users `user0`, `user1` … there are.
    pub users: usize,
    /// Further entries, as LDIF.
    pub entries: String,
    /// Further lines of slapd.conf before the database.
    pub global: String,
    /// Further lines of slapd.conf for the database.
    pub settings: String,
    /// The server's certificate; then it takes StartTLS and `ldaps://`.
    pub certificate: Option<Certificate>,
    /// The authority whose client certificates are asked for, and needed.
    pub client_authority: Option<PathBuf>,
    /// The folder with Cyrus SASL's `slapd.conf`, for entries whose password
    /// is `{SASL}name`. This takes root.
    pub sasl: Option<PathBuf>,
}

/// A slapd. It is killed when dropped.
#[derive(Debug)]
pub struct Slapd {
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    tls_port: u16,
    has_tls: bool,
    sasl: Option<PathBuf>,
}

impl Slapd {
    /// A directory with as many plain users.
    #[must_use]
    pub fn with_users(users: usize) -> Self {
        Self::start(&LdapOptions { users, ..LdapOptions::default() })
    }

    /// Fills a directory and starts its server.
    ///
    /// # Panics
    ///
    /// If slapd is not installed, or does not start.
    #[must_use]
    pub fn start(options: &LdapOptions) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let home = folder.path();
        fs::create_dir(home.join("db")).expect("a directory");
        fs::write(home.join("slapd.conf"), configuration(home, options)).expect("room");
        fs::write(home.join("init.ldif"), content(options)).expect("room");
        let mut add = Command::new("/usr/sbin/slapadd");
        add.arg("-q").arg("-f").arg(home.join("slapd.conf")).args(["-b", SUFFIX]);
        add.arg("-l").arg(home.join("init.ldif"));
        let _ = program::run(add, "").success();
        let (port, tls_port) = (free_port(), free_port());
        let has_tls = options.certificate.is_some();
        let sasl = options.sasl.clone();
        let mut slapd = Self { process: None, folder, port, tls_port, has_tls, sasl };
        slapd.restart();
        slapd
    }

    /// Starts it again, after [`Slapd::kill`], on the same ports.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&mut self) {
        let home = self.folder.path();
        let mut urls = format!("ldap://127.0.0.1:{} {}", self.port, self.socket_url());
        if self.has_tls {
            write!(urls, " ldaps://127.0.0.1:{}", self.tls_port).expect("a String");
            if has_ipv6() {
                write!(urls, " ldap://[::1]:{} ldaps://[::1]:{}", self.port, self.tls_port)
                    .expect("a String");
            }
        }
        let program = "/usr/sbin/slapd";
        let mut command = match &self.sasl {
            Some(sasl) => machine::with_folder_at(sasl, SASL_FOLDER, program),
            None => Command::new(program),
        };
        command.arg("-f").arg(home.join("slapd.conf")).args(["-h", &urls, "-d", "0"]);
        let mut process = Process::start(command, home);
        let port = self.port;
        process.until("slapd listens", |_| TcpStream::connect(("127.0.0.1", port)).is_ok());
        self.process = Some(process);
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it (SIGSTOP): it still accepts connections, and says nothing.
    pub fn pause(&self) {
        self.running().signal(Signal::SIGSTOP);
        let threads = format!("/proc/{}/task", self.running().pid());
        wait::until("all threads of slapd have stopped", || {
            let mut threads = fs::read_dir(&threads).expect("slapd runs").flatten();
            threads.all(|thread| {
                let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
            })
        });
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.running().signal(Signal::SIGCONT);
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("slapd runs")
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.port)
    }

    /// Its address with TLS.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// The address of its Unix socket.
    #[must_use]
    pub fn socket_url(&self) -> String {
        let path = self.folder.path().join("ldapi");
        format!("ldapi://{}", path.display().to_string().replace('/', "%2F"))
    }

    /// What ldapsearch finds, asked as the writer.
    #[must_use]
    pub fn search(&self, filter: &str, attribute: &str) -> String {
        let mut command = Command::new("ldapsearch");
        command.args(["-LLL", "-o", "ldif-wrap=no", "-x", "-H", &self.url(), "-b", SUFFIX]);
        command.args(["-D", WRITER.0, "-w", WRITER.1, filter, attribute]);
        program::run(command, "").text()
    }

    /// Whether somebody can log in, as ldapwhoami sees it.
    #[must_use]
    pub fn lets_in(&self, dn: &str, password: &str) -> bool {
        let mut command = Command::new("ldapwhoami");
        command.args(["-x", "-H", &self.url(), "-D", dn, "-w", password]);
        program::run(command, "").code == Some(0)
    }

    /// Waits until it answers.
    pub fn wait_until_well(&self) {
        wait::until("slapd answers", || self.lets_in(WRITER.0, WRITER.1));
    }
}

/// The distinguished name of a user.
#[must_use]
pub fn dn(uid: &str) -> String {
    format!("uid={uid},ou=people,{SUFFIX}")
}

/// Whether this machine has the loopback address of IPv6. A directory with TLS
/// is then there, too.
#[must_use]
pub fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

fn configuration(home: &Path, options: &LdapOptions) -> String {
    let home_path = home.display();
    let mut text = format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/nis.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         pidfile {home_path}/slapd.pid\n\
         argsfile {home_path}/slapd.args\n\
         modulepath /usr/lib/ldap\n\
         moduleload back_mdb\n\
         moduleload ppolicy\n\
         sizelimit size.soft=500 size.hard=500 size.pr=100000 size.prtotal=unlimited\n"
    );
    if let Some(Certificate { certificate, key }) = &options.certificate {
        let (certificate, key) = (certificate.display(), key.display());
        writeln!(text, "TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}")
            .expect("a String");
    }
    if let Some(authority) = &options.client_authority {
        let authority = authority.display();
        writeln!(text, "TLSCACertificateFile {authority}\nTLSVerifyClient demand")
            .expect("a String");
    }
    let writer = WRITER.0;
    write!(
        text,
        "{global}\n\
         database mdb\n\
         maxsize 104857600\n\
         suffix \"{SUFFIX}\"\n\
         rootdn \"cn=admin,{SUFFIX}\"\n\
         directory {home_path}/db\n\
         dbnosync\n\
         index objectClass eq\n\
         index mail,uid eq,sub\n\
         {settings}\n\
         access to attrs=userPassword by dn.exact=\"{writer}\" write by anonymous auth by * none\n\
         access to * by dn.exact=\"{writer}\" write by * read\n",
        global = options.global,
        settings = options.settings,
    )
    .expect("a String");
    text
}

fn content(options: &LdapOptions) -> String {
    let mut text = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Corp\ndc: corp\n\n"
    );
    for unit in ["people", "services"] {
        write!(text, "dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n\n")
            .expect("a String");
    }
    for (dn, password) in [WRITER, READER] {
        write!(
            text,
            "dn: {dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n\
             userPassword: {password}\n\n"
        )
        .expect("a String");
    }
    for number in 0..options.users {
        text.push_str(&user(&format!("user{number}"), &format!("secret{number}"), ""));
    }
    text + &options.entries
}

/// A user in LDIF, with `stored` as the password attribute and further lines.
#[must_use]
pub fn user(uid: &str, stored: &str, further: &str) -> String {
    format!(
        "dn: {}\nobjectClass: inetOrgPerson\n{further}uid: {uid}\ncn: {uid}\nsn: {uid}\n\
         mail: {uid}@corp.example\nuserPassword: {stored}\n\n",
        dn(uid)
    )
}
