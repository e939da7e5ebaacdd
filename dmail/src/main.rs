//! The dmail programs in one binary: the servers, and the tools around them.
//!
//! It answers to `dmail COMMAND`, and to the original's program names by the
//! name that it is called by (`nwauth`). There is no logic here: it reads the
//! configuration, builds, runs and drains.

// These programs talk to their user on standard output.
#![allow(clippy::print_stdout)]

mod assemble;
mod authent;
mod check;
mod cli;
mod configuration;
mod explain;
mod failure;
mod home;
mod launcher;
mod live;
mod logging;
mod nwauth;
mod password;
mod serve;
mod source;
mod start;
mod tcpauthsvr;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let result = match Path::new(&called).file_name().and_then(|name| name.to_str()) {
        Some("nwauth") => nwauth::run(words),
        Some("tcpauthsvr") => tcpauthsvr::run(words),
        _ => run(),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("dmail: {failure}");
            failure.exit_code()
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    match Cli::parse().command {
        Command::Authent(arguments) => authent::run(arguments),
        Command::CheckConfig(arguments) => check::config(&arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::ModuleExec(arguments) => Err(launcher::run(arguments)),
        Command::Nwauth { words } => nwauth::run(words),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Settings(arguments) => check::settings(&arguments),
        Command::Start(arguments) => start::run(&arguments),
        Command::Tcpauthsvr { words } => tcpauthsvr::run(words),
    }
}
