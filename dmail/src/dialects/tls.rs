//! TLS of the dialects that have it.

use dmail_core::config::{DialectLine, ListenOn};
use dmail_tcpauth::settings::ServerTls;

use crate::failure::Failure;

/// What makes TLS of the connections of `line`, if it names a certificate. A
/// unix socket has none.
///
/// # Errors
///
/// If a file that it names cannot be used.
pub(super) fn open(line: &DialectLine) -> Result<Option<ServerTls>, Failure> {
    let (Some(files), ListenOn::Tcp(_)) = (line.dialect.tls(), &line.on) else { return Ok(None) };
    let opened = ServerTls::open(&files.certificate, &files.key);
    opened.map(Some).map_err(|error| {
        Failure::Other(format!("{}: TLS of {}: {error}", line.on.blame(), line.name()))
    })
}
