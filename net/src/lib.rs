//! The IO shell that the servers share: accept, limits, bounded lines with
//! deadlines, the lines of the log that they have in common, and the way to
//! stop.
//!
//! It knows no protocol. `smtp`, `pop` and `tcpauth` bring their sessions:
//!
//! ```text
//!   listener ──▶ serve ──▶ Slots (limits) ──▶ a task: Connection ◀──▶ session
//!                   ▲                             ▲
//!                   └────────── Shutdown ─────────┘
//! ```

pub mod log;

mod connection;
mod flow;
mod listener;
mod shutdown;
mod slots;
mod unix;

pub use connection::{Connection, ReadError, WriteError};
pub use flow::Flow;
pub use listener::{Incoming, Peer, Policy, bind, serve};
pub use shutdown::Shutdown;
pub use slots::{Limits, Refusal, Slot, Slots};
pub use unix::{UnixListener, UnixStream, bind_unix};
