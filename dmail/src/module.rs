//! The user bases as the original's programs: each one of
//! [`dmail_backends::programs`] is a module on standard input and output and a
//! command line, by its own name or as `dmail PROGRAM`.
//!
//! ```text
//!   ldapauth -path /etc/dmail                   speaks the line protocol
//!   ldapauth -path /etc/dmail -lookup bob       does one thing
//! ```
//!
//! The program nwauth has more options; its own file has what differs.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dmail_authent::helper::{self, Manners};
use dmail_authent::line::{Quoting, Request};
use dmail_backends::command::{self, Command, UsageError, Words};
use dmail_backends::nwauth::NwAuthConfig;
use dmail_backends::{SourceKind, SourceSettings};
use dmail_core::{Action, Authenticator, Secret};
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::{password, serve, source, terminal};

/// The word in place of a password that has it read from standard input.
const FROM_INPUT: &[u8] = b"-";

/// What the options say.
#[derive(Debug, Default)]
struct Invocation {
    /// `-path`: the folder of the base's file.
    folder: PathBuf,
    /// `-ini`: the file itself.
    file: Option<PathBuf>,
    debug: bool,
    /// `-quote`: arguments are percent-encoded.
    quote: bool,
    /// `-readonly`: neither `set` nor `del`.
    read_only: bool,
    /// `-help`, `-version` and the commands; without one it serves.
    command: Option<Command>,
}

