//! A dialect on standard input and output.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use dmail_core::Authenticator;
use dmail_dialects::Session;
use dmail_dialects::serve::{End, Manners, Piped, converse};
use dmail_net::Shutdown;

use super::options::Options;
use super::{Program, gateway};
use crate::failure::Failure;
use crate::module;

/// How many questions are under way at a time. Until one is answered, no more
/// is read.
const OUTSTANDING: usize = 64;
/// What a program ends with that could not get an answer: "try again later".
const TEMPORARY: u8 = 75;

/// Runs `program`, whose conversation is made by `session`.
pub(super) fn run(
    program: &Program,
    words: Vec<OsString>,
    session: impl FnOnce(&Options) -> Box<dyn Session>,
) -> Result<ExitCode, Failure> {
    let Some(options) = program.options(words)? else { return Ok(ExitCode::SUCCESS) };
    if let Some(word) = options.rest.first() {
        return Err(Failure::Usage(format!("unknown word {}", word.display())));
    }
    module::begin(options.debug);
    let session = session(&options);
    let manners = Arc::new(Manners {
        service: options.service,
        timeout: options.timeout,
        outstanding: OUTSTANDING,
        ..Manners::of_program(program.name)
    });
    let end = gateway::run(async {
        let gateway = Arc::new(gateway::connect(&options, OUTSTANDING));
        let asked = Arc::clone(&gateway) as Arc<dyn Authenticator>;
        let shutdown = Shutdown::new();
        let end = converse(manners, asked, session, Piped::of_process(), &shutdown).await;
        gateway.close().await;
        end
    })?;
    match end {
        End::Closed => Ok(ExitCode::SUCCESS),
        // The end is how these dialects say that nobody could decide.
        End::Done | End::BrokenOff => Ok(ExitCode::from(TEMPORARY)),
        end => Err(Failure::Other(format!("{}: {end}", program.name))),
    }
}
