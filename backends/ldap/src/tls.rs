//! TLS as a client: whom we trust, and who we are.

use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    crypto,
};

/// What connections are made with.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// For servers that are asked for by their names.
    pub(crate) config: Arc<ClientConfig>,
    /// Judges certificates; `None` if there is no authority to trust.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Tls {
    /// For the server at `address` and no other, whatever name it is asked for:
    /// the `ldap3` crate has none for such an address.
    pub(crate) fn only_for(&self, address: Ipv6Addr) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.enable_sni = false;
        // Sessions are remembered by the name.
        config.resumption = Resumption::disabled();
        if let Some(verifier) = &self.verifier {
            let verifier = Arc::clone(verifier);
            let address = ServerName::from(std::net::IpAddr::V6(address));
            config.dangerous().set_certificate_verifier(Arc::new(OnlyFor { verifier, address }));
        }
        Arc::new(config)
    }
}

/// Judges as `verifier` does, but always for this address.
#[derive(Debug)]
struct OnlyFor {
    verifier: Arc<WebPkiServerVerifier>,
    address: ServerName<'static>,
}

impl ServerCertVerifier for OnlyFor {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier.verify_server_cert(certificate, chain, &self.address, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

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

/// What connections are made with. Trusted are the authorities of
/// `ca_file`, or those that this machine trusts; shown are our own certificate
/// and key, if there are any.
pub(crate) fn client(ca_file: Option<&Path>, own: Option<(&Path, &Path)>) -> Result<Tls, Fault> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(ca_file)?);
    // It fails only if there are none.
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .ok();
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => with_own(builder, cert, key)?,
    };
    Ok(Tls { config: Arc::new(config), verifier })
}

fn with_own(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    cert: &Path,
    key: &Path,
) -> Result<ClientConfig, Fault> {
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
