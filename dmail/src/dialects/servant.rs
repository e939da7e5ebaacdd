//! The table of dialects: whoever serves the one of a line.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dmail_authent::line::Quoting;
use dmail_core::Authenticator;
use dmail_core::config::{AccountWords, Dialect, DialectLine, Settings, Tempfail};
use dmail_core::sasl::Mechanism;
use dmail_dialects::authdaemon::AuthdaemonSession;
use dmail_dialects::dovecot::auth::{self, AuthSession};
use dmail_dialects::dovecot::userdb::{self, UserdbSession};
use dmail_dialects::policy::PolicySession;
use dmail_dialects::saslauthd::SaslauthdSession;
use dmail_dialects::serve::{ByAddress, Manners, NewSession};
use dmail_dialects::socketmap::SocketmapSession;
use dmail_dialects::table::Tables;
use dmail_dialects::tcp_table::TcpTableSession;
use dmail_dialects::{Session, UnixAccount, serve};
use dmail_net::{Limits, Shutdown};
use tokio_rustls::TlsAcceptor;

use super::noted::Noted;
use super::{Shared, http};
use crate::failure::Failure;
use crate::listen::Listener;

/// How long a connection of our own protocol may be silent in its first
/// version. In the second one, clients say how often they are heard of.
const TCPAUTH_IDLE: Duration = Duration::from_secs(3600);
/// How many questions of one connection may be under way.
const OUTSTANDING: usize = 1_000;

/// Numbers the connections of all dialects that tell their clients one.
static CONNECTIONS: AtomicU32 = AtomicU32::new(1);

/// Whoever serves one line.
pub(super) enum Servant {
    /// A session of the dialect on each connection.
    Sessions(Arc<serve::Server>),
    /// Our own protocol.
    Tcpauth(Arc<dmail_tcpauth::Server>),
    /// One of those over HTTP.
    Http(http::Servant),
}

impl Servant {
    /// Serves `line`, with what all lines share.
    ///
    /// # Errors
    ///
    /// If a file that the line names cannot be used.
    pub(super) fn new(
        line: &DialectLine,
        settings: &Settings,
        shared: &Shared,
    ) -> Result<Self, Failure> {
        let gateway = Arc::clone(&shared.live) as Arc<dyn Authenticator>;
        // One client is a mail server with many processes.
        let connections = settings.dialects.max_connections;
        let limits = Limits { connections, per_client: usize::MAX };
        let allow = allow(line);
        let new_session: NewSession = match &line.dialect {
            Dialect::Authdaemon(words) => {
                let config = account(words);
                sessions(move || AuthdaemonSession::new(config.clone(), true))
            }
            Dialect::DovecotAuth { tempfail, mechanisms } => {
                note_unserved(mechanisms, &*gateway);
                let (wanted, gateway) = (mechanisms.clone(), Arc::clone(&gateway));
                let tempfail = match tempfail {
                    Tempfail::ByVersion => auth::Tempfail::ByVersion,
                    Tempfail::Close => auth::Tempfail::Close,
                    Tempfail::Code => auth::Tempfail::Code,
                };
                let logins = Arc::clone(&shared.logins);
                sessions(move || {
                    // The user base may be another one after SIGHUP.
                    let proofs = gateway.proofs();
                    let served = wanted.iter().filter(|wanted| wanted.is_served_by(proofs));
                    AuthSession::new(auth::Config {
                        tempfail,
                        mechanisms: served.copied().collect(),
                        issuer: gateway.token_issuer(),
                        pid: std::process::id(),
                        connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
                        cookie: rand::random(),
                        logins: Some(Arc::clone(&logins)),
                    })
                })
            }
            Dialect::DovecotUserdb { home, uid, gid, tells_drop_file, master } => {
                if *master {
                    shared.logins.will_be_taken_up();
                }
                let config = userdb::Config {
                    pid: std::process::id(),
                    home: home.clone(),
                    uid: *uid,
                    gid: *gid,
                    tells_drop_file: *tells_drop_file,
                    master: master.then(|| Arc::clone(&shared.logins)),
                };
                sessions(move || UserdbSession::new(config.clone()))
            }
            Dialect::Policy => {
                let policy = Arc::clone(&shared.policy);
                sessions(move || PolicySession::new(Arc::clone(&policy)))
            }
            Dialect::Saslauthd => sessions(SaslauthdSession::new),
            Dialect::Socketmap { transport } => {
                let tables = tables(settings, transport.as_ref());
                sessions(move || SocketmapSession::new(Arc::clone(&tables)))
            }
            Dialect::TcpTable { map, transport } => {
                let (tables, map) = (tables(settings, transport.as_ref()), *map);
                sessions(move || TcpTableSession::new(Arc::clone(&tables), map))
            }
            Dialect::Tcpauth { changes, .. } => {
                let config = tcpauth(limits, allow, *changes);
                let noted = Noted::new(Arc::clone(&gateway), line.name());
                let server = dmail_tcpauth::Server::new(config, Arc::new(noted));
                let told: Weak<dmail_tcpauth::Server> = Arc::downgrade(&server);
                gateway.watch(told);
                return Ok(Self::Tcpauth(server));
            }
            Dialect::AuthHttp(_) | Dialect::AuthPolicy(_) | Dialect::Http(_) => {
                return http::Servant::new(line, limits, allow, &shared.live).map(Self::Http);
            }
        };
        let manners = Manners {
            service: line.service,
            timeout: line.timeout,
            outstanding: OUTSTANDING,
            ..Manners::new(line.name())
        };
        Ok(Self::Sessions(serve::Server::new(manners, limits, allow, gateway, new_session)))
    }

