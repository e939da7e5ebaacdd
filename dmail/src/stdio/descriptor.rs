//! Descriptors that a program is started with beside the standard three.
//!
//! They are opened once more through `/proc`, since nobody can say in safe
//! code that a number is a descriptor that is his.

use std::fs::{File, OpenOptions};
use std::io;

/// Where descriptor `number` is, as a file.
fn path(number: i32) -> String {
    format!("/proc/self/fd/{number}")
}

/// The inherited pipe `number`, to be read to its end. The number itself is
/// closed, so that no program behind this one has it.
pub(super) fn take_for_reading(number: i32) -> io::Result<File> {
    let opened = File::open(path(number));
    // Without it, the end of the pipe might never come.
    let _ = nix::unistd::close(number);
    opened
}

/// The inherited pipe `number`, to be written to.
pub(super) fn open_for_writing(number: i32) -> io::Result<File> {
    OpenOptions::new().write(true).open(path(number))
}
