//! DPOP: the POP3 server (RFC 1939, with RFC 2449, 3206 and 5034).
//!
//! ```text
//!   bytes ─▶ command ─▶ session ─▶ reply ─▶ bytes
//!            (value)    (decides)  (value)
//!                          │  Step: ask the gateway, open the mailbox, send a message …
//!                          ▼
//!                       server    the only IO: sockets, the gateway, the blocking pool
//! ```
//!
//! What it is not: it knows neither user bases nor the format of drop files.
//! Logins are questions to an [`Authenticator`](dmail_core::Authenticator),
//! mail is a [`Mailbox`](dmail_mailbox::Mailbox).

pub mod command;
pub mod dot;
pub mod reply;
pub mod session;

mod config;
mod conversation;
mod error;
mod maildrop;
mod open;
mod sasl;
mod server;
mod transfer;
mod workers;

pub use config::{Config, SessionLimits};
pub use error::Error;
pub use maildrop::{Maildrop, Messages};
pub use server::{Server, run};
