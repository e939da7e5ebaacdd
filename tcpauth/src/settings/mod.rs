//! The settings files of the daemon and of the client.

mod client;
mod daemon;
mod kind;
mod server_tls;
mod tls;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub use client::{TCPAUTH_INI, check_client, load_client};
pub use daemon::{
    BaseSettings, DaemonSettings, GuardSettings, ListenSettings, LogSettings, TCPAUTHSVR_CONF,
    load_daemon,
};
pub use kind::SourceWords;
pub use server_tls::ServerTls;
pub use tls::TlsError;

/// The first words of both manuals, after what the file is for.
macro_rules! introduction {
    ($about:literal) => {
        concat!($about, "\n", include_str!("introduction.md"))
    };
}
use introduction;

/// The permission bits of a file.
fn mode(file: &Path) -> Option<u32> {
    std::fs::metadata(file).ok().map(|found| found.mode())
}

/// The permission bits of a file, and the number of its owner.
fn mode_and_owner(file: &Path) -> Option<(u32, u32)> {
    std::fs::metadata(file).ok().map(|found| (found.mode(), found.uid()))
}

#[cfg(test)]
mod tests;
