//! `dmail serve`: listens, runs until it is asked to stop, and drains.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::Authenticator;
use dmail_core::config::{Listen, Settings};
use dmail_net::Shutdown;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Role, ServeArgs};
use crate::failure::Failure;
use crate::listen::bind;
use crate::live::Live;
use crate::{assemble, configuration, control, dialects, logging};

/// How long work that nobody waits for any more may hold up the end.
const LAST_WORK: Duration = Duration::from_secs(1);

/// Runs the servers of a configuration.
pub(crate) fn run(arguments: &ServeArgs) -> Result<ExitCode, Failure> {
    let settings = configuration::read(&arguments.config)?;
    prepare_process();
    logging::to_files(&settings)?;
    run_to_end(async {
        let listeners = Listeners::open(&settings, arguments.only)?;
        serve(&arguments.config, &settings, listeners, arguments.only, || {}).await
    })
}

/// What must be so before anything else: nobody else may read what we write,
/// and as many descriptors as the system allows.
pub(crate) fn prepare_process() {
    umask(Mode::from_bits_truncate(0o077));
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If it fails, the limit stays what the administrator wanted.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Runs `work` to its end, on a runtime of its own.
///
/// What a thread is busy with then, for a session that was cut off, gets
/// [`LAST_WORK`] and no more: it may wait for a lock or a disk that never
/// comes, and all of it survives even a kill -9.
pub(crate) fn run_to_end<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::other("cannot start the runtime"))?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WORK);
    result
}

/// The sockets of the servers, all of them open before any is served.
pub(crate) struct Listeners {
    smtp: Vec<TcpListener>,
    pop: Vec<TcpListener>,
    dialects: dialects::Sockets,
}

impl Listeners {
    /// Opens the sockets that the settings name.
    pub(crate) fn open(settings: &Settings, only: Option<Role>) -> Result<Self, Failure> {
        let open = |service, role, ports: &[Listen]| -> Result<Vec<TcpListener>, Failure> {
            if only.is_some_and(|only| only != role) {
                return Ok(Vec::new());
            }
            ports.iter().map(|port| bind(service, port)).collect()
        };
        Ok(Self {
            smtp: open("SMTP", Role::Smtp, &settings.smtp.ports)?,
            pop: open("POP3", Role::Pop, &settings.pop.ports)?,
            dialects: match only {
                None | Some(Role::Dialects) => dialects::Sockets::open(settings)?,
                Some(Role::Pop | Role::Smtp) => dialects::Sockets::none(),
            },
        })
    }

    /// Where the first SMTP socket listens.
    pub(crate) fn smtp_address(&self) -> Option<SocketAddr> {
        self.smtp.first()?.local_addr().ok()
    }

    /// Where the first POP3 socket listens.
    pub(crate) fn pop_address(&self) -> Option<SocketAddr> {
        self.pop.first()?.local_addr().ok()
    }
}

/// Serves until a signal asks to stop; then no new sessions, running ones
/// finish within `drain_timeout`, modules get `exit`. SIGHUP opens new log files
/// and reads the settings of the gateway and the dialects again, from the file
/// `path`, and the certificates of the dialects. `ready` is called when clients can be served.
pub(crate) async fn serve(
    path: &Path,
    settings: &Settings,
    listeners: Listeners,
    only: Option<Role>,
    ready: impl FnOnce(),
) -> Result<ExitCode, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::other("signals"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::other("signals"))?;
    // With a handler, a file that may not grow is an error like a full disk;
    // without, it would end the process.
    let _file_limit =
        signal(SignalKind::from_raw(nix::libc::SIGXFSZ)).map_err(Failure::other("signals"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::other("signals"))?;

    check_folders(settings)?;
    let control = control::open(settings, only)?;
    let live = Live::open(path, settings).await?;
    let shutdown = Shutdown::new();
    let mut dialects = start_servers(settings, listeners, &live, &shutdown)?;
    tokio::spawn(control.serve(control::commands(&live, dialects.policy()), shutdown.clone()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "started");
    ready();

    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => {
                logging::reopen();
                // A user base that takes its time does not hold up the end.
                let reload = async {
                    match live.reload().await {
                        Some(settings) if only.is_none_or(|only| only == Role::Dialects) => {
                            dialects.follow(&settings).await;
                        }
                        // A certificate expires, whatever is wrong elsewhere.
                        _ => dialects.renew_certificates(),
                    }
                };
                tokio::select! {
                    () = reload => {}
                    _ = interrupt.recv() => break,
                    _ = terminate.recv() => break,
                }
            }
        }
    }
    tracing::info!(sessions = shutdown.sessions(), "asked to stop, finishing the sessions");
    dialects.remove_files();
    let cut_off = tokio::select! {
        left = shutdown.drain(settings.server.drain_timeout) => left,
        // Whoever asks twice is in a hurry.
        _ = interrupt.recv() => shutdown.sessions(),
    };
    live.shutdown().await;
    tracing::info!(cut_off, "stopped");
    Ok(ExitCode::SUCCESS)
}

/// A folder that is not there, or not mounted, is noticed now and not at the
/// first mail.
fn check_folders(settings: &Settings) -> Result<(), Failure> {
    let vdomains = settings.domains.vdomains.iter();
    let folders = vdomains.map(|vdomain| ("vdomain", &vdomain.drop_path)).chain([
        ("drop_path", &settings.drop.drop_path),
        ("work_path", &settings.server.work_path),
    ]);
    for (setting, folder) in folders {
        if !folder.is_dir() {
            let folder = folder.display();
            return Err(Failure::Other(format!(
                "{setting}: there is no folder {folder}; make it (mkdir -m 700 {folder}), \
                 owned by the user that dmail runs as"
            )));
        }
    }
    Ok(())
}

fn start_servers(
    settings: &Settings,
    listeners: Listeners,
    live: &Arc<Live>,
    shutdown: &Shutdown,
) -> Result<dialects::Dialects, Failure> {
    let gateway = Arc::clone(live) as Arc<dyn Authenticator>;
    if !listeners.smtp.is_empty() {
        let server = assemble::smtp(settings, Arc::clone(&gateway))?;
        for listener in listeners.smtp {
            note_address("smtp", &listener);
            tokio::spawn(dmail_smtp::run(listener, Arc::clone(&server), shutdown.clone()));
        }
    }
    if !listeners.pop.is_empty() {
        let server = assemble::pop(settings, gateway);
        for listener in listeners.pop {
            note_address("pop3", &listener);
            tokio::spawn(dmail_pop::run(listener, Arc::clone(&server), shutdown.clone()));
        }
    }
    listeners.dialects.serve(settings, live, shutdown)
}

/// Logs where a service listens: with port 0 only the system knows.
fn note_address(service: &'static str, listener: &TcpListener) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(service, %address, "listening");
    }
}
