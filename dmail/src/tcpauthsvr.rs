//! `tcpauthsvr`: the TCPAuth daemon, as the original's program.
//!
//! ```text
//!   clients ──▶ dmail_tcpauth::Server ──▶ cache, flight ──▶ module or user base
//!                     ▲        ▲                  ▲
//!                     └ told ──┤                  │ forgets
//!                              └── other daemons (peers) tell of their changes
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Weak};

use dmail_authent::cache::CacheConfig;
use dmail_authent::unmapped::Unmapped;
use dmail_backends::SourceSettings;
use dmail_backends::nwauth::NwAuthConfig;
use dmail_core::{Authenticator, Username, Watcher};
use dmail_net::Shutdown;
use dmail_tcpauth::settings::{self, DaemonSettings, ServerTls, SourceWords};
use dmail_tcpauth::{Client, Server};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use crate::listen::{self, Listener};
use crate::source::{self, Source};
use crate::{configuration, logging, serve, terminal};

/// Where the original keeps its configuration.
const DEFAULT_CONFIG: &str = "/etc/tcpauthsvr.conf";

const USAGE: &str = "usage: tcpauthsvr [-config FILE] [-check]

  -config FILE  the configuration (/etc/tcpauthsvr.conf unless given)
  -check        print all that is wrong with it, and serve nothing";

/// Runs the program with the words behind its name.
pub(crate) fn run(words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let Some(invocation) = Invocation::parse(words)? else {
        terminal::say(USAGE)?;
        return Ok(ExitCode::SUCCESS);
    };
    let settings = read(&invocation.file)?;
    if invocation.check_only {
        terminal::say(format_args!("{}: good", invocation.file.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    serve::prepare_process();
    let log = &settings.log;
    match &log.log_path {
        Some(folder) => logging::to_file(folder, "tcpauthsvr.log", log.log_level, log.log_delay)?,
        None => logging::to_stderr(log.log_level),
    }
    serve::run_to_end(daemon(settings))
}

/// What the command line asks for.
struct Invocation {
    file: PathBuf,
    check_only: bool,
}

impl Invocation {
    /// `None` asks for help.
    fn parse(words: Vec<OsString>) -> Result<Option<Self>, Failure> {
        let usage = || Failure::Usage(USAGE.into());
        let mut invocation = Self { file: DEFAULT_CONFIG.into(), check_only: false };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("-config" | "--config" | "-c") => {
                    invocation.file = words.next().ok_or_else(usage)?.into();
                }
                Some("-check" | "--check") => invocation.check_only = true,
                Some("-help" | "--help" | "-h") => return Ok(None),
                _ => return Err(usage()),
            }
        }
        Ok(Some(invocation))
    }
}

/// Reads the configuration and the file of the source that it names, and
/// prints what is wrong.
fn read(file: &Path) -> Result<DaemonSettings, Failure> {
    let full = std::path::absolute(file).map_err(Failure::file("cannot find", file))?;
    let loaded = settings::load_daemon(&full);
    let mut diagnostics = loaded.diagnostics;
    if let Some(settings) = &loaded.settings
        && let Some(words) = &settings.base.source
        && let Ok(kind) = kind(words)
        && let Some(source) = kind.file
    {
        diagnostics.extend((source.check)(&source_file(settings, words)));
    }
    if let Some(settings) = &loaded.settings
        && let Some(peers) = &settings.base.peers
    {
        diagnostics.extend(settings::check_client(peers));
    }
    if !diagnostics.is_empty() {
        configuration::print(&diagnostics);
    }
    let wrong = || Failure::Configuration(file.to_owned());
    let settings = loaded.settings.ok_or_else(wrong)?;
    if diagnostics.iter().any(dmail_core::config::Diagnostic::is_error) {
        return Err(wrong());
    }
    if let Some(words) = &settings.base.source {
        kind(words)?;
    }
    Ok(settings)
}

/// Serves until a signal asks to stop; then what is under way is answered.
async fn daemon(settings: DaemonSettings) -> Result<ExitCode, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::other("signals"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::other("signals"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::other("signals"))?;

    let sockets = Sockets::open(&settings)?;
    let source = open_source(&settings).await?;
    let gateway = Unmapped::new(source.authenticator(), cache(&settings, &source));
    let server = Server::new(settings.config(), Arc::clone(&gateway) as _);
    let told: Weak<Server> = Arc::downgrade(&server);
    gateway.watch(told);
    let peers = Peers::listen(&settings, &gateway, &server)?;
    let shutdown = Shutdown::new();
    sockets.serve(&settings, &server, &shutdown);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");

    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => {
                logging::reopen();
                settings.tls.iter().for_each(ServerTls::renew);
            }
        }
    }
    tracing::info!(sessions = shutdown.sessions(), "asked to stop, answering what was asked");
    settings.listen.listen.iter().for_each(listen::remove_file);
    let cut_off = tokio::select! {
        left = shutdown.drain(settings.listen.drain_timeout) => left,
        // Whoever asks twice is in a hurry.
        _ = interrupt.recv() => shutdown.sessions(),
    };
    drop(peers);
    source.shutdown().await;
    tracing::info!(cut_off, "stopped");
    Ok(ExitCode::SUCCESS)
}

