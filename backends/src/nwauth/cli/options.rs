//! The options: one dash, the argument behind a blank.

use std::path::PathBuf;
use std::time::Duration;

use dmail_core::HashSpool;

use super::super::log::Passwords;
use super::super::{Encrypt, NamePolicy, NwAuthConfig};
use super::{DropLayout, Invocation, Task};
use crate::command::{Command, UsageError, Words};

/// The options so far.
#[derive(Default)]
pub(super) struct Options {
    path: Option<PathBuf>,
    read_only: bool,
    rehash: bool,
    debug: bool,
    log: Option<Passwords>,
    journal_limit: Option<u64>,
    names: NamePolicy,
    sleep: Option<(u64, Duration)>,
    drop_path: Option<DropLayout>,
    generate: Option<u64>,
    encrypt: Option<Encrypt>,
}

impl Options {
    pub(super) fn take(&mut self, option: &str, words: &mut Words) -> Result<(), UsageError> {
        match option {
            "-path" => self.path = Some(words.next("-path", "a directory")?.into()),
            "-debug" => self.debug = true,
            "-log" => self.log = self.log.or(Some(Passwords::Hidden)),
            "-logpass" => self.log = Some(Passwords::Shown),
            "-readonly" => self.read_only = true,
            "-rehash" => self.rehash = true,
            "-size" => self.journal_limit = Some(words.number("-size")?),
            "-badchar" => self.names.forbidden = words.next("-badchar", "characters")?,
            "-badchar_localpart" => {
                self.names.forbidden_in_local_part =
                    words.next("-badchar_localpart", "characters")?;
            }
            "-allowats" => self.names.allow_ats = true,
            "-allowhighascii" => self.names.allow_high = true,
            "-generate" => self.generate = Some(words.number("-generate")?),
            "-encrypt" => self.encrypt = Some(encrypt(words)?),
            "-sleep" => {
                let every = words.number("-sleep")?;
                self.sleep = Some((every, Duration::from_secs(words.number("-sleep")?)));
            }
            "drop_path" => self.drop_path = Some(drop_layout(words)?),
            _ => return Err(UsageError::UnknownOption(option.to_owned())),
        }
        Ok(())
    }

    pub(super) fn invocation(self, command: Option<Command>) -> Result<Invocation, UsageError> {
        let mut config = NwAuthConfig::new(self.path.ok_or(NO_PATH)?);
        config.read_only = self.read_only;
        config.rehash = self.rehash;
        config.journal_limit = self.journal_limit;
        config.names = self.names;
        let task = match (command, self.generate, self.encrypt) {
            (Some(command), _, _) => Task::Once(command),
            (None, Some(last), _) => Task::Generate(last),
            (None, None, Some(whose)) => Task::Encrypt(whose),
            (None, None, None) => Task::Serve,
        };
        Ok(Invocation {
            config,
            debug: self.debug,
            log: self.log,
            sleep: self.sleep,
            drop_path: self.drop_path,
            task,
        })
    }
}

/// The base has to be somewhere.
const NO_PATH: UsageError =
    UsageError::Missing("-path DIR is missing: where are nwauth.txt and nwauth.add?");

/// `hash base`, behind the word `drop_path`.
fn drop_layout(words: &mut Words) -> Result<DropLayout, UsageError> {
    let (option, wanted) = ("drop_path", "hash (0, 1 or 2) and base directory");
    let number = words.next(option, wanted)?;
    let base = words.next(option, wanted)?.into();
    match number.parse().ok().and_then(HashSpool::from_number) {
        Some(hash_spool) => Ok(DropLayout { hash_spool, base }),
        None => Err(UsageError::Argument { option, wanted }),
    }
}

fn encrypt(words: &mut Words) -> Result<Encrypt, UsageError> {
    let user = words.user("-encrypt")?;
    if user.as_str() == "all" { Ok(Encrypt::All) } else { Ok(Encrypt::User(user)) }
}
