//! The vocabulary of the dmail suite: what can be asked, what can be answered,
//! and the types that make a bad question impossible to ask.
//!
//! This crate does no IO, starts no task and speaks no protocol. Everything in
//! it is a value:
//!
//! ```text
//!   AuthRequest ──▶ Authenticator ──▶ Ok(Verdict)        somebody decided
//!   (user, purpose,                 └▶ Err(Unavailable)  nobody could: try again later
//!    origin)
//! ```
//!
//! Start with [`Authenticator`]; then [`AuthRequest`] and [`Verdict`].

pub mod bounded;
pub mod config;
pub mod framing;
pub mod pattern;
pub mod sasl;

mod authenticator;
mod change;
mod drop_path;
mod guess;
mod info;
mod name;
mod origin;
mod proof;
mod rate;
mod record;
mod request;
mod search;
mod secret;
mod trace;
mod verdict;

pub use authenticator::{Authenticator, CacheStatus, Unavailable, UnavailableKind, Watcher};
pub use change::{Action, Change, Outcome};
pub use drop_path::{HashSpool, drop_path, is_hash_directory};
pub use guess::{Advice, Guess, Guesses};
pub use info::{Info, InfoError};
pub use name::{Domain, DropName, NameError, Username};
pub use origin::{Origin, Service, SessionId, Transport};
pub use proof::{Evidence, Proof, Proofs, ReadName, Salt, SaltQuestion, ScramHash, TokenIssuer};
pub use rate::{Rate, RateError};
pub use record::{Records, UserRecord};
pub use request::{AuthRequest, Purpose};
pub use search::{Found, Hit, Search, SearchOutcome};
pub use secret::Secret;
pub use trace::{Step, Trace};
pub use verdict::{Account, DropPath, Rejection, RejectionKind, Uid, Verdict};
