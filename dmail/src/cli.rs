//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dmail_core::config::{dialect_name, dialect_names};
use dmail_core::{Service, SessionId, Transport};
use dmail_transfer::Format;

use crate::stdio;

/// Mail servers that log their users in through any user base.
#[derive(Debug, Parser)]
#[command(name = "dmail", version, max_term_width = 100, after_help = programs())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything from one folder, which is made if it is not there
    Start(StartArgs),
    /// Run the servers of a configuration
    Serve(ServeArgs),
    /// Print all that is wrong with a configuration
    CheckConfig(CheckArgs),
    /// Print the manual of the settings
    Settings(SettingsArgs),
    /// Ask the configured gateway
    Authent(AuthentArgs),
    /// Show how the gateway comes to its answer, step by step
    Explain(ExplainArgs),
    /// Show or forget what logins have sent through servers that ask for the policy
    Policy(PolicyArgs),
    /// Show or forget the wrong passwords that the running servers count
    Throttle(ThrottleArgs),
    /// The TCPAuth daemon: other machines ask the user base of this one
    #[command(disable_help_flag = true)]
    Tcpauthsvr {
        /// -config FILE: the configuration [default: /etc/tcpauthsvr.conf]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
        words: Vec<OsString>,
    },
    /// Become a module (the servers start their modules through this)
    #[command(hide = true)]
    ModuleExec(ModuleExecArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The folder of configuration, users and mail
    #[arg(long, value_name = "DIR", default_value = "dmail-home")]
    pub(crate) home: PathBuf,
    /// Serve SMTP on this port of 127.0.0.1 instead of the configured ones
    #[arg(long, value_name = "N")]
    pub(crate) smtp_port: Option<u16>,
    /// Serve POP3 on this port of 127.0.0.1 instead of the configured ones
    #[arg(long, value_name = "N")]
    pub(crate) pop_port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration
    #[arg(short, long = "config", value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) config: PathBuf,
    /// Run only this server
    #[arg(long, value_enum)]
    pub(crate) only: Option<Role>,
}

/// A server that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The dialects of other servers
    Dialects,
    /// DPOP
    Pop,
    /// DSMTP
    Smtp,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration [default: ./dmail-home/dmail.conf, else /etc/dmail.conf]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// Only this setting
    pub(crate) name: Option<String>,
    /// Print Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AuthentArgs {
    /// The configuration [default: ./dmail-home/dmail.conf, else /etc/dmail.conf]
    #[arg(short, long = "config", value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: AuthentVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthentVerb {
    #[command(flatten)]
    Ask(AskVerb),
    /// Take users in from a file or another user base
    Import(ImportArgs),
    /// Write all users, with their stored passwords, into a file
    Export(ExportArgs),
    /// Show what differs between two user bases
    Diff(DiffArgs),
}

/// What the gateway can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum AskVerb {
    /// Verify a password, which is read from the terminal or standard input
    Check {
        /// The name, as a client would give it
        user: String,
        #[command(flatten)]
        origin: OriginArgs,
    },
    /// Show a user's account
    Lookup {
        /// The name, as a client would give it
        user: String,
        #[command(flatten)]
        origin: OriginArgs,
    },
    /// Add a user or change one; the password is read from the terminal or
    /// standard input
    Set {
        /// The name, as a client would give it
        user: String,
        /// Keep the present password
        #[arg(long)]
        keep_password: bool,
        /// Info fields, which replace all present ones
        #[arg(value_name = "LABEL=VALUE")]
        info: Vec<String>,
    },
    /// Remove a user
    Del {
        /// The name, as a client would give it
        user: String,
    },
    /// List users
    Search {
        /// A wildcard with * and ?, or a part of the name
        pattern: String,
        /// How many hits to skip
        #[arg(long, value_name = "N", default_value_t = 0)]
        from: usize,
        /// How many hits to show at most
        #[arg(long, value_name = "M")]
        max: Option<usize>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = BASE_HELP)]
