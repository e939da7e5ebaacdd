//! The dialects over HTTP: their lines into servers.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use dmail_core::config::{AuthHttpWords, Dialect, DialectLine};
use dmail_core::{Guesses, Service};
use dmail_http::auth_http::{self, AuthHttp, Backends};
use dmail_http::check::{self, Api};
use dmail_http::policy::AuthPolicy;
use dmail_http::{Asker, ByAddress, Config, Key, Server};
use dmail_net::{Limits, Shutdown};
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;
use crate::listen::Listener;
use crate::live::Live;

/// Whoever serves one of them.
pub(super) enum Servant {
    AuthHttp(Arc<Server<AuthHttp>>),
    AuthPolicy(Arc<Server<AuthPolicy>>),
    Api(Arc<Server<Api>>),
}

impl Servant {
    /// Serves `line`, which is one over HTTP.
    ///
    /// # Errors
    ///
    /// If a file that it names cannot be used.
    pub(super) fn new(
        line: &DialectLine,
        limits: Limits,
        allow: ByAddress,
        live: &Arc<Live>,
    ) -> Result<Self, Failure> {
        let config = Config { allow, limits, ..Config::default() };
        let asker = Asker::new(Arc::clone(live) as _, line.timeout);
        let words = line.dialect.http();
        let key = words.and_then(|words| words.secret_file.as_deref());
        let key = key.map(|file| read_key(line, file)).transpose()?;
        Ok(match &line.dialect {
            Dialect::AuthHttp(words) => {
                let service = AuthHttp::new(asker, auth_http_options(words, key));
                Self::AuthHttp(Server::new(service, config))
            }
            Dialect::AuthPolicy(_) => {
                let guesses = Arc::clone(live) as Arc<dyn Guesses>;
                Self::AuthPolicy(Server::new(AuthPolicy::new(guesses, key), config))
            }
            _ => {
                let service = line.service.unwrap_or(Service::Line);
                Self::Api(Server::new(Api::new(asker, check::Options { key, service }), config))
            }
        })
    }

    /// Serves until it is asked to stop.
    pub(super) async fn serve(
        self,
        listener: Listener,
        tls: Option<TlsAcceptor>,
        shutdown: Shutdown,
    ) {
        match self {
            Self::AuthHttp(server) => serve(server, listener, tls, shutdown).await,
            Self::AuthPolicy(server) => serve(server, listener, tls, shutdown).await,
            Self::Api(server) => serve(server, listener, tls, shutdown).await,
        }
    }
}

async fn serve<S: dmail_http::Service>(
    server: Arc<Server<S>>,
    listener: Listener,
    tls: Option<TlsAcceptor>,
    shutdown: Shutdown,
) {
    match listener {
        Listener::Tcp(listener) => server.serve_tcp(listener, tls, shutdown).await,
        Listener::Unix(listener, _) => server.serve_unix(listener, shutdown).await,
    }
}

fn auth_http_options(words: &AuthHttpWords, key: Option<Key>) -> auth_http::Options {
    let AuthHttpWords { http: _, imap, pop3, smtp, mx, wait, attempts, account_name } =
        words.clone();
    auth_http::Options {
        backends: Backends { imap, pop3, smtp, mx },
        key,
        wait,
        attempts,
        account_name,
    }
}

fn read_key(line: &DialectLine, file: &Path) -> Result<Key, Failure> {
    let wrong = |why: &str| {
        let (name, blame, file) = (line.name(), line.on.blame(), file.display());
        Failure::Other(format!("{blame}: secret_file={file} of {name}: {why}"))
    };
    let content = std::fs::read(file).map_err(|error| wrong(&error.to_string()))?;
    let key = Key::from_file(&content).ok_or_else(|| wrong("its first line is empty"))?;
    if std::fs::metadata(file).is_ok_and(|found| found.mode() & 0o004 != 0) {
        tracing::warn!(file = %file.display(), "everybody on this machine may read this secret; chmod 600");
    }
    Ok(key)
}
