//! A whole mail server on an address of its own: IMAP, POP3 and LMTP. Its
//! master needs to be root.
//!
//! ```text
//!   imap-login, pop3-login ──run/login/dmail/auth──▶ dialect dovecot-auth
//!   imap, pop3 ──run/auth-master──▶ run/dmail/dovecot-master: dialect dovecot-master
//!   lmtp, doveadm ──run/dmail/dovecot-userdb──▶ dialect dovecot-userdb
//! ```

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::super::own_address;
use super::Dovecot;
use crate::client::Client;
use crate::machine;
use crate::wait;

/// Whom all mail belongs to, as on the page: no account of this machine.
const VMAIL: u32 = 5000;

const IMAP: u16 = 10143;
const POP: u16 = 10110;
const LMTP: u16 = 10024;
/// Its ports.
pub(super) const PORTS: [u16; 3] = [IMAP, POP, LMTP];

impl Dovecot {
    /// A mail server that does not run so far. `None`, and a word on standard
    /// error, if it cannot run here.
    ///
    /// # Panics
    ///
    /// If there is no room for its folders.
    #[must_use]
    pub fn mail(test: &str) -> Option<Self> {
        if !Path::new("/usr/lib/dovecot/lmtp").exists() {
            eprintln!("skipped, for dovecot-imapd, -pop3d and -lmtpd are not there: {test}");
            return None;
        }
        if !machine::is_ours(test) {
            return None;
        }
        // The path of a socket has 107 bytes at most.
        let folder = tempfile::Builder::new().prefix("dv").tempdir_in("/tmp").expect("a folder");
        // Its processes are several users, who all come through here.
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        for name in ["dmail", "vmail"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        chown(folder.path().join("vmail"), Some(VMAIL), Some(VMAIL)).expect("root may");
        Some(Self::new(folder, Some(own_address())))
    }

    /// Documented lines with the folders of this Dovecot instead of those of
    /// a machine.
    #[must_use]
    pub fn here(&self, lines: &str) -> String {
        let folder = |name| self.folder().join(name).display().to_string();
        lines
            .replace("/run/dovecot", &folder("run"))
            .replace("/run/dmail", &folder("dmail"))
            .replace("/var/vmail", &folder("vmail"))
    }

    /// A path on the page, here.
    #[must_use]
    pub fn path(&self, documented: &str) -> PathBuf {
        self.here(documented).into()
    }

    /// Makes the folders and links of a file for `systemd-tmpfiles`.
    ///
    /// # Panics
    ///
    /// If a line is not understood.
    pub fn make_places(&self, documented: &str) {
        for line in self.here(documented).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["d", path, mode, owner, group] => {
                    let _ = fs::create_dir(path);
                    let mode = u32::from_str_radix(mode, 8).expect("a mode");
                    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("root may");
                    chown(path, Some(number_of_user(owner)), Some(number_of_group(group)))
                        .expect("root may");
                }
                ["L", path, "-", "-", "-", "-", target] => {
                    std::os::unix::fs::symlink(target, path).expect("a link");
                }
                _ => panic!("not understood: {line}"),
            }
        }
    }

    /// Starts it with these documented lines, and waits until clients can
    /// connect.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(&mut self, documented: &str) {
        let config = format!("{}{}{}", self.common(), self.services(), self.here(documented));
        fs::write(self.config(), config).expect("room for it");
        self.restart();
    }

    /// Has it read its configuration again.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn reload(&self) {
        let reloads = || self.log().matches("SIGHUP received").count();
        let before = reloads();
        self.process.as_ref().expect("it runs").signal(Signal::SIGHUP);
        wait::until("Dovecot has read its configuration", || reloads() > before);
    }

    /// A new IMAP connection, greeted.
    #[must_use]
    pub fn imap(&self) -> Client {
        let mut client = Client::connect((self.address(), IMAP).into());
        // The first words are "* OK Waiting for authentication process" at times.
        while !client.expect("* OK").contains("CAPABILITY") {}
        client
    }

    /// A new POP3 connection, greeted.
    #[must_use]
    pub fn pop(&self) -> Client {
        let mut client = Client::connect((self.address(), POP).into());
        client.expect("+OK");
        client
    }

    /// Where its IMAP service is, for a client that takes such an address.
    #[must_use]
    pub fn imap_url(&self) -> String {
        format!("imap://{}:{IMAP}/", self.address())
    }

    /// The same for POP3.
    #[must_use]
    pub fn pop_url(&self) -> String {
        format!("pop3://{}:{POP}/", self.address())
    }

    /// Where its LMTP service listens.
    #[must_use]
    pub fn lmtp(&self) -> SocketAddr {
        (self.address(), LMTP).into()
    }

    fn address(&self) -> Ipv4Addr {
        self.address.expect("it is a mail server")
    }

    /// Its services, where only a test has them.
    fn services(&self) -> String {
        let address = self.address();
        let service = |service: &str, protocol: &str, port: u16| {
            format!(
                "service {service} {{\n  inet_listener {protocol} {{\n    \
                 address = {address}\n    port = {port}\n  }}\n  \
                 inet_listener {protocol}s {{\n    port = 0\n  }}\n}}\n"
            )
        };
        [
            "protocols = imap pop3 lmtp\n".to_owned(),
            service("imap-login", "imap", IMAP),
            service("pop3-login", "pop3", POP),
            service("lmtp", "lmtp", LMTP),
        ]
        .concat()
    }
}

fn number_of_user(name: &str) -> u32 {
    let user = nix::unistd::User::from_name(name).expect("an answer");
    user.unwrap_or_else(|| panic!("no user {name}")).uid.as_raw()
}

fn number_of_group(name: &str) -> u32 {
    let group = nix::unistd::Group::from_name(name).expect("an answer");
    group.unwrap_or_else(|| panic!("no group {name}")).gid.as_raw()
}
