//! The command words: what the line protocol calls verbs.

use dmail_core::{Action, Info, Secret};

use super::words::Words;
use super::{Command, UsageError};

/// A command takes all words to the end.
pub(super) fn parse(command: &str, words: &mut Words) -> Result<Command, UsageError> {
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
