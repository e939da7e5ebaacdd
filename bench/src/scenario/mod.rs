//! The scenarios, a file each.

mod gateway;
mod hashed;
mod idle;
mod memory;
mod modules;
mod open;
mod pop;
mod smtp;

use crate::Command;
use crate::contest::Effort;
use crate::failure::Failure;
use crate::report::Report;

pub(crate) use memory::{Kind, remember};

/// Measures, and reports the figures.
type Run = fn(Effort, &mut Report) -> Result<(), Failure>;

/// All of them, cheapest first.
pub(crate) const ALL: [(Command, Run); 8] = [
    (Command::Gateway, gateway::run),
    (Command::Memory, memory::run),
    (Command::Modules, modules::run),
    (Command::Open, open::run),
    (Command::Pop, pop::run),
    (Command::Idle, idle::run),
    (Command::Hashed, hashed::run),
    (Command::Smtp, smtp::run),
];
