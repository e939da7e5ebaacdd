//! The log files: `dsmtp.log`, `dpop.log`, and `dmail.log` for all the rest.
//!
//! One event is one line. Values that came from outside are escaped where they
//! are logged, and secrets are a type that does not print.

mod files;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use dmail_core::config::{LogLevel, Settings};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::failure::Failure;
use files::{LogFiles, Names};

/// The files of this process, for [`reopen`].
static FILES: OnceLock<LogFiles> = OnceLock::new();

/// Starts logging into the files of `log_path`; warnings and errors go to the
/// terminal as well.
pub(crate) fn to_files(settings: &Settings) -> Result<(), Failure> {
    let server = &settings.server;
    start(&server.log_path, SERVERS, server.log_level, server.log_delay)
}

/// The same for a daemon that has one file, `name`, in `directory`.
pub(crate) fn to_file(
    directory: &Path,
    name: &'static str,
    level: LogLevel,
    delay: Duration,
) -> Result<(), Failure> {
    start(directory, Names { smtp: name, pop: name, rest: name }, level, delay)
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

fn start(directory: &Path, names: Names, level: LogLevel, delay: Duration) -> Result<(), Failure> {
    let files = LogFiles::open(directory, names, delay)?;
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

/// Writes what is gathered, at the end of the process.
pub(crate) fn finish() {
    if let Some(files) = FILES.get() {
        files.write_out();
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

/// The files of the mail servers.
const SERVERS: Names = Names { smtp: "dsmtp.log", pop: "dpop.log", rest: "dmail.log" };
