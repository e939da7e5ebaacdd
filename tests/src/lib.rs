//! The test kit: the built program, real peers, and ways to wait for them
//! without guessing.
//!
//! The tests themselves are in `tests/`, by behaviour. They drive the built
//! program through its own sockets, command lines and signals, with real
//! clients and real child processes.
//!
//! ```text
//!   Site ── dmail.conf, users, mail ──▶ Server (`dmail serve`) ◀── Client, peer::*
//!                                          │
//!                                          └──▶ module::*  (Python children)
//!   Daemon ── `dmail tcpauthsvr`; Network ── machines as network namespaces
//! ```

pub mod authority;
pub mod base64;
pub mod client;
pub mod daemon;
pub mod dialect;
pub mod integration;
pub mod login;
pub mod machine;
pub mod module;
pub mod network;
pub mod peer;
pub mod process;
pub mod program;
pub mod secrets;
pub mod server;
pub mod site;
pub mod wait;
