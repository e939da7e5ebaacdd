//! `nwauth`: the NWAuth user base as the original's program, a module on
//! standard input and output and a command line.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use dmail_authent::helper::{self, Manners};
use dmail_authent::line::{Quoting, Request};
use dmail_backends::nwauth::aids::{Placed, Sleepy};
use dmail_backends::nwauth::cli::{self, Command, Invocation, Task, USAGE};
use dmail_backends::nwauth::log::Logged;
use dmail_backends::nwauth::{MaintenanceError, NwAuth};
use dmail_core::{Action, Authenticator};
use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;
use crate::serve;

/// Runs the program with the words behind its name.
pub(crate) fn run(words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let words: Result<Vec<String>, _> = words.into_iter().map(OsString::into_string).collect();
    let words = words.map_err(|_| Failure::Usage("an argument is not UTF-8".into()))?;
    let invocation =
        cli::parse(words).map_err(|error| Failure::Usage(format!("{error}\n\n{USAGE}")))?;
    serve::prepare_process();
    let level = if invocation.debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    // Standard output belongs to the protocol.
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    serve::run_to_end(perform(invocation))
}

async fn perform(invocation: Invocation) -> Result<ExitCode, Failure> {
    let base = NwAuth::open(invocation.config.clone())
        .map_err(Failure::other("cannot open the NWAuth user base"))?;
    let maintained = |done: Result<String, MaintenanceError>| {
        let text = done.map_err(Failure::other("not done"))?;
        println!("{text}");
        Ok(ExitCode::SUCCESS)
    };
    match &invocation.task {
        Task::Encrypt(whose) => {
            maintained(base.encrypt(whose).map(|count| format!("{count} passwords hashed")))
        }
        Task::Generate(last) => {
            maintained(base.generate(*last).map(|count| format!("{count} users added")))
        }
        Task::Serve => {
            let source = dressed(base, &invocation)?;
            let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
            helper::serve(input, output, &*source, &manners())
                .await
                .map_err(Failure::other("standard input or output"))?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Once(command) => {
            let source = dressed(base, &invocation)?;
            let mut reply = Vec::new();
            helper::answer(request(command.clone()), &*source, &manners(), &mut reply).await;
            std::io::stdout().write_all(&reply).map_err(Failure::other("standard output"))?;
            let last = reply.split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty());
            Ok(match last {
                Some(line) if line.starts_with(b"+OK") => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            })
        }
    }
}

fn manners() -> Manners {
    Manners {
        version: concat!("NWAuth (dmail ", env!("CARGO_PKG_VERSION"), ")").into(),
        quoting: Quoting { utf8: true, percent: false },
        changes: true,
    }
}

/// The base with the test aids and the log that the options ask for.
fn dressed(base: NwAuth, invocation: &Invocation) -> Result<Arc<dyn Authenticator>, Failure> {
    let mut source: Arc<dyn Authenticator> = Arc::new(base);
    if let Some(layout) = &invocation.drop_path {
        source = Arc::new(Placed::new(source, layout.clone()));
    }
    if let Some((every, pause)) = invocation.sleep {
        source = Arc::new(Sleepy::new(source, every, pause));
    }
    if let Some(passwords) = invocation.log {
        let directory = &invocation.config.directory;
        let logged = Logged::open(source, directory, passwords)
            .map_err(Failure::other("cannot write the log"))?;
        source = Arc::new(logged);
    }
    Ok(source)
}

/// The request that a command of the command line stands for.
fn request(command: Command) -> Request {
    match command {
        Command::Change(user, Action::Delete) => Request::Del { user },
        Command::Change(user, Action::Set { secret, info }) => Request::Set { user, secret, info },
        Command::Check(user, secret, client) => Request::Check { user, secret, client },
        Command::Help => Request::Help,
        Command::Lookup(user) => Request::Lookup { user },
        Command::Search { pattern, from, max } => Request::Search { pattern, from, max },
        Command::Version => Request::Version,
    }
}
