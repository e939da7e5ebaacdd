//! What the programs tell whoever sits at the terminal.
//!
//! Whoever closes standard output early (`dmail settings | head`) has seen
//! enough: that is no failure, and never a panic.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Writes `bytes` to standard output.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes `text` and the end of its line to standard output.
pub(crate) fn say(text: impl Display) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes())
}

/// Writes `text` and the end of its line to standard error. If nobody is
/// there, the exit code has to say it alone.
pub(crate) fn complain(text: impl Display) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
