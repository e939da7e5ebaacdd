//! The log files: `dsmtp.log`, `dpop.log`, and `dmail.log` for all the rest.
//!
//! One event is one line. Values that came from outside are escaped where they
//! are logged, and secrets are a type that does not print.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use dmail_core::config::{LogLevel, Settings};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::failure::Failure;

/// Starts logging into the files of `log_path`; warnings and errors go to the
/// terminal as well.
pub(crate) fn to_files(settings: &Settings) -> Result<(), Failure> {
    let files = LogFiles::open(&settings.server.log_path)?;
    let level = match settings.server.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let files = fmt::layer().with_ansi(false).with_writer(files).with_filter(level).boxed();
    Registry::default().with(vec![files, terminal()]).init();
    Ok(())
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

/// The open log files.
#[derive(Clone)]
struct LogFiles {
    smtp: Arc<File>,
    pop: Arc<File>,
    rest: Arc<File>,
}

impl LogFiles {
    fn open(directory: &Path) -> Result<Self, Failure> {
        let open = |name| {
            let path = directory.join(name);
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).mode(0o600).open(&path);
            file.map(Arc::new).map_err(Failure::file("cannot write the log", &path))
        };
        Ok(Self { smtp: open("dsmtp.log")?, pop: open("dpop.log")?, rest: open("dmail.log")? })
    }

    /// The file for what a crate says.
    fn of(&self, target: &str) -> &Arc<File> {
        match target.split("::").next() {
            Some("dmail_smtp" | "dmail_delivery") => &self.smtp,
            Some("dmail_pop") => &self.pop,
            _ => &self.rest,
        }
    }
}

impl<'a> MakeWriter<'a> for LogFiles {
    type Writer = &'a File;

    fn make_writer(&'a self) -> &'a File {
        &self.rest
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> &'a File {
        self.of(metadata.target())
    }
}
