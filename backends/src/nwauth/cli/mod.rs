//! The classic command line: `nwauth -path DIR [options] [command words]`.
//!
//! ```text
//!   nwauth -path /var/dmail                                  speaks the line protocol
//!   nwauth -path /var/dmail set bob secret info="details"    does one thing
//!   nwauth -path /var/dmail -generate 1000                   makes test0 … test1000
//! ```
//!
//! Options have one dash and their arguments behind a blank, as scripts of
//! twenty years have them.

mod options;

use std::path::PathBuf;
use std::time::Duration;

use dmail_core::HashSpool;

use super::{Encrypt, NwAuthConfig};
use crate::command::{self, Words};
pub use crate::command::{Command, UsageError};
use options::Options;

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
    /// 0, 1 or 2.
    pub hash_spool: HashSpool,
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

/// The options, for whoever calls the program wrongly; [`command::USAGE`] has
/// the rest.
pub const OPTIONS: &str = "\
usage: nwauth -path DIR [options] [command]
options:
  -path DIR              where nwauth.txt, nwauth.add and nwauth.log are
  -readonly              change nothing
  -rehash                store weak passwords anew when their users log in
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
  drop_path HASH BASE    answer with drop paths below BASE (hash_spool 0, 1, 2)";

/// Parses the words behind the program's name.
///
/// # Errors
///
/// Says what is missing or not known.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Invocation, UsageError> {
    let mut words = Words::new(words);
    let mut options = Options::default();
    let mut command = None;
    while let Some(word) = words.take() {
        // The one option of the original that has no dash.
        if word.starts_with('-') || word == "drop_path" {
            options.take(&word, &mut words)?;
        } else {
            command = Some(command::parse(&word, &mut words)?);
        }
    }
    options.invocation(command)
}

#[cfg(test)]
mod tests {
    use super::super::NamePolicy;
    use super::super::log::Passwords;
    use super::*;

    /// Parses words that are split at blanks; `~` stands for a blank in a word.
    fn parsed(line: &str) -> Result<Invocation, UsageError> {
        parse(line.split(' ').map(|word| word.replace('~', " ")))
    }

    #[test]
    fn options_are_read_as_scripts_write_them() {
        let run = parse(
            "-path /var/dmail -debug -log -logpass -readonly -rehash -size 5000 -sleep 3 20 -badchar +% \
             -badchar_localpart = -allowats -allowhighascii drop_path 2 /mail"
                .split_whitespace()
                .map(str::to_owned),
        )
        .expect("a command line");
        assert_eq!(run.config.directory, PathBuf::from("/var/dmail"));
        assert_eq!(run.config.journal_limit, Some(5000));
        assert!(run.debug && run.config.read_only && run.config.rehash);
        assert_eq!(run.log, Some(Passwords::Shown));
        assert_eq!(run.sleep, Some((3, Duration::from_secs(20))));
        let names = NamePolicy {
            forbidden: "+%".to_owned(),
            forbidden_in_local_part: "=".to_owned(),
            allow_ats: true,
            allow_high: true,
        };
        assert_eq!(run.config.names, names);
        let layout = DropLayout { hash_spool: HashSpool::TwoLetters, base: "/mail".into() };
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
            ("-path d set bob (NULL) ", "Once(Change(\"bob\", Set { secret: None, info: None }))"),
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
