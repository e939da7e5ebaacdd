//! What a test adds to the machine itself, and takes away again: accounts, and
//! rules for PAM. Only root can do that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::program::{self, Said};
use crate::wait;

/// Whether tests may change this machine; says so if they may not.
#[must_use]
pub fn is_ours(test: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        eprintln!("skipped, for it needs root: {test}");
    }
    is_root
}

/// `command`, which finds `folder` at `place`: some programs look for their
/// settings or sockets in one place only. It runs in a mount namespace of its
/// own, so nobody else sees that.
#[must_use]
pub fn with_folder_at(folder: &Path, place: &str, command: &str) -> Command {
    // What is in memory only may lack the place.
    let script = "case \"$1\" in /run/*) mount -t tmpfs tmpfs /run && mkdir -p \"$1\" ;; esac && \
                  mount --bind \"$0\" \"$1\" && shift && exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", script]).arg(folder).args([place, command]);
    unshare
}

/// A name that nothing on this machine has.
#[must_use]
pub fn unique_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("dmt{}x{number}", std::process::id())
}

/// An account, removed with its home when dropped.
#[derive(Debug)]
pub struct Account {
    name: String,
}

impl Account {
    /// Adds an account of this name and full name, with a home folder.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    #[must_use]
    pub fn new(name: &str, full_name: &str) -> Self {
        let account = Self { name: name.to_owned() };
        administer(&["useradd", "--create-home", "--comment", full_name, name], "");
        account
    }

    /// The same, with a password.
    #[must_use]
    pub fn with_password(name: &str, password: &str) -> Self {
        let account = Self::new(name, "A. Tester,,,");
        account.set_password(password);
        account
    }

    /// Gives it another password.
    pub fn set_password(&self, password: &str) {
        administer(&["chpasswd"], &format!("{}:{password}\n", self.name));
    }

    /// Runs `usermod`, `chage` … with these words and the name behind them.
    pub fn change(&self, words: &[&str]) {
        administer(&[words, &[&self.name]].concat(), "");
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number.
    ///
    /// # Panics
    ///
    /// If the account is gone.
    #[must_use]
    pub fn uid(&self) -> u32 {
        let user = nix::unistd::User::from_name(&self.name);
        user.expect("an answer").expect("an account").uid.as_raw()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let mut remove = Command::new("userdel");
        remove.args(["--remove", "--force", &self.name]);
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = program::run(remove, "");
    }
}

/// The tools lock the files, and give up at once if somebody else has.
static ALONE: Mutex<()> = Mutex::new(());

fn administer(words: &[&str], input: &str) -> Said {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut said = None;
    wait::until(&format!("{} has run", words[0]), || {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let this = program::run(command, input);
        let is_locked = this.code != Some(0) && this.err.contains("lock");
        said = Some(this);
        !is_locked
    });
    said.expect("it ran").success()
}

/// Rules for PAM, removed when dropped.
#[derive(Debug)]
pub struct PamService {
    name: String,
}

impl PamService {
    /// A service with these rules.
    ///
    /// # Panics
    ///
    /// If they cannot be written.
    #[must_use]
    pub fn new(rules: &str) -> Self {
        let service = Self { name: format!("dmail-test-{}", unique_name()) };
        fs::write(service.file(), rules).expect("root writes there");
        service
    }

    /// The rules that a plain system has.
    #[must_use]
    pub fn plain() -> Self {
        Self::new("auth required pam_unix.so\naccount required pam_unix.so\n")
    }

    /// Rules that ask `script`, which gets the password on its standard input.
    /// (The module itself calls a script's "no" an error of the system.)
    #[must_use]
    pub fn script(script: &Path) -> Self {
        Self::new(&format!(
            "auth [success=1 default=ignore] pam_exec.so quiet expose_authtok {}\n\
             auth requisite pam_deny.so\nauth required pam_permit.so\n\
             account required pam_permit.so\n",
            script.display()
        ))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file with the rules.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        Path::new("/etc/pam.d").join(&self.name)
    }
}

impl Drop for PamService {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.file());
    }
}
