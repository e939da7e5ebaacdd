//! What stands in a lock file of ours, and what it proves.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use super::Legacy;

/// A lock file of ours is shorter than this.
const MAX_BYTES: u64 = 1024;

/// What a lock file of ours says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owner {
    host: String,
    boot: String,
    appending_from: Option<u64>,
}

impl Owner {
    /// Reads a lock file; none if it is not one of ours.
    pub(super) fn read(mut file: &File) -> io::Result<Option<Self>> {
        let mut text = String::new();
        file.rewind()?;
        match file.take(MAX_BYTES).read_to_string(&mut text) {
            Ok(_) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('\n')?;
        let (second, _) = rest.split_once('\n')?;
        let (_pid, host) = first.split_once(':')?;
        let words: Vec<&str> = second.split_whitespace().collect();
        let ["dmail", "1", boot, from] = words[..] else {
            return None;
        };
        Some(Self {
            host: host.to_owned(),
            boot: boot.to_owned(),
            appending_from: from.parse().ok(),
        })
    }

    /// Whether it belongs to the machine that we run on, since its last boot.
    /// Then its `flock` tells whether it is alive.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot == *BOOT
    }

    /// What the owner left behind, if it is certainly dead. Then `file` holds
    /// its `flock` for us.
    pub(super) fn legacy_if_dead(&self, file: &File) -> io::Result<Option<Legacy>> {
        let same_boot = self.is_of_this_boot();
        if !same_boot && self.host != *HOST {
            return Ok(None);
        }
        if !take_flock(file)? {
            return Ok(None);
        }
        // After a power cut the record proves nothing: the message may have
        // been flushed and acknowledged, and only the removal of the lock been
        // lost. Cutting then could lose mail; not cutting leaves, at worst, a
        // part of a message that its sender will send again.
        let appending_from = self.appending_from.filter(|_| same_boot);
        Ok(Some(Legacy { appending_from }))
    }
}

/// The same for a lock file whose record a power cut has swallowed: its name
/// came to the disk, its content did not. Then it is all NULs, which nobody
/// writes, or it is empty, which means something only if it is older than this
/// boot.
pub(super) fn legacy_if_lost(file: &File, found: &Metadata) -> io::Result<Option<Legacy>> {
    let mut content = Vec::new();
    let mut reader = file;
    reader.rewind()?;
    reader.take(MAX_BYTES).read_to_end(&mut content)?;
    let is_lost = match content.as_slice() {
        [] => BOOTED_AT.is_some_and(|boot| found.modified().is_ok_and(|made| made < boot)),
        content => content.iter().all(|byte| *byte == 0),
    };
    let is_dead = is_lost && take_flock(file)?;
    Ok(is_dead.then_some(Legacy { appending_from: None }))
}

/// Takes the `flock` of a lock file if its owner has it no more.
fn take_flock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// What our own lock files say, of an append that begins at this size or of
/// none.
pub(super) fn ours(appending_from: Option<u64>) -> String {
    let from = appending_from.map_or_else(|| "-".to_owned(), |from| from.to_string());
    let pid = std::process::id();
    // All records of one process are equally long, so one write replaces one.
    format!("{pid}:{}\ndmail 1 {} {from:>20}\n", *HOST, *BOOT)
}

/// This boot of this machine.
pub(super) static BOOT: LazyLock<String> = LazyLock::new(|| {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
        // Not a boot id, so never equal to another process's.
        |_| format!("unknown-{}", std::process::id()),
        |id| id.trim().to_owned(),
    )
});

/// When this machine was started, if the system says so.
pub(super) static BOOTED_AT: LazyLock<Option<SystemTime>> = LazyLock::new(|| {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.trim().parse().ok()?))
});

/// The name of this machine.
pub(super) static HOST: LazyLock<String> = LazyLock::new(|| {
    nix::unistd::gethostname().map_or_else(
        |_| "unknown".to_owned(),
        |name| name.to_string_lossy().replace(char::is_whitespace, "_"),
    )
});