/// Runs the program `name` of this base with the words behind its name.
pub(crate) fn run(
    kind: &'static SourceKind,
    name: &'static str,
    words: Vec<OsString>,
) -> Result<ExitCode, Failure> {
    let usage = usage(kind, name);
    let wrong = |error| Failure::Usage(format!("{error}\n\n{usage}"));
    let invocation = parse(text(words)?).map_err(wrong)?;
    match &invocation.command {
        Some(Command::Help) => {
            terminal::say(&usage)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Version) => {
            terminal::say(version(name))?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let settings = settings(kind, &invocation)?;
    let manners = Manners {
        version: version(name),
        quoting: Quoting { utf8: true, percent: invocation.quote },
        changes: !invocation.read_only,
    };
    begin(invocation.debug);
    serve::run_to_end(async {
        let opened = (kind.open)(&settings).await;
        let base = opened.map_err(Failure::other("cannot open the user base"))?;
        let performed = perform(invocation.command, Arc::clone(&base), &manners).await;
        base.close().await;
        performed
    })
}

/// The arguments as text.
pub(crate) fn text(words: Vec<OsString>) -> Result<Vec<String>, Failure> {
    let words: Result<_, _> = words.into_iter().map(OsString::into_string).collect();
    words.map_err(|_| Failure::Usage("an argument is not UTF-8".into()))
}

/// Prepares the process of a module. Its log is standard error: standard
/// output belongs to the protocol.
pub(crate) fn begin(debug: bool) {
    serve::prepare_process();
    log(debug);
}

/// Sends the log to standard error.
pub(crate) fn log(debug: bool) {
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// Serves `base` on standard input and output, or makes one command and tells
/// by the exit code how it went: 0 for `+OK`, 75 for `-DEAD`, else 1.
pub(crate) async fn perform(
    command: Option<Command>,
    base: Arc<dyn Authenticator>,
    manners: &Manners,
) -> Result<ExitCode, Failure> {
    let Some(command) = command else {
        let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
        let served = helper::serve(input, output, &*base, manners).await;
        base.close().await;
        served.map_err(Failure::other("standard input or output"))?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut reply = Vec::new();
    helper::answer(request(command)?, &*base, manners, &mut reply).await;
    base.close().await;
    terminal::write(&reply)?;
    let last = reply.split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty());
    Ok(match last {
        Some(line) if line.starts_with(b"+OK") => ExitCode::SUCCESS,
        Some(line) if line.starts_with(b"-DEAD") => ExitCode::from(75),
        _ => ExitCode::FAILURE,
    })
}

/// The request that a command of the command line stands for.
fn request(command: Command) -> Result<Request, Failure> {
    let secret = |secret: Secret| match secret.expose() {
        FROM_INPUT => password::read("Password: "),
        _ => Ok(secret),
    };
    Ok(match command {
        Command::Change(user, Action::Delete) => Request::Del { user },
        Command::Change(user, Action::Set { secret: new, info }) => {
            Request::Set { user, secret: new.map(secret).transpose()?, info }
        }
        Command::Check(user, given, client) => {
            Request::Check { user, secret: secret(given)?, client }
        }
        Command::Help => Request::Help,
        Command::Lookup(user) => Request::Lookup { user },
        Command::Search { pattern, from, max } => Request::Search { pattern, from, max },
        Command::Version => Request::Version,
    })
}

fn version(program: &str) -> String {
    format!("{program} (dmail {})", env!("CARGO_PKG_VERSION"))
}

fn usage(kind: &SourceKind, program: &str) -> String {
    let SourceKind { summary, file, .. } = kind;
    let usual = file.map_or("its settings", |file| file.vocabulary.file);
    format!(
        "{summary}\n\n\
         usage: {program} [options] [command]\n\
         options:\n  \
         -path DIR              where {usual} is; without it: here\n  \
         -ini FILE              the file itself\n  \
         -debug                 log everything to standard error\n  \
         -quote                 arguments of the line protocol are percent-encoded\n  \
         -readonly              refuse set and del\n\
         {}",
        command::USAGE
    )
}

fn parse(words: impl IntoIterator<Item = String>) -> Result<Invocation, UsageError> {
    let mut words = Words::new(words);
    let mut invocation = Invocation::default();
    while let Some(word) = words.take() {
        match word.as_str() {
            "-path" => invocation.folder = words.next("-path", "a folder")?.into(),
            "-ini" => invocation.file = Some(words.next("-ini", "a file")?.into()),
            "-debug" => invocation.debug = true,
            "-quote" => invocation.quote = true,
            "-readonly" => invocation.read_only = true,
            _ => {
                let command = word.trim_start_matches('-');
                invocation.command = Some(match command::parse(command, &mut words) {
                    Err(UsageError::UnknownCommand(_)) if word.starts_with('-') => {
                        return Err(UsageError::UnknownOption(word));
                    }
                    parsed => parsed?,
                });
            }
        }
    }
    Ok(invocation)
}

/// What a base is opened with that has no dmail.conf. Its file is judged first,
/// so that all mistakes are seen at once, with their places.
fn settings(kind: &SourceKind, invocation: &Invocation) -> Result<SourceSettings, Failure> {
    let folder = std::path::absolute(&invocation.folder).or_else(|_| std::env::current_dir());
    let folder = folder.map_err(Failure::other("cannot find the folder"))?;
    let file = match &invocation.file {
        Some(file) => std::path::absolute(file).map_err(Failure::file("cannot find", file))?,
        None => folder.join(kind.file.map_or("", |file| file.vocabulary.file)),
    };
    source::judge_file(kind, &file)?;
    Ok(SourceSettings {
        file,
        launcher: source::launcher()?,
        nwauth: NwAuthConfig { read_only: invocation.read_only, ..NwAuthConfig::new(folder) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, UsageError> {
        parse(line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned))
    }

    #[test]
    fn options_and_commands_are_read_with_and_without_a_dash() {
        let run = parsed("-path /etc/dmail -debug -quote -readonly -ini x.ini").expect("options");
        assert_eq!(run.folder, PathBuf::from("/etc/dmail"));
        assert_eq!(run.file, Some(PathBuf::from("x.ini")));
        assert!(run.debug && run.quote && run.read_only && run.command.is_none());
        for line in ["-path d -lookup bob", "-path d lookup bob"] {
            let command = parsed(line).expect("a command").command;
            assert!(matches!(command, Some(Command::Lookup(_))), "{line}");
        }
        let rows = [
            ("-path", "-path wants a folder"),
            ("-nonsense", "unknown option -nonsense"),
            ("-check bob", "check wants a user name and a password"),
            ("frob", "unknown command frob: check, lookup, set, del, search, version or help"),
        ];
        for (line, expected) in rows {
            assert_eq!(parsed(line).expect_err(line).to_string(), expected, "{line}");
        }
    }

    #[test]
    fn every_base_has_its_usage() {
        for (kind, name) in dmail_backends::programs() {
            let usage = usage(kind, name);
            assert!(usage.contains(name) && usage.contains("-path DIR"), "{usage}");
        }
    }
}
