//! The names of dialects in logs, wherever they are spoken.

use super::table::DIALECTS;

/// The dialects that programs of ours speak on standard input and output. No
/// line `dialect` has them.
pub const PROGRAM_DIALECTS: [&str; 4] = ["authpipe", "checkpassword", "extauth", "proc-exec"];

/// All names that [`Origin::dialect`](crate::Origin::dialect) can have.
pub fn dialect_names() -> impl Iterator<Item = &'static str> {
    DIALECTS.iter().map(|row| row.name).chain(PROGRAM_DIALECTS)
}

/// The dialect of this name.
#[must_use]
pub fn dialect_name(name: &str) -> Option<&'static str> {
    dialect_names().find(|known| *known == name)
}
