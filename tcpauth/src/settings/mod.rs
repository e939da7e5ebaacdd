//! The settings files of the daemon and of the client.

mod client;
mod daemon;
mod kind;
mod tls;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

pub use client::{TCPAUTH_INI, check_client, load_client};
pub use daemon::{
    BaseSettings, DaemonSettings, GuardSettings, ListenSettings, LogSettings, TCPAUTHSVR_CONF,
    load_daemon,
};
pub use kind::SourceWords;
pub use tls::TlsError;

/// The first words of both manuals, after what the file is for.
macro_rules! introduction {
    ($about:literal) => {
        concat!($about, "\n", include_str!("introduction.md"))
    };
}
use introduction;

/// TLS for a server of ours that asks its clients for no certificate.
///
/// # Errors
///
/// Names the file that cannot be used.
pub fn server_tls(certificate: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    tls::server(certificate, key, None, false)
}

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
