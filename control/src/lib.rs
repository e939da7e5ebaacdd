//! The control socket: commands to a running server, from the same machine and
//! the same user (or root).
//!
//! ```text
//!   dmail throttle list                         dmail serve
//!     Client ──▶ "throttle list\n" ──▶ server ──▶ Commands ──▶ a handler
//!            ◀── "+DATA …\n" "+OK …\n" ◀──            (a table: name → handler)
//! ```
//!
//! [`codec`] says what the lines look like, without any IO; [`command`] is the
//! table that a server fills; [`server`] and [`client`] are the two ends. The
//! protocol is described for other programs in `docs/control.md`.

pub mod client;
pub mod codec;
pub mod command;
pub mod server;

pub use client::{Client, ClientError};
pub use codec::Reply;
pub use command::{Commands, Handler};
pub use server::{ControlSocket, OpenError, socket_path};
