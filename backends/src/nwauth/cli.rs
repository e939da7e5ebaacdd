//! The classic command line: `nwauth -path DIR [options] [command words]`.
//!
//! ```text
//!   nwauth -path /var/dmail                                  speaks the line protocol
//!   nwauth -path /var/dmail set bob secret info="details"    does one thing
//!   nwauth -path /var/dmail -generate 1000                   makes test0 … test1000
//! ```
//!
//! Options have one dash and their arguments behind a blank, as scripts of
//! twenty years have them. Words come from a shell, which has taken quotes
//! away: `info="two words"` arrives as `info=two words`, and is read so.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use dmail_core::{Action, Info, Secret, Username};

use super::{Encrypt, NamePolicy, NwAuthConfig};

/// A parsed command line.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// How to open the base.
    pub config: NwAuthConfig,
    /// `-debug`: log everything.
    pub debug: bool,
    /// `-log` or `-logpass`: write `nwauth.log`.
    pub log: Option<super::log::Passwords>,
    /// `-sleep x y`: before the first and every x-th answer, so long.
    pub sleep: Option<(u64, Duration)>,
    /// `drop_path hash base`: answer with full paths.
    pub drop_path: Option<DropLayout>,
    /// What to do.
    pub task: Task,
}

/// The layout of drop files that `drop_path hash base` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropLayout {
    /// 0, 1 or 2, as `hash_spool`.
    pub hash_spool: u8,
    /// The directory above all drop files.
    pub base: PathBuf,
}

/// What one run of the program does.
#[derive(Debug, Clone)]
pub enum Task {
    /// `-encrypt user|all`.
    Encrypt(Encrypt),
    /// `-generate n`: the accounts `test0` to `testn`.
    Generate(u64),
    /// One command, whose reply is printed.
    Once(Command),
    /// The line protocol, until `exit` or the end of the input.
    Serve,
}

/// A command given as words of the command line.
#[derive(Debug, Clone)]
pub enum Command {
    /// `set user password|(NULL) [label=value …]`, `del user`.
    Change(Username, Action),
    /// `check user password [address]`.
    Check(Username, Secret, Option<IpAddr>),
    /// `help`.
    Help,
    /// `lookup user`.
    Lookup(Username),
    /// `search string [-from n] [-max m]`.
    Search {
        /// The text or wildcard.
        pattern: String,
        /// How many hits to skip.
        from: usize,
        /// How many to show at most.
        max: Option<usize>,
    },
    /// `version`.
    Version,
}

/// Why a command line cannot be run. Never repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The argument of an option is missing or not what it should be.
    #[error("{option} wants {wanted}")]
    Argument {
        /// The option or command.
        option: &'static str,
        /// What it wants.
        wanted: &'static str,
    },
    /// No `-path`.
    #[error("-path DIR is missing: where are nwauth.txt and nwauth.add?")]
    NoPath,
    /// More words than the command takes.
    #[error("{0} does not take that many words")]
    TooMany(&'static str),
    /// An option that there is not.
    #[error("unknown option {0}")]
    UnknownOption(String),
    /// A command that there is not.
    #[error("unknown command {0}: check, lookup, set, del, search, version or help")]
    UnknownCommand(String),
}

/// What the program prints when it is called wrongly.
pub const USAGE: &str = "\
usage: nwauth -path DIR [options] [command]
options:
  -path DIR              where nwauth.txt, nwauth.add and nwauth.log are
  -readonly              change nothing
  -size BYTES            merge nwauth.add when it is larger than this
  -debug                 log everything to standard error
  -log                   write nwauth.log
  -logpass               write nwauth.log with passwords in clear text (testing only)
  -badchar CHARS         characters that new names may not hold
  -badchar_localpart C   the same for the part before the @
  -allowats              allow more than one @ in new names
  -allowhighascii        allow characters beyond ASCII in new names
  -generate N            make the accounts test0 ... testN, password test
  -encrypt USER|all      hash passwords that are stored as clear text
  -sleep X Y             sleep Y seconds before the first and every X-th answer
  drop_path HASH BASE    answer with drop paths below BASE (hash_spool 0, 1, 2)
commands:
  check USER PASSWORD [ADDRESS]      set USER PASSWORD|(NULL) [LABEL=VALUE ...]
  lookup USER                        del USER
  search TEXT [-from N] [-max M]     version, help
Without a command, reads commands from standard input.";

/// Parses the words behind the program's name.
///
/// # Errors
///
/// Says what is missing or not known.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Invocation, UsageError> {
    let mut words = Words(words.into_iter().collect::<Vec<_>>().into_iter());
    let mut options = Options::default();
    let mut command = None;
    while let Some(word) = words.0.next() {
        if word == "drop_path" {
            options.drop_path = Some(words.drop_layout()?);
        } else if word.starts_with('-') {
            options.take(&word, &mut words)?;
        } else {
            command = Some(parse_command(&word, &mut words)?);
        }
    }
    options.invocation(command)
}

