//! The gateway: everything between a question and a user base.
//!
//! ```text
//!   smtp, pop, tcpauth, the command line
//!        │ AuthRequest
//!        ▼
//!   mapping ▶ access ▶ throttle ▶ cache ▶ flight ▶ a source: pool ─▶ authent_process children
//!                                                   or a backend in process
//!                                                   or a chain of such sources
//! ```
//!
//! Each layer is an [`Authenticator`](dmail_core::Authenticator) around the
//! next one. Start reading at [`gateway`].

pub mod access;
pub mod cache;
pub mod chain;
pub mod easing;
pub mod flight;
pub mod gateway;
pub mod helper;
pub mod line;
pub mod mapping;
pub mod pool;
pub mod throttle;
pub mod unmapped;

mod decoy;
mod keyed;
