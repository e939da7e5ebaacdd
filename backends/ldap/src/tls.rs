//! TLS as a client: whom we trust, and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, crypto};

/// Why certificates cannot be used, and the setting that named them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) setting: &'static str,
    pub(crate) message: String,
}

impl Fault {
    fn new(setting: &'static str, file: &Path, why: impl std::fmt::Display) -> Self {
        Self { setting, message: format!("cannot use {}: {why}", file.display()) }
    }
}

/// What connections are made with: the authorities of `ca_file`, or those that
/// this machine trusts, and our own certificate and key if there are any.
pub(crate) fn client(
    ca_file: Option<&Path>,
    own: Option<(&Path, &Path)>,
) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots(ca_file)?);
    let Some((cert, key)) = own else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates("ldap_client_cert", cert)?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| Fault::new("ldap_client_key", key, error))?;
    builder
        .with_client_auth_cert(chain, secret)
        .map_err(|error| Fault::new("ldap_client_key", key, error))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(file) => {
            for certificate in certificates("ldap_ca_file", file)? {
                roots.add(certificate).map_err(|error| Fault::new("ldap_ca_file", file, error))?;
            }
        }
        // A machine without any is found out when a server shows its
        // certificate: a site without TLS needs none.
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    Ok(roots)
}

fn certificates(setting: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let fault = |why: &dyn std::fmt::Display| Fault::new(setting, file, why);
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| fault(&error))?;
    match found.is_empty() {
        true => Err(fault(&"there is no certificate in it")),
        false => Ok(found),
    }
}