pub(crate) struct ImportArgs {
    /// What the file is
    #[arg(value_parser = parse_format, required_unless_present = "from", requires = "file")]
    pub(crate) format: Option<Format>,
    /// The file, or - for standard input
    pub(crate) file: Option<PathBuf>,
    /// Take the users from this user base instead of a file
    #[arg(long, value_name = "BASE", conflicts_with = "format")]
    pub(crate) from: Option<BaseName>,
    /// Take the users into this user base
    #[arg(long, value_name = "BASE", default_value = "configured")]
    pub(crate) to: BaseName,
    /// Change nothing, and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What to do with users who are there, but not the same
    #[arg(long, value_enum, default_value = "skip")]
    pub(crate) on_conflict: Conflict,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
}

/// What happens to a user who is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflict {
    /// Keep the present record
    Skip,
    /// Take the new record
    Replace,
    /// End there
    Stop,
}

#[derive(Debug, Args)]
#[command(after_help = BASE_HELP)]
pub(crate) struct ExportArgs {
    /// What to write
    #[arg(value_parser = parse_format)]
    pub(crate) format: Format,
    /// The file, which only its owner will be able to read; - for standard output
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// Take the users from this user base
    #[arg(long, value_name = "BASE", default_value = "configured")]
    pub(crate) from: BaseName,
    /// LDIF: the entry above the users
    #[arg(long, value_name = "DN")]
    pub(crate) base_dn: Option<String>,
    #[command(flatten)]
    pub(crate) fields: FieldArgs,
}

#[derive(Debug, Args)]
#[command(after_help = BASE_HELP)]
pub(crate) struct DiffArgs {
    /// The user base that was
    #[arg(value_name = "OLD")]
    pub(crate) old: BaseName,
    /// The user base that will be
    #[arg(value_name = "NEW", default_value = "configured")]
    pub(crate) new: BaseName,
    /// Compare the users in this file, one name in each line; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
}

/// What columns (CSV) or attributes (LDIF) are called.
#[derive(Debug, Clone, Args)]
pub(crate) struct FieldArgs {
    /// CSV, LDIF: where the user name is [default: user, uid]
    #[arg(long, value_name = "NAME")]
    pub(crate) user_field: Option<String>,
    /// CSV, LDIF: where the stored password is [default: password, userPassword]
    #[arg(long, value_name = "NAME")]
    pub(crate) password_field: Option<String>,
    /// CSV, LDIF: where the drop path is [default: drop_path, dropPath]
    #[arg(long, value_name = "NAME")]
    pub(crate) drop_path_field: Option<String>,
    /// CSV, LDIF: where the owner of the drop file is [default: uid, dropOwner]
    #[arg(long, value_name = "NAME")]
    pub(crate) owner_field: Option<String>,
}

/// A user base as a command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaseName {
    /// The one that dmail.conf names.
    Configured,
    /// A kind of base, and its file or folder.
    Method(&'static str, Option<PathBuf>),
}

impl FromStr for BaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "configured" {
            return Ok(Self::Configured);
        }
        let (method, path) = match text.split_once(':') {
            Some((method, path)) => (method, Some(PathBuf::from(path))),
            None => (text, None),
        };
        match dmail_backends::source(method) {
            Some(kind) => Ok(Self::Method(kind.name, path)),
            None => {
                let names = dmail_backends::SOURCES.iter().map(|kind| kind.name);
                let names = names.collect::<Vec<_>>().join(", ");
                Err(format!("expected configured or METHOD[:PATH], METHOD one of {names}"))
            }
        }
    }
}

/// How user bases are named.
const BASE_HELP: &str = "BASE is \"configured\" for the one in dmail.conf, or METHOD[:PATH], \
                         PATH being the base's file or the folder of its files: nwauth:/etc/dmail";

fn parse_format(text: &str) -> Result<Format, String> {
    let found = Format::ALL.into_iter().find(|format| format.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Format::ALL.map(Format::name).join(", ")))
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The configuration [default: ./dmail-home/dmail.conf, else /etc/dmail.conf]
    #[arg(short, long = "config", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The name, as a client would give it
    pub(crate) user: String,
    /// Verify a password too, which is read from the terminal or standard input
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

