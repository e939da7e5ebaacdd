//! The certificate of a dialect that speaks TLS.

use std::path::PathBuf;

use super::super::value::{Fault, path};
use super::options::Options;

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The file of the certificate, and of those above it.
    pub certificate: PathBuf,
    /// The file of the key.
    pub key: PathBuf,
}

impl TlsFiles {
    pub(super) fn take(options: &mut Options<'_>) -> Result<Option<Self>, Fault> {
        match options.take("certificate", &path())? {
            Some(certificate) => Ok(Some(Self { certificate, key: options.need("key", &path())? })),
            None if options.take("key", &path())?.is_some() => {
                options.need("certificate", &path()).map(|_| None)
            }
            None => Ok(None),
        }
    }
}
