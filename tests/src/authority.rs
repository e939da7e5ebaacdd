//! A certificate authority of a test's own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::program;

/// An authority, with its certificate in a file.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

/// A certificate and its key, in files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

impl Authority {
    /// An authority called `name`, with its file in `folder`.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, issuer.pem()).expect("room for a certificate");
        Self { issuer, file }
    }

    /// Its certificate: what a client trusts.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A certificate for these host names and addresses, in files beside its
    /// own that are called after `name`.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[must_use]
    pub fn issue(&self, name: &str, hosts: &[&str]) -> Certificate {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names of hosts");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        let certificate = self.file.with_file_name(format!("{name}-cert.pem"));
        let secret = self.file.with_file_name(format!("{name}-key.pem"));
        fs::write(&certificate, signed.pem()).expect("room for a certificate");
        fs::write(&secret, key.serialize_pem()).expect("room for a key");
        Certificate { certificate, key: secret }
    }
}

impl Certificate {
    /// Whether it is the one that the server at `address` shows a new client.
    ///
    /// # Panics
    ///
    /// If its file cannot be read.
    #[must_use]
    pub fn is_shown_at(&self, address: SocketAddr) -> bool {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &address.to_string()]);
        let said = program::run(openssl, "").text();
        let own = fs::read_to_string(&self.certificate).expect("a certificate");
        said.contains(own.trim())
    }
}
