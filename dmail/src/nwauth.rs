//! `nwauth`: the NWAuth user base as the original's program, a module on
//! standard input and output and a command line.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use dmail_authent::helper::Manners;
use dmail_authent::line::Quoting;
use dmail_backends::command::USAGE;
use dmail_backends::nwauth::aids::{Placed, Sleepy};
use dmail_backends::nwauth::cli::{self, Invocation, OPTIONS, Task};
use dmail_backends::nwauth::log::Logged;
use dmail_backends::nwauth::{MaintenanceError, NwAuth};
use dmail_core::Authenticator;

use crate::failure::Failure;
use crate::{module, serve, terminal};

/// Runs the program with the words behind its name.
pub(crate) fn run(words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let usage = |error| Failure::Usage(format!("{error}\n\n{OPTIONS}\n{USAGE}"));
    let invocation = cli::parse(module::text(words)?).map_err(usage)?;
    module::begin(invocation.debug);
    serve::run_to_end(perform(invocation))
}

async fn perform(invocation: Invocation) -> Result<ExitCode, Failure> {
    let base = NwAuth::open(invocation.config.clone())
        .map_err(Failure::other("cannot open the NWAuth user base"))?;
    let maintained = |done: Result<String, MaintenanceError>| {
        let text = done.map_err(Failure::other("not done"))?;
        terminal::say(text)?;
        Ok(ExitCode::SUCCESS)
    };
    match &invocation.task {
        Task::Encrypt(whose) => {
            maintained(base.encrypt(whose).map(|count| format!("{count} passwords hashed")))
        }
        Task::Generate(last) => {
            maintained(base.generate(*last).map(|count| format!("{count} users added")))
        }
        Task::Serve => module::perform(None, dressed(base, &invocation)?, &manners()).await,
        Task::Once(command) => {
            let command = Some(command.clone());
            module::perform(command, dressed(base, &invocation)?, &manners()).await
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
