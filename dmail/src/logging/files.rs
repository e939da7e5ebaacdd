//! The log files of a folder, and the lines on their way to them.
//!
//! ```text
//!   event ──▶ line ──▶ gathered ──every `log_delay`──▶ file
//!                         └──at once: a warning, an error, much of it──▶ file
//! ```
//!
//! A busy server has a line for each login: one write for all lines of a moment
//! costs little more than one for each of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::Failure;

/// Lines beyond this wait for nothing: whoever adds to them writes them.
const MUCH: usize = 64 * 1024;

/// The names of the files: where the events of each server go.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) smtp: &'static str,
    pub(super) pop: &'static str,
    pub(super) rest: &'static str,
}

/// One of the files.
#[derive(Clone, Copy)]
enum Log {
    Smtp,
    Pop,
    Rest,
}

/// Something for each of the files.
type Each<T> = [T; 3];

/// The log files of a folder. Clones are the same files.
#[derive(Clone)]
pub(super) struct LogFiles {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    names: Names,
    delay: Duration,
    /// Locked for no longer than it takes to add a line.
    gathered: Mutex<Each<Vec<u8>>>,
    /// There are lines again.
    arrived: Condvar,
    /// Whoever writes has this first, so that lines stay in their order.
    files: Mutex<Each<LogFile>>,
}

impl LogFiles {
    /// Opens the files in `directory`. A line that may wait does so for
    /// `delay`.
    pub(super) fn open(directory: &Path, names: Names, delay: Duration) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            names,
            delay,
            gathered: Mutex::default(),
            arrived: Condvar::new(),
            files: Mutex::new(open(directory, names)?),
        });
        if !delay.is_zero() {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("log".to_owned());
            thread
                .spawn(move || shared.write_what_has_waited())
                .map_err(Failure::other("the log's thread"))?;
        }
        Ok(Self { shared })
    }

    /// Goes on in new files of the same names.
    pub(super) fn reopen(&self) -> Result<(), Failure> {
        let mut fresh = open(&self.shared.directory, self.shared.names)?;
        self.write_out();
        let mut files = lock(&self.shared.files);
        for (fresh, old) in fresh.iter_mut().zip(files.iter_mut()) {
            let lost = old.lost.take();
            fresh.lost = lost.map(|lost| Lost { torn: false, ..lost });
        }
        *files = fresh;
        Ok(())
    }

    /// Writes all that waits.
    pub(super) fn write_out(&self) {
        self.shared.write_out();
    }

    /// The file for what a crate says.
    fn of(&self, target: &str) -> Log {
        let names = self.shared.names;
        match target.split("::").next() {
            Some("dmail_smtp" | "dmail_delivery") if names.smtp != names.rest => Log::Smtp,
            Some("dmail_pop") if names.pop != names.rest => Log::Pop,
            _ => Log::Rest,
        }
    }
}

impl Shared {
    fn add(&self, log: Log, line: &[u8], is_grave: bool) {
        let mut gathered = lock(&self.gathered);
        let is_first = gathered.iter().all(Vec::is_empty);
        let lines = &mut gathered[log as usize];
        lines.extend_from_slice(line);
        let waits = !is_grave && !self.delay.is_zero() && lines.len() < MUCH;
        drop(gathered);
        if !waits {
            self.write_out();
        } else if is_first {
            self.arrived.notify_one();
        }
    }

    fn write_out(&self) {
        let mut files = lock(&self.files);
        let mut gathered = lock(&self.gathered);
        for (file, lines) in files.iter_mut().zip(gathered.iter_mut()) {
            std::mem::swap(&mut file.lines, lines);
        }
        drop(gathered);
        files.iter_mut().for_each(LogFile::write);
    }

    /// The thread that writes when a line has waited long enough.
    fn write_what_has_waited(&self) {
        loop {
            let gathered = lock(&self.gathered);
            let gathered = self
                .arrived
                .wait_while(gathered, |lines| lines.iter().all(Vec::is_empty))
                .unwrap_or_else(PoisonError::into_inner);
            drop(gathered);
            std::thread::sleep(self.delay);
            self.write_out();
        }
    }
}

/// What holds lines is whole whatever became of its last owner.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One file, and what is being written to it.
struct LogFile {
    file: File,
    /// Empty between two writes, but for its room.
    lines: Vec<u8>,
    /// What could not be written. There is nobody whom it could be told to; the
    /// next line that can be written says so.
    lost: Option<Lost>,
}

struct Lost {
    count: usize,
    why: io::Error,
    /// Whether the file ends in a part of a line.
    torn: bool,
}

impl LogFile {
    fn write(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        if self.tell_lost() {
            if let Err((written, why)) = put(&mut self.file, &self.lines) {
                let torn = self.lines[..written].last().is_some_and(|byte| *byte != b'\n');
                self.lost = Some(Lost { count: count(&self.lines[written..]), why, torn });
            }
        } else if let Some(lost) = &mut self.lost {
            lost.count += count(&self.lines);
        }
        self.lines.clear();
        self.lines.shrink_to(MUCH);
    }

    /// Whether all that was lost is told.
    fn tell_lost(&mut self) -> bool {
        let Some(lost) = &mut self.lost else { return true };
        let end = if lost.torn { "\n" } else { "" };
        let notice = format!("{end}{} lines lost: {}\n", lost.count, lost.why);
        match put(&mut self.file, notice.as_bytes()) {
            Ok(()) => {
                self.lost = None;
                true
            }
            Err((written, why)) => {
                lost.why = why;
                lost.torn |= written > 0;
                false
            }
        }
    }
}

