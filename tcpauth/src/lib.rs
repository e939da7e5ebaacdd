//! TCPAuth: one gateway for many machines.
//!
//! ```text
//!   front end ─▶ gateway ─▶ Client ═══ TCP, TLS, unix socket ═══ Server ─▶ gateway ─▶ source
//!                  ▲           │                                    │
//!                  └─ changed ─┴──────────── "changed bob" ─────────┘
//! ```
//!
//! [`Server`] is the daemon, [`Client`] asks it, [`wire`] is what is said between
//! the two. The
//! first version of the wire is the line protocol of modules, for old clients;
//! the second has ids, carries any bytes, and tells clients of changes.

pub mod settings;
pub mod wire;

mod client;
mod flow;
mod server;

pub use client::{Client, ClientConfig, Endpoint, TlsConfig, Versions};
pub use server::{ByAddress, Config, Server};
