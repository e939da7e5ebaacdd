//! The bare programs that ours are measured beside. Each runs as a process of
//! its own, from this same binary.

pub(crate) mod lines;
pub(crate) mod module;
pub(crate) mod server;
