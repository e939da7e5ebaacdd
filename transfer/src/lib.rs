//! Moving users: from one base to another, to files and from files, and
//! telling what differs between two bases.
//!
//! ```text
//!   file ──lines──▶ format ──┐                  ┌──▶ import ──▶ Records::put_all
//!                            ├──Entry, in turn──┤
//!   base ──pages─────────────┘                  └──▶ export ──▶ format ──▶ bytes
//!
//!   two bases ──lookups──▶ diff ──▶ what differs
//! ```
//!
//! Two rules hold everywhere. **Nothing is lost in silence:** a field that
//! nobody knows becomes an info field, and what a format or a base cannot hold
//! is said for each user and counted. **Nothing grows with the number of
//! users** but a few bytes for each name: all of it is a stream.
//!
//! The formats do no IO; see [`format`].

pub mod diff;
pub mod export;
pub mod feed;
pub mod format;
pub mod import;

mod known;
mod names;

use dmail_core::Unavailable;

pub use format::{BadFile, Entry, Fields, Format, What};

/// Why users cannot be moved or compared any further.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file as a whole is not what it should be.
    #[error(transparent)]
    BadFile(#[from] BadFile),
    /// The file cannot be read or written.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// The base does not take in records with their stored passwords.
    #[error("this user base cannot take users in with their stored passwords")]
    NoRecords,
    /// The base cannot say which users it has.
    #[error("this user base cannot list its users ({why}); name them with --names FILE")]
    NoList {
        /// Its own words.
        why: String,
    },
    /// A base did not answer.
    #[error("the user base does not answer: {0}")]
    Unavailable(#[from] Unavailable),
}
