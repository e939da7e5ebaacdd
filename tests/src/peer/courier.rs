//! Courier's authentication library, as Courier's servers use it. It knows one
//! place for its socket, so that is where it finds ours.

use std::path::Path;

use crate::machine;
use crate::program::{Said, run};

/// The folder of the socket, which is called `socket`.
pub const FOLDER: &str = "/run/courier/authdaemon";

/// What `tool` (`authtest`, `authenumerate`) says, with the socket in `folder`.
#[must_use]
pub fn ask(folder: &Path, tool: &str, arguments: &[&str]) -> Said {
    let mut command = machine::with_folder_at(folder, FOLDER, &format!("/usr/sbin/{tool}"));
    command.args(arguments);
    run(command, "")
}
