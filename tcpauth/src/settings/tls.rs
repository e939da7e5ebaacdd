//! Certificates and keys from their files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that holds no certificate.
    #[error("{} holds no certificate: {why}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file that holds no private key.
    #[error("{} holds no private key: {why}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not fit, or are of a kind that is not known.
    #[error("{} and {} cannot be used: {why}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        why: rustls::Error,
    },
    /// Certificates of authorities that cannot be used.
    #[error("cannot trust the certificates: {0}")]
    Roots(String),
}

/// TLS for a client that trusts `ca`, or else what this machine trusts, and
/// shows a certificate if it has one.
pub(super) fn client(
    ca: Option<&Path>,
    own: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match ca {
        Some(file) => roots(file)?,
        None => system_roots()?,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suites of the default versions")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|why| pair(certificate, key, why))?,
    };
    Ok(Arc::new(config))
}

pub(super) fn pair(certificate: &Path, key: &Path, why: rustls::Error) -> TlsError {
    TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), why }
}

pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |why: String| TlsError::Certificate { file: file.to_owned(), why };
    let read = CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
    let found: Result<Vec<_>, _> = read.collect();
    let found = found.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("there is none in it".into())) } else { Ok(found) }
}

pub(super) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| TlsError::Key { file: file.to_owned(), why: error.to_string() })
}

pub(super) fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| TlsError::Certificate {
            file: file.to_owned(),
            why: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match added {
        0 => Err(TlsError::Roots("this machine trusts none; set tls_ca".into())),
        _ => Ok(roots),
    }
}
