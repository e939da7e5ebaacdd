//! Postfix with two SMTP servers, each of which lets a socket of its own decide
//! who may log in.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, chown};
use tempfile::TempDir;

use super::{free_address, installed, text};
use crate::failure::Failure;
use crate::process::Process;
use crate::program::folder;

/// Services of master.cf beside the SMTP servers, none of them in a chroot.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// A Postfix; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Postfix {
    master: Option<Process>,
    home: TempDir,
}

impl Postfix {
    /// The folders of one, which does not run yet; `None` if it is not
    /// installed, or if this is not root, which it needs.
    pub(crate) fn new() -> Result<Option<Self>, Failure> {
        let program = installed(&["/usr/lib/postfix/sbin/master"]);
        if program.is_none() || !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        let postfix = Self { master: None, home: folder()? };
        postfix.make_folders().map_err(Failure::system("make Postfix' folders"))?;
        Ok(Some(postfix))
    }

    fn make_folders(&self) -> std::io::Result<()> {
        // Its daemons are not root.
        fs::set_permissions(self.home.path(), Permissions::from_mode(0o755))?;
        ["etc", "queue", "data"].iter().try_for_each(|name| fs::create_dir(self.path(name)))?;
        let owner = User::from_name("postfix")?.map(|user| user.uid);
        Ok(chown(&self.path("data"), owner, None)?)
    }

    /// Where a socket is found that its daemons may ask.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Starts it: where the SMTP servers listen that ask these sockets.
    pub(crate) fn start<const N: usize>(
        &mut self,
        sockets: [&Path; N],
    ) -> Result<[SocketAddr; N], Failure> {
        let mut servers = Vec::new();
        let mut services = String::new();
        for socket in sockets {
            let address = free_address()?;
            services +=
                &format!("{address} inet n - n - - smtpd -o smtpd_sasl_path={}\n", text(socket));
            servers.push(address);
        }
        let home = text(self.home.path());
        let main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {home}/queue\n\
             data_directory = {home}/data\n\
             command_directory = /usr/sbin\n\
             daemon_directory = /usr/lib/postfix/sbin\n\
             mail_owner = postfix\n\
             setgid_group = postdrop\n\
             myhostname = mx.bench.example\n\
             mydestination =\n\
             mynetworks =\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             maillog_file = {home}/maillog\n\
             maillog_file_prefixes = {home}\n\
             alias_maps =\n\
             alias_database =\n\
             smtpd_peername_lookup = no\n\
             smtpd_client_connection_count_limit = 0\n\
             smtpd_sasl_auth_enable = yes\n\
             smtpd_sasl_type = dovecot\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject\n\
             import_environment = MAIL_CONFIG LANG=C\n"
        );
        let write = |name: &str, content: String| {
            fs::write(self.path(name), content).map_err(Failure::system(format!("write {name}")))
        };
        write("etc/main.cf", main)?;
        write("etc/master.cf", services + SERVICES)?;
        // It makes the folders of the queue.
        let made = Command::new("postfix").arg("-c").arg(self.path("etc")).arg("check").status();
        made.map_err(Failure::system("postfix check"))?;
        let mut command = Command::new("/usr/lib/postfix/sbin/master");
        command.arg("-c").arg(self.path("etc")).arg("-d").stderr(Stdio::null());
        let master = self.master.insert(Process::start("Postfix", &mut command)?);
        master.wait_until(|| {
            servers.iter().all(|server| std::net::TcpStream::connect(server).is_ok())
        })?;
        Ok(servers.try_into().expect("one for each socket"))
    }
}
