//! The second version of the wire, as values and as bytes. Nothing here does
//! IO. `docs/tcpauth-protocol.md` has every byte of it.
//!
//! ```text
//!   dmail 2 heartbeat=2 nonce=…         +OK dmail 2 nonce=…
//!   1 check bob s3cret - - pop3         1 ok bob - - -
//!   2 lookup eve - - smtp               2 no unknown-user eve%20does%20not%20exist
//!   ping                                changed bob
//!                                       pong
//! ```
//!
//! A line is fields with one blank between them. Each question has an id, and
//! its answer repeats it, so that many are under way at once and a late answer
//! is never mistaken for another one.

mod answer;
mod client_line;
mod field;
mod greeting;
mod proof;
mod server_line;

pub use answer::{
    write_acceptance, write_judgement, write_outcome, write_refusal, write_search, write_verdict,
};
pub use client_line::{ClientLine, Malformed, NotCarried, Question};
pub use greeting::{Greeting, GreetingError, NONCE_BYTES, Nonce, Prover, Side, Welcome};
pub use server_line::{Answer, Push, ServerLine};

/// Longest line in either direction, in bytes, its LF not counted.
pub const MAX_LINE_BYTES: usize = 64 * 1024;

/// The version of the wire that is spoken here.
pub const VERSION: u32 = 2;

/// A line that breaks the protocol. Whoever reads one closes the connection:
/// what follows cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub &'static str);

#[cfg(test)]
mod tests;
