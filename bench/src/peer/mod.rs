//! Servers of others, started on a folder of their own: what the gateway asks.

mod dovecot;
mod mariadb;
mod nginx;
mod postfix;
mod saslauthd;
mod slapd;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

pub(crate) use dovecot::Dovecot;
pub(crate) use mariadb::{DATABASE, LOGIN, MariaDb};
pub(crate) use nginx::{Nginx, free_address};
pub(crate) use postfix::Postfix;
pub(crate) use saslauthd::Saslauthd;
pub(crate) use slapd::Slapd;

use crate::failure::Failure;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first of these programs that is there.
fn installed(programs: &[&str]) -> Option<PathBuf> {
    programs.iter().map(PathBuf::from).find(|program| program.exists())
}

/// Waits until `ready`, or the process ends.
fn wait_for(
    name: &str,
    process: &mut Child,
    mut ready: impl FnMut() -> bool,
) -> Result<(), Failure> {
    let late = Instant::now() + PATIENCE;
    while !ready() {
        if let Ok(Some(status)) = process.try_wait() {
            return Err(Failure::Program(format!("{name} ended at once: {status}")));
        }
        if Instant::now() > late {
            return Err(Failure::Program(format!("{name} does not answer after {PATIENCE:?}")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The name of a file as text; ours are.
fn text(path: &Path) -> String {
    path.display().to_string()
}
