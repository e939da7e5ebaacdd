//! From settings to the options of the library.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::{ClientIdentity, Opts, OptsBuilder, SslOpts};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::{Address, ConnectionSettings, ServerSettings, Settings};

/// Why the settings cannot be followed: a file of theirs.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {}: {why}", .file.display())]
pub struct OptionsError {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// How to connect to the server at `address`.
pub(super) fn options(settings: &Settings, address: &Address) -> Result<Opts, OptionsError> {
    let server = &settings.server;
    let password = server.password.as_ref();
    let password = password.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned());
    let builder = OptsBuilder::default()
        .user(Some(server.login.clone()))
        .pass(password)
        .db_name(Some(server.database.0.clone()))
        // Without this, a connection to a server that was asked for by TCP
        // moves over to the socket that the server names.
        .prefer_socket(false)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(60)))
        // An UPDATE that changes nothing has found its user all the same.
        .client_found_rows(true)
        .wait_timeout(Some(28_800))
        .setup(vec![session(&settings.connections)]);
    let builder = match address {
        Address::Socket(path) => builder.socket(Some(path.display().to_string())),
        Address::Tcp { host, port } => {
            builder.ip_or_hostname(host.clone()).tcp_port(*port).ssl_opts(tls(server)?)
        }
    };
    Ok(builder.into())
}

/// What every session is told: to speak UTF-8, to refuse a value that does not
/// fit rather than cut it, and to give up when nobody waits any more. MariaDB
/// runs the first comment, MySQL the second one.
fn session(connections: &ConnectionSettings) -> String {
    let lock = connections.timeout.as_secs();
    let seconds = connections.list_timeout.max(connections.timeout).as_secs();
    let milliseconds = seconds * 1000;
    format!(
        "SET NAMES utf8mb4, \
         @@SESSION.sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), \
         @@SESSION.autocommit = 1, \
         @@SESSION.lock_wait_timeout = {lock}, @@SESSION.innodb_lock_wait_timeout = {lock} \
         /*M!100101 , @@SESSION.max_statement_time = {seconds} */\
         /*!50708 , @@SESSION.max_execution_time = {milliseconds} */"
    )
}

fn tls(server: &ServerSettings) -> Result<Option<SslOpts>, OptionsError> {
    if !server.tls {
        return Ok(None);
    }
    let authorities = read("mysql_tls_ca", &server.tls_ca, certificates)?;
    let options = SslOpts::default()
        // The library brings a list of its own, as old as the library.
        .with_disable_built_in_roots(true)
        .with_root_certs(vec![authorities.into()]);
    let (Some(certificate), Some(key)) = (&server.tls_cert, &server.tls_key) else {
        return Ok(Some(options));
    };
    let certificate = read("mysql_tls_cert", certificate, certificates)?;
    let key = read("mysql_tls_key", key, |bytes| match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err("there is no private key in it".into()),
    })?;
    let identity = ClientIdentity::new(certificate.into(), key.into());
    Ok(Some(options.with_client_identity(Some(identity))))
}

/// All certificates must be sound, and there must be one.
fn certificates(bytes: &[u8]) -> Result<(), String> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        certificate.map_err(|error| format!("not PEM: {error}"))?;
        count += 1;
    }
    if count == 0 { Err("there is no certificate in it".into()) } else { Ok(()) }
}

fn read(
    setting: &'static str,
    file: &Path,
    judge: impl Fn(&[u8]) -> Result<(), String>,
) -> Result<Vec<u8>, OptionsError> {
    let wrong = |why: String| OptionsError { setting, file: file.to_owned(), why };
    let bytes = std::fs::read(file).map_err(|error: io::Error| wrong(error.to_string()))?;
    judge(&bytes).map_err(wrong)?;
    Ok(bytes)
}
