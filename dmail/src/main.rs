//! The dmail programs in one binary: the servers, and the tools around them.
//!
//! It answers to `dmail COMMAND`, and to the original's program names by the
//! name that it is called by (`nwauth`, `ldapauth` …). There is no logic here: it reads the
//! configuration, builds, runs and drains.

mod assemble;
mod authent;
mod check;
mod cli;
mod configuration;
mod control;
mod dialects;
mod explain;
mod failure;
mod home;
mod launcher;
mod listen;
mod live;
mod logging;
mod module;
mod news;
mod nwauth;
mod password;
mod policy;
mod serve;
mod source;
mod start;
mod stdio;
mod tcpauthsvr;
mod terminal;
mod throttle;
mod transfer;
mod unixauth;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use dmail_backends::SourceKind;

use cli::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let called = Path::new(&called).file_name().and_then(|name| name.to_str());
    let result = match called.and_then(dmail_backends::program) {
        Some((kind, name)) => program(kind, name, words),
        None if called == Some("tcpauthsvr") => tcpauthsvr::run(words),
        None => match called.and_then(stdio::program) {
            Some(program) => program.run(words),
            None => run(words),
        },
    };
    let code = result.unwrap_or_else(|failure| {
        terminal::complain(format_args!("dmail: {failure}"));
        failure.exit_code()
    });
    logging::finish();
    code
}

fn run(mut words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let named = words.first().and_then(|word| word.to_str()).unwrap_or_default();
    if let Some((kind, name)) = dmail_backends::program(named) {
        return program(kind, name, words.split_off(1));
    }
    if let Some(program) = stdio::program(named) {
        return program.run(words.split_off(1));
    }
    if stdio::is_reply(named) {
        return stdio::reply();
    }
    match Cli::parse().command {
        Command::Authent(arguments) => authent::run(arguments),
        Command::CheckConfig(arguments) => check::config(&arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::ModuleExec(arguments) => launcher::run(arguments),
        Command::Policy(arguments) => policy::run(arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Settings(arguments) => check::settings(&arguments),
        Command::Start(arguments) => start::run(&arguments),
        Command::Tcpauthsvr { words } => tcpauthsvr::run(words),
        Command::Throttle(arguments) => throttle::run(arguments),
    }
}

/// A user base as the original's program, which is called `name`.
fn program(
    kind: &'static SourceKind,
    name: &'static str,
    words: Vec<OsString>,
) -> Result<ExitCode, Failure> {
    match name {
        "nwauth" => nwauth::run(words),
        // One helper of the base, instead of the base with its helpers.
        "unixauth" if words.iter().any(|word| word == "-helper") => unixauth::run(words),
        _ => module::run(kind, name, words),
    }
}
