//! Load generators: how fast dmail is, always beside a bare server that does
//! nothing but move the same bytes, in the same run.
//!
//! ```text
//!   scenario ── clients ──▶ load ──▶ ours: the gateway, the pool, or the real `dmail serve`
//!      │                      └────▶ bare: a fixed answer, `cat`, or a line server
//!      ▼
//!   contest: rounds in turns, medians, ratios ──▶ report
//! ```
//!
//! It is no test: it checks every answer, but only so that nothing wrong is
//! timed.

// A table on standard output is the purpose of this program.
#![allow(clippy::print_stdout)]

mod bare;
mod contest;
mod daemon;
mod failure;
mod load;
mod mail;
mod measure;
mod peer;
mod process;
mod program;
mod report;
mod scenario;
mod script;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use contest::Effort;
use failure::Failure;
use report::Report;

/// Measures dmail beside bare servers, on this machine, now.
#[derive(Debug, Parser)]
#[command(name = "dmail-bench", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Fewer and shorter rounds: a look, not a measurement
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Every scenario
    All,
    /// Cached checks through the whole gateway, in process
    Gateway,
    /// Memory for each user that the cache remembers
    Memory,
    /// Cached logins while somebody guesses
    Guesses,
    /// The line protocol over a unix socket
    Line,
    /// Other servers' dialects, beside Dovecot's auth and saslauthd
    Dialects,
    /// nginx's auth_http over TCP, beside an nginx with a fixed answer
    AuthHttp,
    /// Postfix's policy delegation: requests, and memory of what logins sent
    Policy,
    /// SMTP logins through Postfix, beside one that asks Dovecot's auth
    Postfix,
    /// The line protocol over the pipes of child modules
    Modules,
    /// POP3 sessions: login, STAT, QUIT
    Pop,
    /// SMTP: messages of 4 KB, durably into drop files
    Smtp,
    /// Memory of idle POP3 connections that are logged in
    Idle,
    /// Memory after logins whose passwords are stored as argon2id
    Hashed,
    /// Uncached binds at a directory, beside slapd alone
    Ldap,
    /// Uncached rows of a table, beside a bare client of MariaDB
    Sql,
    /// Opening a large drop file
    Open,
    /// An NWAuth base of 5,000,000 users
    Nwauth,
    /// Be the process that remembers users
    #[command(hide = true)]
    Remember {
        /// What it fills
        kind: scenario::Kind,
    },
    /// Be the process that finds users in a large base
    #[command(hide = true)]
    FindUsers {
        /// Where the base is
        home: PathBuf,
        /// How many it has
        users: usize,
    },
    /// Be the line server that knows one answer
    #[command(hide = true)]
    BareLines {
        /// Where it listens
        socket: PathBuf,
        /// How many lines a request has
        lines: usize,
        /// What it answers
        answer: String,
    },
    /// Be the module that has an answer to everything
    #[command(hide = true)]
    BareModule,
    /// Be the server that answers from a script
    #[command(hide = true)]
    BareServer {
        /// The greeting, and the replies
        #[arg(allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::BareLines { socket, lines, answer } => {
            bare::lines::run(&socket, lines, &answer).map(|()| ExitCode::SUCCESS)
        }
        Command::BareModule => bare::module::run().map(|()| ExitCode::SUCCESS),
        Command::BareServer { words } => bare::server::run(words).map(|()| ExitCode::SUCCESS),
        Command::Remember { kind } => scenario::remember(kind).map(|()| ExitCode::SUCCESS),
        Command::FindUsers { home, users } => {
            scenario::find_users(&home, users).map(|()| ExitCode::SUCCESS)
        }
        scenario => measure(&scenario, Effort::new(cli.quick)),
    };
    done.unwrap_or_else(|failure| {
        eprintln!("dmail-bench: {failure}");
        ExitCode::FAILURE
    })
}

/// Runs one scenario or all; a wrong answer anywhere fails the run.
fn measure(wanted: &Command, effort: Effort) -> Result<ExitCode, Failure> {
    if cfg!(debug_assertions) {
        eprintln!("dmail-bench: this is a debug build, its figures mean nothing; use --release");
    }
    let mut report = Report::new();
    for (command, run) in scenario::ALL {
        if matches!(wanted, Command::All) || same(wanted, &command) {
            run(effort, &mut report)?;
        }
    }
    Ok(report.close())
}

fn same(one: &Command, other: &Command) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
