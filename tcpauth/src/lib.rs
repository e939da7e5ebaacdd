//! The line protocol over TCP: other machines ask this gateway, as the
//! original's TCPAuth daemon let them ask one module.
//!
//! This crate holds the daemon. Who may connect is decided by address alone,
//! and `set` and `del` are not served; passwords cross the network in clear
//! text, so the daemon belongs on a private network.

pub mod wire;

mod server;

pub use server::{Config, Server};
