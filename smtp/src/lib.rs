//! DSMTP: the SMTP server (RFC 5321, with SIZE, PIPELINING, 8BITMIME,
//! ENHANCEDSTATUSCODES and AUTH).
//!
//! ```text
//!   bytes ─▶ command ─▶ session ─▶ reply ─▶ bytes
//!            (value)    (decides)  (value)
//!                          │  Step: ask the gateway, receive, deliver …
//!                          ▼
//!                    conversation    the only IO: sockets, the gateway, the delivery
//!                          ▲
//!   bytes ─▶ content ─▶ spool        a message, in memory or in a file
//! ```
//!
//! What it is not: it knows neither user bases nor drop files. Logins and
//! recipients are questions to an [`Authenticator`](dmail_core::Authenticator),
//! mail goes to whoever implements [`Deliver`].

pub mod address;
pub mod command;
pub mod content;
pub mod reply;
pub mod sasl;
pub mod session;

mod config;
mod conversation;
mod delivery;
mod error;
mod message;
mod server;
mod spool;

pub use config::{Config, LocalDomains, SessionLimits};
pub use delivery::{
    Deliver, DeliveryError, DeliveryErrorKind, Envelope, MessageId, Receipt, Recipient,
};
pub use error::Error;
pub use message::Message;
pub use server::{Server, run};
