//! Easing in: a new user base is tried, and filled, while the old one works.
//!
//! ```text
//!   chain ─▶ answer ─▶ the client
//!               │
//!               ├─▶ shadow    asks a second source the same, compares, reports
//!               └─▶ migrate   writes who has just logged in into the new source
//! ```
//!
//! Neither changes an answer. The chain says which source is which; here is
//! what is done with it.

mod differences;
mod migrate;
mod shadow;
mod turns;

pub use differences::{Difference, differences};
pub use migrate::{Arrival, Migration};
pub use shadow::Shadow;
pub use turns::Turns;