/// The words that are left.
struct Words(std::vec::IntoIter<String>);

impl Words {
    fn next(&mut self, option: &'static str, wanted: &'static str) -> Result<String, UsageError> {
        self.0.next().ok_or(UsageError::Argument { option, wanted })
    }

    fn number(&mut self, option: &'static str) -> Result<u64, UsageError> {
        let wanted = "a number";
        let word = self.next(option, wanted)?;
        word.parse().map_err(|_| UsageError::Argument { option, wanted })
    }

    fn user(&mut self, option: &'static str) -> Result<Username, UsageError> {
        let wanted = "a user name";
        let word = self.next(option, wanted)?;
        Username::parse(word.as_bytes()).map_err(|_| UsageError::Argument { option, wanted })
    }

    fn drop_layout(&mut self) -> Result<DropLayout, UsageError> {
        let (option, wanted) = ("drop_path", "hash (0, 1 or 2) and base directory");
        let hash = self.next(option, wanted)?;
        let base = self.next(option, wanted)?;
        match hash.parse() {
            Ok(hash_spool @ 0..=2) => Ok(DropLayout { hash_spool, base: base.into() }),
            _ => Err(UsageError::Argument { option, wanted }),
        }
    }

    fn none_left(&mut self, command: &'static str) -> Result<(), UsageError> {
        match self.0.next() {
            Some(_) => Err(UsageError::TooMany(command)),
            None => Ok(()),
        }
    }
}

#[derive(Default)]
struct Options {
    path: Option<PathBuf>,
    read_only: bool,
    debug: bool,
    log: Option<super::log::Passwords>,
    journal_limit: Option<u64>,
    names: NamePolicy,
    sleep: Option<(u64, Duration)>,
    drop_path: Option<DropLayout>,
    generate: Option<u64>,
    encrypt: Option<Encrypt>,
}

impl Options {
    fn take(&mut self, option: &str, words: &mut Words) -> Result<(), UsageError> {
        use super::log::Passwords;
        match option {
            "-path" => self.path = Some(words.next("-path", "a directory")?.into()),
            "-debug" => self.debug = true,
            "-log" => self.log = self.log.or(Some(Passwords::Hidden)),
            "-logpass" => self.log = Some(Passwords::Shown),
            "-readonly" => self.read_only = true,
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
            _ => return Err(UsageError::UnknownOption(option.to_owned())),
        }
        Ok(())
    }

