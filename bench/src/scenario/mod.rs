//! The scenarios, a file each.

mod auth_http;
mod bases;
mod dialects;
mod dovecot;
mod gateway;
mod guesses;
mod hashed;
mod idle;
mod line;
mod memory;
mod mixed;
mod modules;
mod nwauth;
mod open;
mod policy;
mod pop;
mod postfix;
mod smtp;

use crate::Command;
use crate::contest::Effort;
use crate::failure::Failure;
use crate::report::Report;

pub(crate) use memory::{Kind, remember};
pub(crate) use nwauth::find_users;

/// Measures, and reports the figures.
type Run = fn(Effort, &mut Report) -> Result<(), Failure>;

/// All of them, cheapest first.
pub(crate) const ALL: [(Command, Run); 17] = [
    (Command::Gateway, gateway::run),
    (Command::Memory, memory::run),
    (Command::Guesses, guesses::run),
    (Command::Line, line::run),
    (Command::Dialects, dialects::run),
    (Command::AuthHttp, auth_http::run),
    (Command::Policy, policy::run),
    (Command::Postfix, postfix::run),
    (Command::Modules, modules::run),
    (Command::Ldap, bases::ldap),
    (Command::Sql, bases::sql),
    (Command::Open, open::run),
    (Command::Pop, pop::run),
    (Command::Idle, idle::run),
    (Command::Hashed, hashed::run),
    (Command::Nwauth, nwauth::run),
    (Command::Smtp, smtp::run),
];
