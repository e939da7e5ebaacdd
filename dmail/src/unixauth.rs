//! `unixauth`: the users of this machine as a module on standard input and
//! output. The servers run it as the helpers of `authent_method unix_user`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use dmail_authent::line::Quoting;
use dmail_unix::{LocalUsers, helper, settings};
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::{configuration, serve};

/// What the program can be told.
const USAGE: &str = "\
usage: unixauth [-ini FILE | -path DIR] [-debug] [-helper]

Answers the line protocol (check, lookup, search) on standard input and output.
It has to run as root, or in group shadow with `method shadow`.

  -ini FILE    its settings [default: unixauth.ini in the folder of -path]
  -path DIR    the folder of unixauth.ini [default: /etc]
  -debug       say on standard error what PAM answers
  -helper      take arguments percent-encoded, and end after some thousand
               questions: how the servers start it";

/// The words of the command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    file: PathBuf,
    debug: bool,
    helper: bool,
}

/// Runs the program with the words behind its name.
pub(crate) fn run(words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let options = parse(words).map_err(|error| Failure::Usage(format!("{error}\n\n{USAGE}")))?;
    serve::prepare_process();
    let level = if options.debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    // Standard output belongs to the protocol, and the server's log has the time.
    tracing_subscriber::fmt()
        .with_max_level(level)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let loaded = settings::read(&options.file);
    let (settings, warnings) = loaded.map_err(Failure::other("wrong settings"))?;
    if !warnings.is_empty() {
        configuration::print(&warnings);
    }
    let users = LocalUsers::open(settings).map_err(Failure::other("cannot ask this machine"))?;
    let manners = LocalUsers::manners(Quoting { utf8: false, percent: options.helper });
    serve::run_to_end(async move {
        let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
        helper::serve(input, output, users, &manners, options.helper)
            .await
            .map_err(Failure::other("standard input or output"))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let (mut file, mut folder) = (None, PathBuf::from("/etc"));
    let (mut debug, mut helper) = (false, false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = |option| words.next().ok_or(format!("{option} needs a name behind it"));
        match word.to_str() {
            Some("-ini") => file = Some(PathBuf::from(value("-ini")?)),
            Some("-path") => folder = PathBuf::from(value("-path")?),
            Some("-debug") => debug = true,
            Some("-helper") => helper = true,
            _ => return Err(format!("unknown option {}", word.to_string_lossy())),
        }
    }
    let beside = || folder.join(settings::VOCABULARY.file);
    Ok(Options { file: file.unwrap_or_else(beside), debug, helper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_options_are_those_of_the_other_programs() {
        let read = |line: &str| parse(line.split_whitespace().map(OsString::from).collect());
        let options = |file: &str, debug, helper| Ok(Options { file: file.into(), debug, helper });
        assert_eq!(read(""), options("/etc/unixauth.ini", false, false));
        assert_eq!(read("-path /x -debug"), options("/x/unixauth.ini", true, false));
        assert_eq!(read("-helper -ini /x/y"), options("/x/y", false, true));
        assert_eq!(read("-ini"), Err("-ini needs a name behind it".into()));
        assert_eq!(read("check bob"), Err("unknown option check".into()));
    }
}