/// The sockets of the daemon, all of them open before any is served.
struct Sockets(Vec<Listener>);

impl Sockets {
    fn open(settings: &DaemonSettings) -> Result<Self, Failure> {
        let open = |on| Listener::open("TCPAuth", on);
        settings.listen.listen.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    fn serve(self, settings: &DaemonSettings, server: &Arc<Server>, shutdown: &Shutdown) {
        let tls = settings.tls.as_ref().map(ServerTls::acceptor);
        for listener in self.0 {
            listener.note("tcpauth");
            let (server, shutdown) = (Arc::clone(server), shutdown.clone());
            match listener {
                Listener::Tcp(listener) => {
                    tokio::spawn(server.serve_tcp(listener, tls.clone(), shutdown));
                }
                Listener::Unix(listener, _) => {
                    tokio::spawn(server.serve_unix(listener, shutdown));
                }
            }
        }
    }
}

async fn open_source(settings: &DaemonSettings) -> Result<Source, Failure> {
    match (&settings.module.process, &settings.base.source) {
        (Some(_), _) => Source::module(&settings.module, &settings.base.domains),
        (None, Some(words)) => {
            let kind = kind(words)?;
            let opened = (kind.open)(&source_settings(settings, words)?).await;
            Ok(Source::of(opened.map_err(Failure::other("cannot open the user base"))?))
        }
        (None, None) => Err(Failure::Other("there is neither authent_process nor source".into())),
    }
}

fn kind(words: &SourceWords) -> Result<&'static dmail_backends::SourceKind, Failure> {
    dmail_backends::source(&words.method).ok_or_else(|| {
        let known: Vec<_> = dmail_backends::SOURCES.iter().map(|kind| kind.name).collect();
        let place = words
            .place
            .as_ref()
            .map_or(String::new(), |place| format!("{}:{}: ", place.file.display(), place.line));
        let (method, known) = (&words.method, known.join(", "));
        Failure::Other(format!("{place}there is no source {method}; there are {known}"))
    })
}

/// The file of the source: the one that is named, or the usual one.
fn source_file(settings: &DaemonSettings, words: &SourceWords) -> PathBuf {
    let usual = kind(words).ok().and_then(|kind| kind.file).map(|file| file.vocabulary.file);
    let beside = || settings.log.dsmtp_path.join(usual.unwrap_or_default());
    words.ini.clone().unwrap_or_else(beside)
}

fn source_settings(
    settings: &DaemonSettings,
    words: &SourceWords,
) -> Result<SourceSettings, Failure> {
    let mut nwauth = NwAuthConfig::from(&settings.nwauth);
    if let (None, Some(folder)) = (kind(words)?.file, &words.ini) {
        nwauth.directory.clone_from(folder);
    }
    let file = source_file(settings, words);
    Ok(SourceSettings { file, launcher: source::launcher()?, nwauth })
}

fn cache(settings: &DaemonSettings, source: &Source) -> CacheConfig {
    let cache = &settings.cache;
    CacheConfig {
        users: cache.entries,
        fresh: cache.fresh,
        life: cache.life,
        grace: cache.grace,
        by_address: source.by_address(),
    }
}

/// Listens to the other daemons in front of the same user base.
struct Peers {
    _heard: Arc<Heard>,
    _client: Client,
}

/// What was changed through another daemon is forgotten here, and told to our
/// clients, but to no daemon: it has heard of it itself.
struct Heard {
    gateway: Arc<Unmapped>,
    server: Arc<Server>,
}

impl Peers {
    fn listen(
        settings: &DaemonSettings,
        gateway: &Arc<Unmapped>,
        server: &Arc<Server>,
    ) -> Result<Option<Self>, Failure> {
        let Some(file) = &settings.base.peers else { return Ok(None) };
        let (mut config, _) =
            settings::load_client(file).map_err(Failure::other("cannot use peers"))?;
        config.peer = true;
        let client = Client::start(config);
        let heard = Arc::new(Heard { gateway: Arc::clone(gateway), server: Arc::clone(server) });
        let told: Weak<Heard> = Arc::downgrade(&heard);
        client.watch(told);
        Ok(Some(Self { _heard: heard, _client: client }))
    }
}

impl Watcher for Heard {
    fn changed(&self, user: &Username) {
        self.gateway.forget(user);
        self.server.heard_of(user);
    }

    /// Our clients may know only us.
    fn lost_track(&self) {
        self.gateway.forget_all();
        self.server.lost_track();
    }
}