/// Writes all of it.
///
/// # Errors
///
/// The system's, and how much was written before.
fn put(file: &mut File, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

fn count(lines: &[u8]) -> usize {
    lines.iter().filter(|byte| **byte == b'\n').count()
}

/// Opens the three files.
fn open(directory: &Path, names: Names) -> Result<Each<LogFile>, Failure> {
    let open = |name| {
        let path = directory.join(name);
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(&path);
        file.map(|file| LogFile { file, lines: Vec::new(), lost: None })
            .map_err(Failure::file("cannot write the log", &path))
    };
    Ok([open(names.smtp)?, open(names.pop)?, open(names.rest)?])
}

/// Takes the line of one event.
pub(super) struct LineWriter<'a> {
    shared: &'a Shared,
    log: Log,
    is_grave: bool,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.add(self.log, line, self.is_grave);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFiles {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { shared: &self.shared, log: Log::Rest, is_grave: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LineWriter<'a> {
        let is_grave = *metadata.level() <= Level::WARN;
        LineWriter { shared: &self.shared, log: self.of(metadata.target()), is_grave }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names { smtp: "smtp.log", pop: "pop.log", rest: "rest.log" };
    /// Longer than any test.
    const NEVER: Duration = Duration::from_secs(86_400);

    fn text(folder: &Path, name: &str) -> String {
        std::fs::read_to_string(folder.join(name)).expect("a log")
    }

    #[test]
    fn lines_wait_for_each_other_and_for_nothing_that_is_grave() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LogFiles::open(folder.path(), NAMES, NEVER).expect("room");
        files.shared.add(Log::Rest, b"one\n", false);
        files.shared.add(Log::Pop, b"login\n", false);
        assert_eq!(text(folder.path(), "rest.log"), "");
        files.shared.add(Log::Rest, b"WARN two\n", true);
        assert_eq!(text(folder.path(), "rest.log"), "one\nWARN two\n");
        assert_eq!(text(folder.path(), "pop.log"), "login\n");
        files.shared.add(Log::Pop, b"logout\n", false);
        files.write_out();
        assert_eq!(text(folder.path(), "pop.log"), "login\nlogout\n");
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        (0..64).for_each(|_| files.shared.add(Log::Rest, &line, false));
        assert_eq!(text(folder.path(), "rest.log").len(), 13 + MUCH, "much of it");
    }

    #[test]
    fn lines_are_written_when_they_have_waited() {
        let folder = tempfile::tempdir().expect("a folder");
        let delay = Duration::from_millis(1);
        let files = LogFiles::open(folder.path(), NAMES, delay).expect("room");
        for round in 1..=3 {
            files.shared.add(Log::Rest, b"line\n", false);
            let late = std::time::Instant::now() + Duration::from_secs(20);
            while text(folder.path(), "rest.log").lines().count() < round {
                assert!(std::time::Instant::now() < late, "line {round} was not written");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn without_a_delay_a_line_is_in_its_file_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LogFiles::open(folder.path(), NAMES, Duration::ZERO).expect("room");
        files.shared.add(Log::Smtp, b"one\n", false);
        assert_eq!(text(folder.path(), "smtp.log"), "one\n");
    }

    #[test]
    fn what_waited_goes_to_the_file_that_was_moved_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LogFiles::open(folder.path(), NAMES, NEVER).expect("room");
        files.shared.add(Log::Rest, b"old\n", false);
        let moved = folder.path().join("rest.log.1");
        std::fs::rename(folder.path().join("rest.log"), moved).expect("it is there");
        files.reopen().expect("room");
        files.shared.add(Log::Rest, b"new\n", true);
        assert_eq!(text(folder.path(), "rest.log.1"), "old\n");
        assert_eq!(text(folder.path(), "rest.log"), "new\n");
    }

    #[test]
    fn lines_that_a_full_disk_lost_are_counted_when_there_is_room_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LogFiles::open(folder.path(), NAMES, NEVER).expect("room");
        let full = File::options().write(true).open("/dev/full").expect("a full disk");
        let real = std::mem::replace(&mut lock(&files.shared.files)[2].file, full);
        files.shared.add(Log::Rest, b"one\ntwo\n", true);
        files.shared.add(Log::Rest, b"three\n", true);
        lock(&files.shared.files)[2].file = real;
        files.shared.add(Log::Rest, b"four\n", true);
        files.shared.add(Log::Rest, b"five\n", true);
        let lost = "3 lines lost: No space left on device (os error 28)\nfour\nfive\n";
        assert_eq!(text(folder.path(), "rest.log"), lost);
    }

    #[test]
    fn a_line_that_is_torn_ends_before_the_loss_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = LogFiles::open(folder.path(), NAMES, NEVER).expect("room");
        // Written in part, as on a disk with room for ten bytes.
        let lost = Lost { count: 1, why: io::ErrorKind::StorageFull.into(), torn: true };
        lock(&files.shared.files)[2].lost = Some(lost);
        std::fs::write(folder.path().join("rest.log"), "one\npart of").expect("room");
        files.shared.add(Log::Rest, b"four\n", true);
        let expected = "one\npart of\n1 lines lost: no storage space\nfour\n";
        assert_eq!(text(folder.path(), "rest.log"), expected);
    }
}
