//! TLS of the dialects that have it.

use dmail_core::config::DialectLine;
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// Whoever makes TLS of the connections of `line`, if it names a certificate.
///
/// # Errors
///
/// If a file that it names cannot be used.
pub(super) fn acceptor(line: &DialectLine) -> Result<Option<TlsAcceptor>, Failure> {
    let Some(files) = line.dialect.tls() else { return Ok(None) };
    let config = dmail_tcpauth::settings::server_tls(&files.certificate, &files.key);
    let config = config.map_err(|error| {
        Failure::Other(format!("{}: TLS of {}: {error}", line.on.blame(), line.name()))
    })?;
    Ok(Some(TlsAcceptor::from(config)))
}
