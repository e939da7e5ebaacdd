//! The test kit: real peers, and ways to wait for them without guessing.
//!
//! The tests themselves are in `tests/`, by behaviour. They drive the built
//! program through its own sockets, command lines and signals, with real
//! clients and real child processes.

pub mod module;
pub mod wait;