/// Where a question is supposed to come from.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OriginArgs {
    /// As if the client had this address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<IpAddr>,
    /// As if the client had connected to this address of ours
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) local_ip: Option<IpAddr>,
    /// As if this server asked
    #[arg(long, default_value = "admin", value_parser = parse_service)]
    pub(crate) service: Service,
    /// As if it was asked in this dialect
    #[arg(long, value_name = "NAME", value_parser = parse_dialect)]
    pub(crate) dialect: Option<&'static str>,
    /// As if the client's connection was like this: insecure, secured, tls, tls-client-cert
    #[arg(long, value_name = "NAME", value_parser = parse_transport)]
    pub(crate) transport: Option<Transport>,
    /// As if the other server called the session so
    #[arg(long, value_name = "ID", value_parser = parse_session)]
    pub(crate) session: Option<SessionId>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The configuration [default: ./dmail-home/dmail.conf, else /etc/dmail.conf]
    #[arg(short, long = "config", value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: PolicyAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyAction {
    /// List what logins have sent lately, those first that have the least left
    List {
        /// Only those that have nothing left
        #[arg(long)]
        full: bool,
    },
    /// Forget what was sent, so that as much can be sent again
    Clear {
        /// `all`, or a user
        #[arg(value_name = "USER|all")]
        target: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ThrottleArgs {
    /// The configuration [default: ./dmail-home/dmail.conf, else /etc/dmail.conf]
    #[arg(short, long = "config", value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: ThrottleAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ThrottleAction {
    /// List users, addresses and networks with wrong passwords, the worst first
    List {
        /// Only those that are refused now
        #[arg(long)]
        refused: bool,
    },
    /// Forget wrong passwords, so that nobody is delayed or refused for them
    Clear {
        /// `all`, a user, an address or a network (`user:NAME` is always a user)
        #[arg(value_name = "USER|NETWORK|all")]
        target: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ModuleExecArgs {
    /// The process that must not be outlived
    pub(crate) parent: i32,
    /// Standard input becomes descriptor 3, and standard output 4
    #[arg(long)]
    pub(crate) checkpassword: bool,
    /// The module
    pub(crate) program: OsString,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Where the original keeps its configuration.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/dmail.conf";

/// The user bases, which are programs of their own.
fn programs() -> String {
    let lines = dmail_backends::programs()
        .map(|(kind, program)| format!("  {program:<12} {}", kind.summary));
    let heading = "User bases, as module programs (see `dmail PROGRAM help`):".to_owned();
    let asking = stdio::PROGRAMS.iter().map(|program| {
        let stdio::Program { name, summary, .. } = program;
        format!("  {name:<12} {summary}")
    });
    let other = "\nPrograms that other servers start (see `dmail PROGRAM -help`):".to_owned();
    let lines = [heading].into_iter().chain(lines).chain([other]).chain(asking);
    lines.collect::<Vec<_>>().join("\n")
}

fn parse_dialect(text: &str) -> Result<&'static str, String> {
    let known = || dialect_names().collect::<Vec<_>>().join(", ");
    dialect_name(text).ok_or_else(|| format!("expected one of {}", known()))
}

fn parse_transport(text: &str) -> Result<Transport, String> {
    let names = || Transport::ALL.into_iter().filter_map(Transport::name).collect::<Vec<_>>();
    Transport::parse(text).ok_or_else(|| format!("expected one of {}", names().join(", ")))
}

fn parse_session(text: &str) -> Result<SessionId, String> {
    SessionId::parse(text.as_bytes()).ok_or_else(|| {
        let most = SessionId::MAX_BYTES;
        format!("expected at most {most} letters, digits and + - . / : = @ _")
    })
}

fn parse_service(text: &str) -> Result<Service, String> {
    let found = Service::ALL.into_iter().find(|service| service.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Service::ALL.map(Service::name).join(", ")))
}
