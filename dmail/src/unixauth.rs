//! `unixauth -helper`: one helper of the base `unix_user`, which asks this machine
//! in its own process. The base starts it; without `-helper`, the program is a
//! module as all others are.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

use dmail_authent::line::Quoting;
use dmail_unix::settings::{self, Method};
use dmail_unix::{LocalUsers, helper};
use nix::unistd::{dup2_stdin, dup2_stdout};
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::{configuration, serve};

/// What the program can be told.
const USAGE: &str = "\
usage: unixauth -helper -ini FILE [-method METHOD] [-debug]

Answers the line protocol (check, lookup, search), with arguments that are
percent-encoded, on standard input and output, and ends after some thousand
questions. It has to run as root, or in group shadow with `method shadow`.

  -ini FILE    its settings
  -method M    pam or shadow, whatever the settings say
  -debug       say on standard error what PAM answers";

/// The words of the command line.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    file: PathBuf,
    method: Option<Method>,
    debug: bool,
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
    let (input, output) = streams().map_err(Failure::other("standard input or output"))?;
    let loaded = settings::read(&options.file);
    let (mut settings, warnings) = loaded.map_err(Failure::other("wrong settings"))?;
    settings.password.method = options.method.unwrap_or(settings.password.method);
    if !warnings.is_empty() {
        configuration::print(&warnings);
    }
    let users = LocalUsers::open(settings).map_err(Failure::other("cannot ask this machine"))?;
    let manners = LocalUsers::manners(Quoting { utf8: false, percent: true });
    serve::run_to_end(async move {
        let (input, output) = (tokio::fs::File::from(input), tokio::fs::File::from(output));
        helper::serve(input, output, users, &manners)
            .await
            .map_err(Failure::other("standard input or output"))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The streams of the protocol, taken away from standard input and output.
/// Modules of PAM and NSS print what they like there, and start programs that
/// read: a line of theirs would be an answer, and a question could get lost.
/// What they print goes to the log.
fn streams() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok((input.into(), output.into()))
}

fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let (mut file, mut method, mut debug) = (None, None, false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = |option| words.next().ok_or(format!("{option} needs a name behind it"));
        match word.to_str() {
            Some("-ini") => file = Some(PathBuf::from(value("-ini")?)),
            Some("-method") => {
                let word = value("-method")?;
                let known = word.to_str().and_then(Method::of_name);
                method = Some(known.ok_or("-method is auto, pam or shadow")?);
            }
            Some("-debug") => debug = true,
            // What the program was chosen by.
            Some("-helper") => {}
            _ => return Err(format!("unknown option {}", word.to_string_lossy())),
        }
    }
    let file = file.ok_or("-ini FILE is missing")?;
    Ok(Options { file, method, debug })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_told_its_file_and_its_method() {
        let read = |line: &str| parse(line.split_whitespace().map(OsString::from).collect());
        let options = |method, debug| Ok(Options { file: "/x/y".into(), method, debug });
        assert_eq!(read("-helper -ini /x/y"), options(None, false));
        assert_eq!(read("-helper -ini /x/y -method pam"), options(Some(Method::Pam), false));
        assert_eq!(read("-debug -ini /x/y -helper"), options(None, true));
        assert_eq!(read("-helper"), Err("-ini FILE is missing".into()));
        assert_eq!(read("-helper -ini"), Err("-ini needs a name behind it".into()));
        assert_eq!(read("-helper -method pom"), Err("-method is auto, pam or shadow".into()));
        assert_eq!(read("-helper -path /x"), Err("unknown option -path".into()));
    }
}
