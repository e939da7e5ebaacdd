//! The bind operation on the wire, for connections that do nothing else.
//!
//! ```text
//!   wire::ber      elements: tag, length, contents
//!   wire::bind     BindRequest to bytes, bytes to BindAnswer
//!   wire::stream   TCP, TLS (at once or by StartTLS), a Unix socket
//!   wire::connection   one question, one answer, nothing in between
//! ```
//!
//! Searching and changing are the `ldap3` crate's. It gives each connection a
//! task of its own, which every operation has to be handed to and back from,
//! and it takes messages of any length; an answer to a bind has a limit here.
//! A bind is two messages, and it is what every login waits for: here it is
//! written and read by the task that asks. And a connection of this kind
//! cannot search, whoever it was bound as.

pub(crate) mod ber;
pub(crate) mod bind;
pub(crate) mod connection;
mod stream;
