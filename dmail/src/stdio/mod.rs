//! Programs that other mail servers start, and that ask the running gateway
//! over its socket: each a dialect on standard input and output, or (for
//! checkpassword) on descriptor 3.
//!
//! ```text
//!   ejabberd ─ stdin, stdout ─▶ dmail extauth ─▶ Session ─▶ tcpauth client
//!                                                               │ unix socket
//!                                        the running gateway ◀──┘ (dialect tcpauth)
//! ```
//!
//! They answer to `dmail NAME`, and to their names alone or behind `dmail-`, so
//! that a symbolic link does where a server takes no arguments.

mod checkpassword;
mod descriptor;
mod gateway;
mod options;
mod pipe;
mod reply;

use std::ffi::OsString;
use std::process::ExitCode;

use dmail_dialects::UnixAccount;
use dmail_dialects::authdaemon::AuthdaemonSession;
use dmail_dialects::extauth::ExtauthSession;
use dmail_dialects::proc_exec::ProcExecSession;

use crate::failure::Failure;
use crate::terminal;
use options::Options;

/// A program of this kind.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: &'static str,
    /// One line for manuals.
    pub(crate) summary: &'static str,
    /// Runs it with the words behind its name.
    run: fn(&Self, Vec<OsString>) -> Result<ExitCode, Failure>,
    /// What it takes beside the options of all.
    usage: &'static str,
}

/// The programs that there are.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "authpipe",
        summary: "Courier's authpipe: authdaemond asks this gateway",
        run: |program, words| {
            pipe::run(program, words, |options| {
                let (uid, gid) = options.owner();
                let config = UnixAccount { uid, gid, home: options.home() };
                Box::new(AuthdaemonSession::new(config, false))
            })
        },
        usage: options::ACCOUNT,
    },
    Program {
        name: checkpassword::NAME,
        summary: "checkpassword: qmail's programs and Dovecot 2.3 ask this gateway",
        run: |program, words| checkpassword::run(program, words),
        usage: checkpassword::USAGE,
    },
    Program {
        name: "extauth",
        summary: "ejabberd's external authentication: it asks this gateway",
        run: |program, words| {
            pipe::run(program, words, |options| {
                Box::new(match options.changes {
                    true => ExtauthSession::with_changes(),
                    false => ExtauthSession::new(),
                })
            })
        },
        usage: options::CHANGES,
    },
    Program {
        name: "proc-exec",
        summary: "OpenSMTPD's proc-exec table: smtpd asks this gateway",
        run: |program, words| {
            pipe::run(program, words, |options| {
                let (uid, gid) = options.owner();
                let config = UnixAccount { uid, gid, home: options.home() };
                Box::new(ProcExecSession::new(config))
            })
        },
        usage: options::ACCOUNT,
    },
];

/// The program of this name, or of this name behind `dmail-`.
pub(crate) fn program(name: &str) -> Option<&'static Program> {
    let name = name.strip_prefix("dmail-").unwrap_or(name);
    PROGRAMS.iter().find(|program| program.name == name)
}

/// The program that a checkpassword program becomes when it is a source.
pub(crate) fn is_reply(name: &str) -> bool {
    name == reply::NAME
}

/// Runs it.
pub(crate) fn reply() -> Result<ExitCode, Failure> {
    reply::run()
}

impl Program {
    /// Runs it with the words behind its name.
    pub(crate) fn run(&'static self, words: Vec<OsString>) -> Result<ExitCode, Failure> {
        (self.run)(self, words)
    }

    /// What its command line may be.
    fn usage(&self) -> String {
        let Self { name, summary, usage, .. } = self;
        format!("{summary}\n\nusage: {name} [options]{usage}\n{}", options::COMMON)
    }

    /// Reads its command line; `None` if it asks for help, which is printed.
    fn options(&self, words: Vec<OsString>) -> Result<Option<Options>, Failure> {
        let usage = |error: String| Failure::Usage(format!("{error}\n\n{}", self.usage()));
        match Options::parse(words).map_err(usage)? {
            Some(options) => Ok(Some(options)),
            None => {
                terminal::say(self.usage())?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_names() {
        for name in ["extauth", "dmail-extauth"] {
            assert_eq!(program(name).map(|program| program.name), Some("extauth"));
        }
        assert!(program("dmail").is_none() && program("dmail-").is_none());
        let names = PROGRAMS.iter().map(|program| program.name);
        assert!(names.eq(dmail_core::config::PROGRAM_DIALECTS), "the log knows them all");
        for program in PROGRAMS {
            assert!(program.usage().contains("-socket"), "{}", program.name);
            assert!(dmail_backends::program(program.name).is_none(), "{}", program.name);
        }
    }
}
