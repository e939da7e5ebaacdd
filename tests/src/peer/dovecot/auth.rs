//! Nothing but the auth service. Its own penalty for addresses that guess is
//! off, which would make the tests last.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::Dovecot;
use crate::wait;

/// Users in a passwd-file, in `users` of the folder.
pub const PASSWD_FILE: &str = "\
passdb {
  driver = passwd-file
  args = FOLDER/users
}
userdb {
  driver = passwd-file
  args = FOLDER/users
}
";

impl Dovecot {
    /// Starts an auth service with these lines, `FOLDER` in them being its
    /// folder, and these users as a passwd-file has them.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn auth(lines: &str, users: &str) -> Self {
        let mut dovecot = Self::new(tempfile::tempdir().expect("a folder"), None);
        fs::write(dovecot.folder().join("users"), users).expect("room");
        let folder = dovecot.folder().display().to_string();
        let own = own_name();
        let (user, login) = match nix::unistd::geteuid().is_root() {
            true => ("dovecot", "dovenull"),
            false => (&*own, &*own),
        };
        let settings = format!(
            "{}protocols =\nauth_failure_delay = 0\n\
             default_internal_user = {user}\ndefault_internal_group = {user}\n\
             default_login_user = {login}\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n\
             mail_location = maildir:{folder}/mail/%u\n\
             service anvil {{\n  chroot =\n  unix_listener anvil-auth-penalty {{\n    \
             mode = 0\n  }}\n}}\nservice stats {{\n  chroot =\n}}\n\
             service auth {{\n  user = {own}\n  unix_listener auth-client {{\n    \
             mode = 0600\n  }}\n  unix_listener auth-userdb {{\n    mode = 0600\n  }}\n}}\n{}",
            dovecot.common(),
            lines.replace("FOLDER", &folder)
        );
        fs::write(dovecot.config(), settings).expect("room");
        dovecot.restart();
        dovecot
    }

    /// Whether somebody may log in from `client`, as `doveadm auth test` says.
    #[must_use]
    pub fn lets_in(&self, user: &str, password: &str, client: &str) -> bool {
        let client = format!("rip={client}");
        let test = ["auth", "test", "-x", &client, "-x", "service=imap", user, password];
        self.doveadm(&test).code == Some(0)
    }

    /// Sends a signal to the process that answers.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn signal_auth(&self, signal: Signal) {
        let master = self.process.as_ref().expect("it runs").pid();
        let is_auth = |pid: u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.starts_with(b"dovecot/auth")
        };
        let children = wait::children_of(master);
        let auth = children.into_iter().find(|(pid, _)| is_auth(*pid)).expect("an auth process");
        super::send(auth.0, signal);
    }

    /// The socket for passwords.
    #[must_use]
    pub fn auth_socket(&self) -> PathBuf {
        self.folder().join("run/auth-client")
    }

    /// The socket for users.
    #[must_use]
    pub fn userdb_socket(&self) -> PathBuf {
        self.folder().join("run/auth-userdb")
    }
}

fn own_name() -> String {
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid());
    own.ok().flatten().map_or("root".to_owned(), |user| user.name)
}
