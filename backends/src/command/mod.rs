//! Commands given as words of a command line, as the original's module programs
//! take them: `check bob secret 192.0.2.7`, with or without a dash in front.
//!
//! Words come from a shell, which has taken quotes away: `info="two words"`
//! arrives as `info=two words`, and is read so.

mod words;

use std::net::IpAddr;

use dmail_core::{Action, Info, Secret, Username};

pub use words::Words;

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
        /// How many hits to show at most.
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
    /// What has to be there is not.
    #[error("{0}")]
    Missing(&'static str),
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

/// The commands, for manuals.
pub const USAGE: &str = "\
commands:
  check USER PASSWORD [ADDRESS]      set USER PASSWORD|(NULL) [LABEL=VALUE ...]
  lookup USER                        del USER
  search TEXT [-from N] [-max M]     version, help
With - for PASSWORD it is read from the terminal or standard input: whatever is
on a command line can be seen by others on this machine.
Without a command, reads commands from standard input.";

/// Reads the words that belong to `command`, up to the end.
///
/// # Errors
///
/// Says what is missing or not known.
pub fn parse(command: &str, words: &mut Words) -> Result<Command, UsageError> {
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
    let address = words.take().map(|word| word.parse()).transpose();
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
    while let Some(word) = words.take() {
        // As in the line protocol, nothing keeps what there is: a script whose
        // variable is empty does not mean to take all fields away.
        if word.trim().is_empty() {
            continue;
        }
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
    while let Some(option) = words.take() {
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
