//! The command line.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dmail_core::Service;

/// Mail servers that log their users in through any user base.
#[derive(Debug, Parser)]
#[command(name = "dmail", version, max_term_width = 100)]
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
    /// The NWAuth user base: module program and command line
    #[command(disable_help_flag = true)]
    Nwauth {
        /// See `dmail nwauth` without any
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
        words: Vec<OsString>,
    },
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
}

#[derive(Debug, Args)]
pub(crate) struct ModuleExecArgs {
    /// The process that must not be outlived
    pub(crate) parent: i32,
    /// The module
    pub(crate) program: OsString,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Where the original keeps its configuration.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/dmail.conf";

fn parse_service(text: &str) -> Result<Service, String> {
    let found = Service::ALL.into_iter().find(|service| service.name() == text);
    found.ok_or_else(|| format!("expected one of {}", Service::ALL.map(Service::name).join(", ")))
}
