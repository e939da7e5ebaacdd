//! The log files: `dsmtp.log`, `dpop.log`, and `dmail.log` for all the rest.
//!
//! One event is one line. Values that came from outside are escaped where they
//! are logged, and secrets are a type that does not print.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use dmail_core::config::{LogLevel, Settings};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::failure::Failure;

/// The files of this process, for [`reopen`].
static FILES: OnceLock<LogFiles> = OnceLock::new();

/// Starts logging into the files of `log_path`; warnings and errors go to the
/// terminal as well.
pub(crate) fn to_files(settings: &Settings) -> Result<(), Failure> {
    start(&settings.server.log_path, SERVERS, settings.server.log_level)
}

/// The same for a daemon that has one file, `name`, in `directory`.
pub(crate) fn to_file(
    directory: &Path,
    name: &'static str,
    level: LogLevel,
) -> Result<(), Failure> {
    start(directory, Names { smtp: name, pop: name, rest: name }, level)
}

/// Logs to standard error, for daemons whose supervisor keeps what they say.
pub(crate) fn to_stderr(level: LogLevel) {
    let layer = fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    Registry::default().with(layer.with_filter(filter(level))).init();
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

fn start(directory: &Path, names: Names, level: LogLevel) -> Result<(), Failure> {
    let files = LogFiles::open(directory, names)?;
    let files = FILES.get_or_init(|| files).clone();
    let files = fmt::layer().with_ansi(false).with_writer(files).with_filter(filter(level)).boxed();
    Registry::default().with(vec![files, terminal()]).init();
    Ok(())
}

/// Goes on in new files of the same names, after a program such as logrotate
/// has moved the old ones away. If one cannot be opened, all stay as they are.
pub(crate) fn reopen() {
    if let Some(files) = FILES.get()
        && let Err(error) = files.reopen()
    {
        tracing::error!(%error, "the log goes on in the old files");
    }
}

/// Logs to the terminal only, for commands that are run by hand.
pub(crate) fn to_terminal() {
    Registry::default().with(terminal()).init();
}

fn terminal() -> Box<dyn Layer<Registry> + Send + Sync> {
    fmt::layer()
        .without_time()
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_filter(LevelFilter::WARN)
        .boxed()
}

/// Where the events of each server go.
#[derive(Clone, Copy)]
struct Names {
    smtp: &'static str,
    pop: &'static str,
    rest: &'static str,
}

/// The files of the mail servers.
const SERVERS: Names = Names { smtp: "dsmtp.log", pop: "dpop.log", rest: "dmail.log" };

/// The log files of a folder.
#[derive(Clone)]
struct LogFiles {
    directory: PathBuf,
    names: Names,
    open: Arc<RwLock<OpenFiles>>,
}

#[derive(Clone)]
struct OpenFiles {
    smtp: Arc<File>,
    pop: Arc<File>,
    rest: Arc<File>,
}

impl LogFiles {
    fn open(directory: &Path, names: Names) -> Result<Self, Failure> {
        let open = Arc::new(RwLock::new(OpenFiles::open(directory, names)?));
        Ok(Self { directory: directory.to_owned(), names, open })
    }

    fn reopen(&self) -> Result<(), Failure> {
        let fresh = OpenFiles::open(&self.directory, self.names)?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The file for what a crate says.
    fn of(&self, target: &str) -> Arc<File> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(match target.split("::").next() {
            Some("dmail_smtp" | "dmail_delivery") => &open.smtp,
            Some("dmail_pop") => &open.pop,
            _ => &open.rest,
        })
    }
}

impl OpenFiles {
    fn open(directory: &Path, names: Names) -> Result<Self, Failure> {
        let open = |name| {
            let path = directory.join(name);
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).mode(0o600).open(&path);
            file.map(Arc::new).map_err(Failure::file("cannot write the log", &path))
        };
        Ok(Self { smtp: open(names.smtp)?, pop: open(names.pop)?, rest: open(names.rest)? })
    }
}

impl<'a> MakeWriter<'a> for LogFiles {
    type Writer = Arc<File>;

    fn make_writer(&'a self) -> Arc<File> {
        self.of("")
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Arc<File> {
        self.of(metadata.target())
    }
}
