//! Reading `tcpauthsvr.conf`: its groups, and what they must not say of each
//! other.

use std::path::Path;

use dmail_core::config::{
    self, CacheSettings, Given, ListenOn, Loaded, ModuleSettings, NwauthSettings, Severity,
};

use super::super::server_tls::ServerTls;
use super::super::tls::TlsError;
use super::super::{mode, mode_and_owner};
use super::{
    BaseSettings, DaemonSettings, GuardSettings, ListenSettings, LogSettings, TCPAUTHSVR_CONF,
};

/// Reads `tcpauthsvr.conf`, and the certificates that it names.
#[must_use]
pub fn load_daemon(file: &Path) -> Loaded<DaemonSettings> {
    let mut read = |path: &Path| config::text(std::fs::read(path)?);
    config::load_with(file, &mut read, &TCPAUTHSVR_CONF, |given| {
        given.guard_secret("shared_secret", mode);
        build(given)
    })
}

fn build(given: &mut Given<'_>) -> Option<DaemonSettings> {
    let listen = ListenSettings::build(given);
    let guard = GuardSettings::build(given);
    let base = BaseSettings::build(given);
    let module = ModuleSettings::build(given);
    let cache = CacheSettings::build(given);
    // A default that is a path counts from the folder of the file, as others do.
    let folder = given.folder().to_owned();
    let nwauth = NwauthSettings::build(given)
        .map(|nwauth| NwauthSettings { path: folder.join(&nwauth.path), ..nwauth });
    let log = LogSettings::build(given)
        .map(|log| LogSettings { dsmtp_path: folder.join(&log.dsmtp_path), ..log });
    let tls = guard.as_ref().and_then(|guard| build_tls(guard, given));
    if let (Some(base), Some(module)) = (&base, &module) {
        check_base(base, module, given);
    }
    if let (Some(listen), Some(guard)) = (&listen, &guard) {
        check_guard(listen, guard, given);
    }
    Some(DaemonSettings {
        listen: listen?,
        guard: guard?,
        base: base?,
        module: module?,
        cache: cache?,
        nwauth: nwauth?,
        log: log?,
        tls,
    })
}

fn check_base(base: &BaseSettings, module: &ModuleSettings, given: &mut Given<'_>) {
    if !given.are_sound(&["source", "authent_process"]) {
        return;
    }
    match (&module.process, &base.source) {
        (None, None) => given.report(
            Severity::Error,
            &[],
            "neither `authent_process` nor `source` is set: there is nobody to ask",
            "add a line such as: source nwauth",
        ),
        (Some(_), Some(_)) => given.report(
            Severity::Error,
            &["source"],
            "`source` and `authent_process` are both set, and only one can be asked",
            "take away one of the two",
        ),
        _ => {}
    }
}

fn check_guard(listen: &ListenSettings, guard: &GuardSettings, given: &mut Given<'_>) {
    let tcp = listen.listen.iter().filter_map(|on| match on {
        ListenOn::Tcp(listen) => Some(listen),
        ListenOn::Unix(_) => None,
    });
    if guard.certificate.is_some() && tcp.clone().next().is_none() {
        given.report(
            Severity::Warning,
            &["tls_certificate"],
            "`tls_certificate` has no effect: a unix socket has no TLS",
            "take it away with its `tls_key`, or listen on an address and a port",
        );
    }
    let is_open = guard.certificate.is_none() && tcp.clone().any(|listen| !listen.is_loopback());
    if is_open {
        given.report(
            Severity::Warning,
            &["listen"],
            "without TLS, passwords cross the network in clear text",
            "set `tls_certificate` and `tls_key`, unless the network is yours alone",
        );
    }
    let local = listen.listen.iter().any(|on| matches!(on, ListenOn::Unix(_)));
    let credential = local || guard.secret.is_some() || guard.client_ca.is_some();
    if !guard.allow_changes.is_empty() && !credential {
        given.report(
            Severity::Error,
            &["allow_changes"],
            "nobody can show that it may change something: an address alone is no credential",
            "set `shared_secret` or `tls_client_ca`, or listen on a unix socket",
        );
    }
    if guard.require_certificate && guard.client_ca.is_none() {
        given.report(
            Severity::Error,
            &["require_client_certificate"],
            "no certificate can be trusted without `tls_client_ca`",
            "set `tls_client_ca` to the authority of the clients",
        );
    }
}

fn build_tls(guard: &GuardSettings, given: &mut Given<'_>) -> Option<ServerTls> {
    let (certificate, key) = match (&guard.certificate, &guard.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => {
            if guard.client_ca.is_some() {
                let message = "`tls_client_ca` has no effect without TLS";
                let help = "set `tls_certificate` and `tls_key`";
                given.report(Severity::Error, &["tls_client_ca"], message, help);
            }
            return None;
        }
        _ => {
            given.report(
                Severity::Error,
                &["tls_certificate", "tls_key"],
                "a certificate needs its key, and a key its certificate",
                "set both `tls_certificate` and `tls_key`, or none",
            );
            return None;
        }
    };
    given.guard_key("tls_key", key, mode_and_owner(key));
    let ca = guard.client_ca.as_deref();
    match ServerTls::with_clients(certificate, key, ca, guard.require_certificate) {
        Ok(tls) => Some(tls),
        Err(error) => {
            let blamed: &[&str] = match &error {
                TlsError::Key { .. } => &["tls_key"],
                TlsError::Certificate { file, .. } if Some(file.as_path()) == ca => {
                    &["tls_client_ca"]
                }
                TlsError::Certificate { .. } | TlsError::Pair { .. } => &["tls_certificate"],
                TlsError::Roots(_) => &["tls_client_ca"],
            };
            given.report(Severity::Error, blamed, &error.to_string(), "name a readable PEM file");
            None
        }
    }
}
