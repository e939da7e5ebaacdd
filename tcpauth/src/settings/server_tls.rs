//! TLS of a server, whose certificate can be renewed while it serves.
//!
//! ```text
//!   new connection ─▶ handshake ─▶ Shown ─▶ the certificate of the moment
//!                                    ▲
//!   SIGHUP ─▶ renew: read both files ┴─ wrong: log it, go on with the old one
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::tls::{TlsError, certificates, pair, private_key, roots};

/// TLS for the connections of a server.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
}

/// The certificate that new clients are shown, and where it comes from.
struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ServerTls {
    /// TLS with these files, which asks clients for no certificate.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be used.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::with_clients(certificate, key, None, false)
    }

    /// The same. With `client_ca`, clients may show a certificate of it, and with
    /// `required` they must.
    pub(super) fn with_clients(
        certificate: &Path,
        key: &Path,
        client_ca: Option<&Path>,
        required: bool,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of the default versions");
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let (roots, provider) = (Arc::new(roots(file)?), Arc::clone(&provider));
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
                let verifier = verifier.build();
                let verifier = verifier.map_err(|error| TlsError::Roots(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let shown = Arc::new(Shown::open(certificate, key, provider)?);
        let config = builder.with_cert_resolver(Arc::clone(&shown) as _);
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown })
    }

    /// Whoever makes TLS of connections. After [`renew`](Self::renew) it is still
    /// the right one.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Reads the certificate and its key again: new clients are shown them, and
    /// connections that there are go on. If they cannot be used, the old ones
    /// stay, and the log says so.
    pub fn renew(&self) {
        let certificate = self.shown.certificate.display();
        match self.shown.read_again() {
            Ok(true) => tracing::info!(%certificate, "new clients are shown a new certificate"),
            Ok(false) => {}
            Err(problem) => {
                tracing::error!(%problem, "a certificate is not renewed; the old one goes on");
            }
        }
    }
}

impl Shown {
    fn open(
        certificate: &Path,
        key: &Path,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let current = RwLock::new(read(certificate, key, &provider)?);
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Self { certificate, key, provider, current })
    }

    /// Says whether it is another certificate now.
    fn read_again(&self) -> Result<bool, TlsError> {
        let fresh = read(&self.certificate, &self.key, &self.provider)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.cert != fresh.cert;
        *current = fresh;
        Ok(is_new)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The key is nobody's to see.
impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// The pair in these files, if the key is the certificate's.
fn read(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, secret) = (certificates(certificate)?, private_key(key)?);
    let matched = CertifiedKey::from_der(chain, secret, provider);
    matched.map(Arc::new).map_err(|why| pair(certificate, key, why))
}
