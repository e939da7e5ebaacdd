//! Delivery: an accepted envelope becomes mail in drop files.
//!
//! ```text
//!   Envelope + Message ─▶ header ─▶ trace ─▶ target ─▶ dmail_mailbox::append
//!                         (scan)    (add)    (where)   all recipients or none
//! ```
//!
//! [`LocalDelivery`] is what DSMTP hands its messages to. It returns when they
//! are on disk. What it is not: it asks nobody who a recipient is, since the
//! envelope says so, and it sends nothing to other machines.

pub mod header;

mod config;
mod error;
mod local;
mod target;
mod trace;

pub use config::Config;
pub use local::LocalDelivery;
