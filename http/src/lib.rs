//! Dialects over HTTP: other programs ask who somebody is, or tell of logins.
//!
//! ```text
//!   TCP, TLS, unix socket ─▶ conversation ─▶ message ─▶ a Service
//!                            (the only IO)   (bytes →    reads the request,
//!                                             request)   asks the gateway
//!   ◀──────────────────────── response ◀──────────────── and answers
//! ```
//!
//! | service | asked by |
//! |---|---|
//! | [`auth_http`] | nginx's mail proxy |
//! | [`check`] | anything that speaks HTTP and JSON |
//! | [`policy`] | Dovecot's `auth_policy`, clients of weakforced |
//!
//! HTTP itself is spoken here, over the shell that all our servers share. A
//! library for it keeps what it has read in buffers of its own; here those that
//! held a password are wiped as soon as it is read, and an idle connection
//! holds none. The heads are parsed by `httparse`. What is left out: versions
//! above 1.1, upgrades, trailers, content codings.
//!
//! What nobody could decide is told so that the asking program says "try again
//! later", never "wrong password".

pub mod auth_http;
pub mod check;
pub mod message;
pub mod policy;

mod ask;
mod body;
mod conversation;
mod json;
mod key;
mod response;
mod server;
#[cfg(test)]
mod testing;

pub use ask::Asker;
pub use key::Key;
pub use response::{Response, Status};
pub use server::{ByAddress, Config, Server, Service};