    /// Serves until it is asked to stop. The sessions go on after that.
    pub(super) async fn serve(
        self,
        listener: Listener,
        tls: Option<TlsAcceptor>,
        shutdown: Shutdown,
    ) {
        match (self, listener) {
            (Self::Http(servant), listener) => servant.serve(listener, tls, shutdown).await,
            (Self::Sessions(server), Listener::Tcp(listener)) => {
                server.serve_tcp(listener, shutdown).await;
            }
            (Self::Sessions(server), Listener::Unix(listener, _)) => {
                server.serve_unix(listener, shutdown).await;
            }
            (Self::Tcpauth(server), Listener::Tcp(listener)) => {
                server.serve_tcp(listener, tls, shutdown).await;
            }
            (Self::Tcpauth(server), Listener::Unix(listener, _)) => {
                server.serve_unix(listener, shutdown).await;
            }
        }
    }
}

/// Logs which of the mechanisms will not be offered.
fn note_unserved(wanted: &[Mechanism], gateway: &dyn Authenticator) {
    let proofs = gateway.proofs();
    for mechanism in wanted.iter().filter(|wanted| !wanted.is_served_by(proofs)) {
        tracing::warn!(%mechanism, "not offered: the user base cannot judge now what it brings");
    }
}

fn sessions<S: Session + 'static>(new: impl Fn() -> S + Send + Sync + 'static) -> NewSession {
    Box::new(move || Box::new(new()))
}

/// Who may connect over TCP.
fn allow(line: &DialectLine) -> ByAddress {
    match line.allow.clone() {
        Some(list) => Arc::new(move |client| list.includes(client)),
        None => Arc::new(|client| client.is_loopback()),
    }
}

fn account(words: &AccountWords) -> UnixAccount {
    let AccountWords { uid, gid, home } = words;
    UnixAccount { uid: *uid, gid: *gid, home: home.display().to_string() }
}

fn tables(settings: &Settings, transport: Option<&String>) -> Arc<Tables> {
    let domains = super::domains(settings);
    Arc::new(Tables { domains, transport: transport.cloned() })
}

/// Our own protocol. Nobody proves a secret here: who may ask may change, if
/// anybody may.
fn tcpauth(limits: Limits, allow: ByAddress, changes: bool) -> dmail_tcpauth::Config {
    dmail_tcpauth::Config {
        allow,
        changes: Arc::new(move |_| changes),
        limits,
        idle: TCPAUTH_IDLE,
        outstanding: OUTSTANDING,
        plain: true,
        quoting: Quoting { utf8: true, percent: false },
        secret: None,
    }
}