    fn invocation(self, command: Option<Command>) -> Result<Invocation, UsageError> {
        let mut config = NwAuthConfig::new(self.path.ok_or(UsageError::NoPath)?);
        config.read_only = self.read_only;
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

fn encrypt(words: &mut Words) -> Result<Encrypt, UsageError> {
    let user = words.user("-encrypt")?;
    if user.as_str() == "all" { Ok(Encrypt::All) } else { Ok(Encrypt::User(user)) }
}

/// A command takes all words to the end.
fn parse_command(command: &str, words: &mut Words) -> Result<Command, UsageError> {
    let parsed = match command {
        "check" => check(words)?,
        "lookup" => Command::Lookup(words.user("lookup")?),
        "set" => set(words)?,
        "del" => Command::Change(words.user("del")?, Action::Delete),
        "search" => search(words)?,
        "version" => Command::Version,
        "help" => Command::Help,
        _ => return Err(UsageError::UnknownCommand(command.to_owned())),
    };
    words.none_left("the command")?;
    Ok(parsed)
}

fn check(words: &mut Words) -> Result<Command, UsageError> {
    let user = words.user("check")?;
    let password = words.next("check", "a user name and a password")?;
    let address = words.0.next().map(|word| word.parse()).transpose();
    let address = address.map_err(|_| UsageError::Argument {
        option: "check",
        wanted: "an IP address as third word",
    })?;
    Ok(Command::Check(user, Secret::new(password.into_bytes()), address))
}

fn set(words: &mut Words) -> Result<Command, UsageError> {
    let user = words.user("set")?;
    let password = words.next("set", "a user name and a password or (NULL)")?;
    let secret = (password != "(NULL)").then(|| Secret::new(password.into_bytes()));
    let mut info = None;
    for word in words.0.by_ref() {
        set_field(info.get_or_insert_default(), &word)?;
    }
    Ok(Command::Change(user, Action::Set { secret, info }))
}

/// `label=value`, `label="value"`, or several of the latter in one word.
fn set_field(info: &mut Info, word: &str) -> Result<(), UsageError> {
    let wrong =
        UsageError::Argument { option: "set", wanted: "info fields written label=\"value\"" };
    if let Ok(fields) = word.parse::<Info>() {
        return fields
            .iter()
            .try_for_each(|(label, value)| info.set(label, value))
            .map_err(|_| wrong);
    }
    let (label, value) = word.split_once('=').ok_or(wrong.clone())?;
    info.set(label, value).map_err(|_| wrong)
}

fn search(words: &mut Words) -> Result<Command, UsageError> {
    let pattern = words.next("search", "a text or a wildcard")?;
    let (mut from, mut max) = (0, None);
    while let Some(option) = words.0.next() {
        let number = words.number("search")?;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        match option.as_str() {
            "-from" => from = number,
            "-max" => max = Some(number),
            _ => return Err(UsageError::UnknownOption(option)),
        }
    }
    Ok(Command::Search { pattern, from, max })
}

#[cfg(test)]
mod tests {
    use super::super::log::Passwords;
    use super::*;

    /// Parses words that are split at blanks; `~` stands for a blank in a word.
    fn parsed(line: &str) -> Result<Invocation, UsageError> {
        parse(line.split(' ').map(|word| word.replace('~', " ")))
    }

    #[test]
    fn options_are_read_as_scripts_write_them() {
        let run = parse(
            "-path /var/dmail -debug -log -logpass -readonly -size 5000 -sleep 3 20 -badchar +% \
             -badchar_localpart = -allowats -allowhighascii drop_path 2 /mail"
                .split_whitespace()
                .map(str::to_owned),
        )
        .expect("a command line");
        assert_eq!(run.config.directory, PathBuf::from("/var/dmail"));
        assert_eq!(run.config.journal_limit, Some(5000));
        assert!(run.debug && run.config.read_only);
        assert_eq!(run.log, Some(Passwords::Shown));
        assert_eq!(run.sleep, Some((3, Duration::from_secs(20))));
        let names = NamePolicy {
            forbidden: "+%".to_owned(),
            forbidden_in_local_part: "=".to_owned(),
            allow_ats: true,
            allow_high: true,
        };
        assert_eq!(run.config.names, names);
        let layout = DropLayout { hash_spool: 2, base: "/mail".into() };
        assert_eq!(run.drop_path, Some(layout));
        assert!(matches!(run.task, Task::Serve));
    }

    #[test]
    fn tasks_and_commands_are_told_apart() {
        let rows = [
            ("-path d", "Serve"),
            ("-path d -generate 9", "Generate(9)"),
            ("-path d -encrypt all", "Encrypt(All)"),
            ("-path d -encrypt bob", "Encrypt(User(\"bob\"))"),
            ("-path d lookup bob", "Once(Lookup(\"bob\"))"),
            ("-path d check bob x", "Once(Check(\"bob\", Secret(hidden), None))"),
            (
                "-path d check bob x 192.0.2.7",
                "Once(Check(\"bob\", Secret(hidden), Some(192.0.2.7)))",
            ),
            ("-path d del bob", "Once(Change(\"bob\", Delete))"),
            (
                "-path d set bob x",
                "Once(Change(\"bob\", Set { secret: Some(Secret(hidden)), info: None }))",
            ),
            (
                "-path d set bob (NULL) info=two~words a=\"1\"~b=\"2\"",
                "Once(Change(\"bob\", Set { secret: None, info: Some(Info([(\"info\", \"two words\"), \
                 (\"a\", \"1\"), (\"b\", \"2\")])) }))",
            ),
            (
                "-path d search bo* -from 2 -max 10",
                "Once(Search { pattern: \"bo*\", from: 2, max: Some(10) })",
            ),
            ("-path d version", "Once(Version)"),
            ("-path d help", "Once(Help)"),
        ];
        for (line, expected) in rows {
            let task = parsed(line).expect("a command line").task;
            assert_eq!(format!("{task:?}"), expected, "{line}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let rows = [
            ("lookup bob", "-path DIR is missing: where are nwauth.txt and nwauth.add?"),
            ("-path", "-path wants a directory"),
            ("-path d -size big", "-size wants a number"),
            ("-path d -nonsense", "unknown option -nonsense"),
            (
                "-path d frob",
                "unknown command frob: check, lookup, set, del, search, version or help",
            ),
            ("-path d check bob", "check wants a user name and a password"),
            ("-path d check bob x y", "check wants an IP address as third word"),
            ("-path d lookup two~words", "lookup wants a user name"),
            ("-path d lookup bob x", "the command does not take that many words"),
            ("-path d set bob x bare", "set wants info fields written label=\"value\""),
            ("-path d search x -from", "search wants a number"),
            ("-path d search x -to 1", "unknown option -to"),
            ("-path d drop_path 7 /m", "drop_path wants hash (0, 1 or 2) and base directory"),
        ];
        for (line, expected) in rows {
            let error = parsed(line).expect_err(line);
            assert_eq!(error.to_string(), expected, "{line}");
        }
    }
}
