//! The files that `oauth2.ini` names: keys, certificates, secrets.

use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::Secret;
use dmail_core::config::Given;
use dmail_core::config::Severity::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto};
use zeroize::Zeroizing;

use super::settings::KeySettings;
use crate::keys::{Key, KeySet};

/// The keys that are in files. `None` if one of them cannot be used.
pub(super) fn keys(settings: &KeySettings, given: &mut Given<'_>) -> Option<KeySet> {
    let mut keys = Vec::new();
    let mut sound = true;
    if let Some(file) = &settings.jwks_file {
        let set = read(file).and_then(|json| KeySet::parse(&json).map_err(|why| why.to_string()));
        match set {
            Ok(set) => keys.extend(set.into_keys()),
            Err(why) => sound = unusable("jwks_file", file, &why, given),
        }
    }
    for file in &settings.key {
        let pem = read(&file.path);
        let name = file.name.clone();
        match pem.and_then(|pem| Key::from_pem(name, &pem).map_err(|why| why.to_string())) {
            Ok(key) => keys.push(key),
            Err(why) => sound = unusable("key", &file.path, &why, given),
        }
    }
    for file in &settings.shared_key {
        let Some(line) = first_line("shared_key", &file.path, given) else {
            sound = false;
            continue;
        };
        match shared(file.name.clone(), &line) {
            Ok(key) => keys.push(key),
            Err(why) => sound = unusable("shared_key", &file.path, &why, given),
        }
    }
    sound.then(|| KeySet::new(keys))
}

fn shared(name: Option<String>, line: &Secret) -> Result<Key, String> {
    let key = match line.expose().strip_prefix(b"base64:") {
        Some(coded) => STANDARD.decode(coded).map(Zeroizing::new).map_err(|_| "it is no base64")?,
        None => Zeroizing::new(line.expose().to_vec()),
    };
    Key::shared(name, &key).map_err(|why| why.to_string())
}

/// What stands in the first line of a file. `None` if nothing does, which has
/// been reported at the setting `name`.
pub(super) fn first_line(name: &'static str, file: &Path, given: &mut Given<'_>) -> Option<Secret> {
    let mode = std::fs::metadata(file).ok().map(|found| found.mode());
    given.guard_file(name, file, mode);
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err(why) => {
            unusable(name, file, &why, given);
            return None;
        }
    };
    // What goes into a header must not end it.
    let first = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let first = first.trim_ascii();
    if first.is_empty() || first.iter().any(u8::is_ascii_control) {
        unusable(name, file, &"its first line has no secret in it", given);
        return None;
    }
    Some(Secret::new(first))
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    std::fs::read(file).map(Zeroizing::new).map_err(|error| error.to_string())
}

/// Reports a file that cannot be used; false.
fn unusable(name: &'static str, file: &Path, why: &dyn Display, given: &mut Given<'_>) -> bool {
    let message = format!("cannot use {}: {why}", file.display());
    given.report(Error, &[name], &message, "name another file, or correct it");
    false
}

/// TLS to the issuer: trusted are the authorities of `ca_file`, or those that
/// this machine trusts.
pub(super) fn tls(ca_file: Option<&Path>, given: &mut Given<'_>) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    match ca_file.map(|file| (file, certificates(file))) {
        // A machine without any is found out when an issuer shows its
        // certificate: a site without TLS needs none.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some((_, Ok(found))) => {
            roots.add_parsable_certificates(found);
        }
        Some((file, Err(why))) => {
            unusable("ca_file", file, &why, given);
            return None;
        }
    }
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(error.to_string()),
    }
}
