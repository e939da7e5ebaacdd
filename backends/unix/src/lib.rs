//! The users of the operating system, by PAM or by their shadow passwords.
//!
//! ```text
//!   UnixUsers ─▶ pool of helpers ──line protocol──▶ `dmail unixauth -helper`
//!   (any server)                                        │
//!                                     LocalUsers ◀──────┘   (its own process)
//!                                        ├─ accounts   who is it?      NSS
//!                                        └─ pam        is it him, and
//!                                           shadow     may he log in?
//! ```
//!
//! PAM and NSS run foreign modules: they may hang for minutes, leak, or end the
//! process. So they are asked in helpers only. A helper that hangs is killed
//! after `timeout` with the one question that it was asked; and only the
//! helpers need the rights to read passwords.
//!
//! This side: [`UnixUsers`], [`settings`]. The helper's side: [`LocalUsers`],
//! [`helper`].

pub mod helper;
pub mod settings;

mod accounts;
mod local;
mod names;
mod nss;
mod pam;
mod refusal;
mod shadow;
mod source;

pub use local::{LocalError, LocalUsers};
pub use source::{OpenError, UnixUsers};
