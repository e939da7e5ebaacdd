//! Measuring: time in a histogram, processor time and memory of processes.

mod histogram;
mod processes;
mod usage;

pub(crate) use histogram::Histogram;
pub(crate) use processes::{Memory, children, children_of};
pub(crate) use usage::{Meter, Server};
