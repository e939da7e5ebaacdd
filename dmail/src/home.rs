//! The folder that `dmail start` works in: made once, kept ever after.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dmail_authent::gateway::Gateway;
use dmail_core::config::Settings;
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Info, Origin, Outcome, Secret, Service, Username,
    Verdict,
};
use dmail_mailbox::{DropFile, Mailbox, Message, Part};
use rand::distr::{Alphanumeric, SampleString};

use crate::assemble;
use crate::failure::Failure;

/// The user that a new home has.
pub(crate) const DEMO: &str = "demo";
/// The configuration of a new home.
const TEMPLATE: &str = include_str!("home.conf");
/// The first message in the demo user's mailbox.
const WELCOME: &str = include_str!("welcome.txt");
/// Its folders.
const FOLDERS: [&str; 4] = ["users", "mail", "work", "log"];
/// Length of the demo user's password: 95 bits.
const PASSWORD_LENGTH: usize = 16;

/// A home folder.
pub(crate) struct Home {
    directory: PathBuf,
    /// The folder, locked while this process makes what is in it.
    _making: File,
}

impl Home {
    /// Opens the folder, and makes it and its configuration if they are not
    /// there. What is there stays as it is.
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
        make_folder(directory)?;
        let directory =
            directory.canonicalize().map_err(Failure::file("cannot open", directory))?;
        // Of two first starts at the same time, one waits for the other.
        let lock = File::open(&directory).and_then(|folder| folder.lock().map(|()| folder));
        let _making = lock.map_err(Failure::file("cannot lock", &directory))?;
        for folder in FOLDERS {
            make_folder(&directory.join(folder))?;
        }
        let home = Self { directory, _making };
        let config = home.config();
        if !config.exists() {
            write_new(&home.demo_pending(), "")?;
            write_new(&config, TEMPLATE)?;
        }
        Ok(home)
    }

    /// Its folder, in full.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its dmail.conf.
    pub(crate) fn config(&self) -> PathBuf {
        self.directory.join("dmail.conf")
    }

    /// The file with the demo user's password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.directory.join("demo.password")
    }

    /// Stands for a demo user who is still to be added. It is there from before
    /// the configuration is made until after the user is: so a start that was
    /// cut off is made good by the next one, and a user whom the administrator
    /// removed does not come back.
    fn demo_pending(&self) -> PathBuf {
        self.directory.join("demo.pending")
    }

    /// Adds the demo user, with a welcome message, to a home that has just
    /// been made.
    pub(crate) async fn add_demo(
        &self,
        settings: &Settings,
        gateway: &Gateway,
    ) -> Result<Option<Secret>, Failure> {
        let pending = self.demo_pending();
        if !pending.exists() {
            return Ok(None);
        }
        let password = Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH);
        let mut info = Info::default();
        info.set("name", "Demo user").map_err(Failure::other("info"))?;
        let secret = Secret::new(password.as_bytes());
        let change = Change {
            user: demo(),
            action: Action::Set { secret: Some(secret.clone()), info: Some(info) },
            origin: Origin::local(Service::Admin),
        };
        match gateway.change(&change).await {
            Ok(Outcome::Done(_)) => {}
            Ok(Outcome::Refused(why)) => return Err(Failure::Other(why.text)),
            Err(error) => return Err(Failure::other("cannot add the demo user")(error)),
        }
        let drop_file = drop_file(gateway).await?;
        let lock = assemble::lock_policy(settings);
        // A start that was cut off may have left an empty drop file.
        if Mailbox::open(&drop_file, &lock).map_err(Failure::other("the demo mailbox"))?.is_empty()
        {
            let parts = [Part::Bytes(WELCOME.as_bytes())];
            let message = Message { sender: b"", received_at: SystemTime::now(), parts: &parts };
            dmail_mailbox::append(&[drop_file], &message, &lock)
                .map_err(Failure::other("cannot deliver the welcome message"))?;
        }
        write_new(&self.password_file(), &format!("{password}\n"))?;
        fs::remove_file(&pending).map_err(Failure::file("cannot remove", &pending))?;
        Ok(Some(secret))
    }
}

/// How many messages the demo user has; `None` if that cannot be told now.
pub(crate) async fn demo_messages(settings: &Settings, gateway: &Gateway) -> Option<usize> {
    let drop_file = drop_file(gateway).await.ok()?;
    let mailbox = Mailbox::open(&drop_file, &assemble::lock_policy(settings)).ok()?;
    Some(mailbox.len())
}

fn demo() -> Username {
    Username::parse(DEMO.as_bytes()).expect("demo is a name")
}

/// Where the demo user's mail lies.
async fn drop_file(gateway: &Gateway) -> Result<DropFile, Failure> {
    let request = AuthRequest::lookup(demo(), Origin::local(Service::Admin));
    match gateway.authenticate(&request).await {
        Ok(Verdict::Accepted(account)) => {
            DropFile::of(&account).map_err(Failure::other("the demo user's drop file"))
        }
        Ok(Verdict::Rejected(why)) => Err(Failure::Other(why.text)),
        Err(error) => Err(Failure::other("cannot look the demo user up")(error)),
    }
}

fn make_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Failure::file("cannot make the folder", path))
}

/// Writes a file that is not there yet, for its owner only. It is there whole,
/// or not at all.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let draft = path.with_extension("new");
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(Failure::file("cannot write", path))
}
