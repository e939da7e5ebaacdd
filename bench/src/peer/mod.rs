//! Servers of others, started on a folder of their own: what the gateway asks.

mod dovecot;
mod mariadb;
mod nginx;
mod postfix;
mod saslauthd;
mod slapd;

use std::path::{Path, PathBuf};

pub(crate) use dovecot::Dovecot;
pub(crate) use mariadb::{DATABASE, LOGIN, MariaDb};
pub(crate) use nginx::{Nginx, free_address};
pub(crate) use postfix::Postfix;
pub(crate) use saslauthd::Saslauthd;
pub(crate) use slapd::Slapd;

/// The first of these programs that is there.
fn installed(programs: &[&str]) -> Option<PathBuf> {
    programs.iter().map(PathBuf::from).find(|program| program.exists())
}

/// The name of a file as text; ours are.
fn text(path: &Path) -> String {
    path.display().to_string()
}
