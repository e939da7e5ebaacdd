//! `dmail authent import`, `export` and `diff`: users from one base to another,
//! to files and from files.
//!
//! Standard output is for what was asked for: the export itself, what an
//! import did, what differs. Trouble with single users goes to standard error,
//! one line each, ending with a count.

mod base;
mod report;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use dmail_transfer::import::{Import, OnConflict};
use dmail_transfer::{Fields, TransferError, feed};

use crate::cli::{Conflict, DiffArgs, ExportArgs, FieldArgs, ImportArgs};
use crate::failure::Failure;
use crate::{logging, serve, terminal};
use base::{Bases, Use};

/// A base that does not answer now: EX_TEMPFAIL.
const TRY_AGAIN: u8 = 75;

/// Takes users in. Ends with 0 if all of them are in, 1 if some were refused
/// or left alone for a conflict.
pub(crate) fn import(config: Option<PathBuf>, arguments: ImportArgs) -> Result<ExitCode, Failure> {
    let bases = Bases::of(config, [Some(&arguments.to), arguments.from.as_ref()])?;
    let options = Import {
        dry_run: arguments.dry_run,
        on_conflict: match arguments.on_conflict {
            Conflict::Replace => OnConflict::Replace,
            Conflict::Skip => OnConflict::Skip,
            Conflict::Stop => OnConflict::Stop,
        },
    };
    begin();
    serve::run_to_end(async {
        let to = bases.open(&arguments.to, Use::Write).await?;
        let mut from = None;
        let feed = match (&arguments.from, arguments.format, &arguments.file) {
            (Some(name), _, _) => {
                let base = from.insert(bases.open(name, Use::Read).await?);
                feed::base(base.authenticator())
            }
            (None, Some(format), Some(file)) => {
                feed::file(format.reader(fields(&arguments.fields)), input(file)?)
            }
            _ => return Err(Failure::Usage("a format and a file, or --from, are needed".into())),
        };
        let mut report = report::Import::new(options.dry_run);
        let done =
            dmail_transfer::import::import(to.authenticator(), feed, options, &mut |event| {
                report.event(&event);
            })
            .await;
        to.shutdown().await;
        if let Some(from) = from {
            from.shutdown().await;
        }
        match done {
            Ok(summary) => Ok(report.end(&summary)),
            Err(error) => Ok(failed(&error, "run it again: what was taken in is found there")),
        }
    })
}

/// Writes users out. Ends with 0 if all of them are in the file, 1 if not.
pub(crate) fn export(config: Option<PathBuf>, arguments: ExportArgs) -> Result<ExitCode, Failure> {
    let bases = Bases::of(config, [Some(&arguments.from), None])?;
    let fields = Fields { base_dn: arguments.base_dn, ..fields(&arguments.fields) };
    begin();
    serve::run_to_end(async {
        let from = bases.open(&arguments.from, Use::Read).await?;
        let feed = feed::base(from.authenticator());
        let mut output = Output::create(&arguments.file)?;
        let done = dmail_transfer::export::export(
            feed,
            arguments.format.writer(fields),
            &mut |bytes| output.write(bytes),
            &mut |event| report::problem(&event),
        )
        .await;
        from.shutdown().await;
        match done {
            Ok(summary) => {
                output.keep()?;
                Ok(report::exported(&summary))
            }
            Err(error) => Ok(failed(&error, "nothing was written")),
        }
    })
}

/// Compares two bases. Ends with 0 if they say the same, 1 if not.
pub(crate) fn diff(config: Option<PathBuf>, arguments: DiffArgs) -> Result<ExitCode, Failure> {
    let bases = Bases::of(config, [Some(&arguments.old), Some(&arguments.new)])?;
    begin();
    serve::run_to_end(async {
        let old = bases.open(&arguments.old, Use::Read).await?;
        let new = bases.open(&arguments.new, Use::Read).await?;
        let names = match &arguments.names {
            Some(file) => Some(feed::names_in(input(file)?)),
            None => None,
        };
        let done = dmail_transfer::diff::diff(
            old.authenticator(),
            new.authenticator(),
            names,
            &mut |user, difference| report::difference(user, difference),
        )
        .await;
        old.shutdown().await;
        new.shutdown().await;
        match done {
            Ok(summary) => Ok(report::compared(&summary)),
            Err(error) => Ok(failed(&error, "the comparison is not complete")),
        }
    })
}

fn begin() {
    serve::prepare_process();
    logging::to_terminal();
}

fn failed(error: &TransferError, then: &str) -> ExitCode {
    terminal::complain(format_args!("dmail: {error}; {then}"));
    match error {
        TransferError::Unavailable(_) => ExitCode::from(TRY_AGAIN),
        _ => ExitCode::FAILURE,
    }
}

fn fields(arguments: &FieldArgs) -> Fields {
    let FieldArgs { user_field, password_field, drop_path_field, owner_field } = arguments.clone();
    Fields {
        user: user_field,
        password: password_field,
        drop_path: drop_path_field,
        owner: owner_field,
        base_dn: None,
    }
}

/// A file to read, or standard input.
fn input(path: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(Failure::file("cannot open", path))?;
    Ok(Box::new(BufReader::with_capacity(64 * 1024, file)))
}

/// Where an export goes. A file gets its name when it is complete and on disk,
/// so nobody takes half an export for a whole one. What is there and is no file,
/// a pipe or /dev/null, is written to and never replaced.
enum Output {
    File(Arc<Path>, tempfile::NamedTempFile),
    Special(Arc<Path>, File),
    Standard,
}

impl Output {
    fn create(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Standard);
        }
        let present = std::fs::symlink_metadata(path).ok().map(|metadata| metadata.file_type());
        match present {
            Some(kind) if kind.is_symlink() || kind.is_dir() => {
                let kind = if kind.is_dir() { "a folder" } else { "a symbolic link" };
                let advice = "name the file itself, or - for standard output";
                return Err(Failure::Usage(format!("{} is {kind}: {advice}", path.display())));
            }
            Some(kind) if !kind.is_file() => {
                let opened = File::options().write(true).open(path);
                let file = opened.map_err(Failure::file("cannot open", path))?;
                return Ok(Self::Special(Arc::from(path), file));
            }
            _ => {}
        }
        let full = std::path::absolute(path).map_err(Failure::file("cannot find", path))?;
        let folder = full.parent().unwrap_or(Path::new("/"));
        // Readable by its owner alone from the first moment.
        let file = tempfile::Builder::new().prefix(".dmail-export-").tempfile_in(folder);
        Ok(Self::File(Arc::from(&*full), file.map_err(Failure::file("cannot write to", folder))?))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(_, file) => file.write_all(bytes),
            Self::Special(_, file) => file.write_all(bytes),
            Self::Standard => io::stdout().write_all(bytes),
        }
    }

    fn keep(self) -> Result<(), Failure> {
        match self {
            Self::Standard => io::stdout().flush().map_err(Failure::other("standard output")),
            Self::Special(path, mut file) => {
                file.flush().map_err(Failure::file("cannot write", &path))
            }
            Self::File(path, file) => {
                file.as_file().sync_all().map_err(Failure::file("cannot write", &path))?;
                let kept = file.persist(&path).map_err(|error| error.error);
                kept.map(drop).map_err(Failure::file("cannot write", &path))
            }
        }
    }
}
