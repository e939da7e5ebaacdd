//! A site: a folder with a dmail.conf, users and mail, all its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::module;
use crate::program::{self, Said};
use crate::server::Server;

/// What every site's configuration has. Clients on this machine may guess as
/// often as they like; tests of the throttle take the line away.
const COMMON: &str = "\
host_domain corp.example
drop_path mail
work_path work
log_path log
log_level debug
log_delay 0
smtp_port 127.0.0.1:0
pop_port 127.0.0.1:0
drain_timeout 20
throttle_except 127.0.0.0/8
";

/// A site in a folder that goes away with it.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    config: String,
}

impl Site {
    /// A site whose users are in NWAuth files.
    #[must_use]
    pub fn nwauth() -> Self {
        // Cheap hashes: these tests are not about their strength.
        Self::new("authent_method nwauth\nnwauth_path users\nnwauth_scheme ssha512\n")
    }

    /// A site whose users are known to the Python module, which collects its
    /// requests.
    #[must_use]
    pub fn module() -> Self {
        let site = Self::new("");
        let command = module::logging_command("good", &site.request_log());
        site.external(&command)
    }

    /// A site that asks the module `command`.
    #[must_use]
    pub fn with_module(command: &[String]) -> Self {
        Self::new("").external(command)
    }

    /// A site that lacks an `authent_method` so far.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let site = Self { folder, config: format!("{COMMON}{settings}") };
        for name in ["", "mail", "work", "log", "users"] {
            fs::create_dir(site.home().join(name)).expect("a directory");
        }
        site
    }

    fn external(self, command: &[String]) -> Self {
        let words: Vec<String> = command.iter().map(|word| format!("\"{word}\"")).collect();
        self.set("authent_method external").set(&format!("authent_process {}", words.join(" ")))
    }

    /// Adds a line to the configuration, in place of the line that set this
    /// before, unless the setting is one of those that repeat.
    #[must_use]
    pub fn set(mut self, line: &str) -> Self {
        const REPEAT: [&str; 9] = [
            "access_group",
            "account_state",
            "dialect",
            "host_domain",
            "policy_messages",
            "policy_recipients",
            "pop_port",
            "smtp_port",
            "vdomain",
        ];
        let name = line.split(' ').next().unwrap_or_default();
        if !REPEAT.contains(&name) {
            self.config = self.config_without(name);
        }
        self.config.push_str(&format!("{line}\n"));
        self
    }

    /// Takes a setting out of the configuration.
    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.config = self.config_without(name);
        self
    }

    fn config_without(&self, name: &str) -> String {
        let others = self.config.lines().filter(|line| line.split(' ').next() != Some(name));
        others.map(|line| format!("{line}\n")).collect()
    }

    /// The folder with everything that the program itself writes.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The folder above: for what is not the program's.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its dmail.conf, written anew.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        let path = self.home().join("dmail.conf");
        fs::write(&path, &self.config).expect("a configuration");
        path
    }

    /// Starts the server.
    #[must_use]
    pub fn serve(&self) -> Server {
        Server::start(&self.config(), &self.home().join("log/dmail.log"), self.folder())
    }

    /// Runs `dmail COMMAND … -c FILE ARGUMENT …` with `input`.
    pub fn dmail(&self, command: &[&str], arguments: &[&str], input: &str) -> Said {
        let mut dmail: Command = program::dmail(command);
        dmail.arg("-c").arg(self.config()).args(arguments);
        program::run(dmail, input)
    }

    /// Adds a user, or gives one another password.
    ///
    /// # Panics
    ///
    /// If the user base refuses.
    pub fn set_user(&self, name: &str, password: &str) {
        let said = self.dmail(&["authent", "set"], &[name], &format!("{password}\n")).success();
        assert!(said.text().starts_with("+OK "), "{}", said.text());
    }

    /// The same, for a site under construction.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        self.set_user(name, password);
        self
    }

    /// All that its servers have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.home().join("log/dmail.log")).unwrap_or_default()
    }

    /// The drop file of a user of the main domain.
    #[must_use]
    pub fn drop_file(&self, name: &str) -> PathBuf {
        self.home().join("mail").join(name)
    }

    /// Where the module collects its requests.
    #[must_use]
    pub fn request_log(&self) -> PathBuf {
        self.folder().join("requests")
    }

    /// The requests that the module got so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        module::requests(&self.request_log())
    }

    /// From now on, the module does this wrong for everybody (`dead`, `hang`,
    /// …); nothing, if it is no word.
    ///
    /// # Panics
    ///
    /// If there is no room for the word.
    pub fn spoil_module(&self, how: &str) {
        let file = self.request_log().with_extension("mood");
        // Whoever reads it finds a whole word.
        let new = file.with_extension("new");
        fs::write(&new, how).and_then(|()| fs::rename(&new, &file)).expect("room for a word");
    }

    /// All messages of a user, as POP3 sends them.
    ///
    /// # Panics
    ///
    /// If the user cannot log in.
    #[must_use]
    pub fn messages(&self, server: &Server, name: &str, password: &str) -> Vec<String> {
        let mut client = server.pop_client();
        client.ask(&format!("USER {name}"), "+OK");
        client.ask(&format!("PASS {password}"), "+OK");
        let count = client.list().len();
        let messages = (1..=count).map(|number| client.retrieve(number)).collect();
        client.ask("QUIT", "+OK");
        messages
    }
}
