//! The lines `dialect` of dmail.conf, served.
//!
//! ```text
//!   dialect NAME ADDRESS …  ──▶ Listener ──▶ servant ──▶ the gateway of the moment
//!        SIGHUP: lines that are gone are closed, new ones are opened, and
//!        those that stay read their certificates again
//! ```

mod http;
mod noted;
mod servant;
mod tls;

use std::sync::Arc;

use dmail_core::Domain;
use dmail_core::config::{DialectLine, Settings};
use dmail_dialects::dovecot::Logins;
use dmail_dialects::policy::{Limits, Policy, Rules};
use dmail_net::Shutdown;
use dmail_tcpauth::settings::ServerTls;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::listen::{self, Listener};
use crate::live::Live;
use servant::Servant;

/// The sockets of the dialects, none of which is served yet.
pub(crate) struct Sockets(Vec<(DialectLine, Listener)>);

impl Sockets {
    /// No sockets, for a process that serves something else.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Opens those of all lines.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Failure> {
        let lines = settings.dialects.dialects.iter();
        let open = lines.map(|line| Ok((line.clone(), Listener::open(line.name(), &line.on)?)));
        open.collect::<Result<_, _>>().map(Self)
    }

    /// Serves them through `live` until `shutdown` is asked.
    pub(crate) fn serve(
        self,
        settings: &Settings,
        live: &Arc<Live>,
        shutdown: &Shutdown,
    ) -> Result<Dialects, Failure> {
        let (shared, shutdown) = (Shared::new(settings, live), shutdown.clone());
        let mut dialects = Dialects { shared, shutdown, served: Vec::new() };
        for (line, listener) in self.0 {
            dialects.add(line, listener, settings)?;
        }
        Ok(dialects)
    }
}

/// The dialects that are served.
pub(crate) struct Dialects {
    shared: Shared,
    shutdown: Shutdown,
    served: Vec<Served>,
}

/// What all lines share, also those that a reload brings.
struct Shared {
    live: Arc<Live>,
    /// From the auth sockets of Dovecot to its master sockets.
    logins: Arc<Logins>,
    policy: Arc<Policy>,
}

impl Shared {
    fn new(settings: &Settings, live: &Arc<Live>) -> Self {
        let judge = Arc::clone(live);
        let policy = Policy::new(
            rules(settings),
            Box::new(move |account, origin| {
                judge.with_gateway(|gateway| gateway.admit(account, origin))
            }),
        );
        let (live, logins) = (Arc::clone(live), Arc::new(Logins::new()));
        Self { live, logins, policy: Arc::new(policy) }
    }
}

/// The settings of the policy.
fn rules(settings: &Settings) -> Rules {
    let policy = &settings.policy;
    let (messages, recipients) = (policy.messages.clone(), policy.recipients.clone());
    let limits = Limits { messages, recipients };
    Rules { limits, sender: policy.sender, domains: domains(settings) }
}

/// Our mail domains.
fn domains(settings: &Settings) -> Vec<Domain> {
    let domains = &settings.domains;
    let vdomains = domains.vdomains.iter().map(|vdomain| &vdomain.domain);
    domains.host_domains.iter().chain(vdomains).cloned().collect()
}

/// One line that is served.
struct Served {
    line: DialectLine,
    tls: Option<ServerTls>,
    stop: Shutdown,
    /// Ends when the socket is closed.
    listening: JoinHandle<()>,
}

impl Dialects {
    /// Serves what `settings` say now: lines that are gone are closed, which
    /// their clients take for "try again later", and new ones are opened.
    pub(crate) async fn follow(&mut self, settings: &Settings) {
        self.shared.policy.set_rules(rules(settings));
        let lines = &settings.dialects.dialects;
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.served)
            .into_iter()
            .partition(|served| lines.iter().any(|line| line.is_same_as(&served.line)));
        self.served = kept;
        self.renew_certificates();
        for Served { line, stop, listening, .. } in gone {
            tracing::info!(service = line.name(), address = %line.on, "no longer served");
            listen::remove_file(&line.on);
            stop.ask();
            // The address may be wanted again at once.
            let _ = listening.await;
        }
        for line in lines {
            if self.served.iter().any(|served| served.line.is_same_as(line)) {
                continue;
            }
            let opened = Listener::open(line.name(), &line.on)
                .and_then(|listener| self.add(line.clone(), listener, settings));
            if let Err(problem) = opened {
                tracing::error!(%problem, "a new dialect is not served");
            }
        }
    }

    /// Reads the certificates of all lines again, each of which stays as it is if
    /// its files are wrong.
    pub(crate) fn renew_certificates(&self) {
        self.served.iter().filter_map(|served| served.tls.as_ref()).for_each(ServerTls::renew);
    }

    /// The policy, to show and to forget what was sent.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.shared.policy)
    }

    /// Takes the files of the sockets away: nobody is to come any more.
    pub(crate) fn remove_files(&self) {
        self.served.iter().for_each(|served| listen::remove_file(&served.line.on));
    }

    fn add(
        &mut self,
        line: DialectLine,
        listener: Listener,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let tls = tls::open(&line)?;
        let servant = Servant::new(&line, settings, &self.shared)?;
        listener.note(line.name());
        let stop = self.shutdown.part();
        let acceptor = tls.as_ref().map(ServerTls::acceptor);
        let listening = tokio::spawn(servant.serve(listener, acceptor, stop.clone()));
        self.served.push(Served { line, tls, stop, listening });
        Ok(())
    }
}
