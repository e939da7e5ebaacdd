//! `dmail module-exec`: sets limits on itself and becomes a module.
//!
//! The servers start their modules through this, so that a module dies with
//! its server even if that is killed, leaves no core file with passwords in
//! it, and inherits no descriptors.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{close, getppid};

use crate::cli::ModuleExecArgs;
use crate::failure::Failure;

/// Descriptors that a module may have open.
const OPEN_FILES: u64 = 1024;

/// Becomes the module; returns only if that fails.
pub(crate) fn run(arguments: ModuleExecArgs) -> Failure {
    if let Err(error) = prepare(arguments.parent) {
        return Failure::Other(format!("cannot prepare the module: {error}"));
    }
    let error = Command::new(&arguments.program).args(&arguments.arguments).exec();
    Failure::File { what: "cannot run the module", path: arguments.program.into(), error }
}

fn prepare(parent: i32) -> nix::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The server may have died before it said so.
    if getppid().as_raw() != parent {
        return Err(nix::errno::Errno::ESRCH);
    }
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let files = OPEN_FILES.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, files, files)?;
    close_inherited();
    Ok(())
}

/// Closes every descriptor but the three standard ones.
fn close_inherited() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let names = open.flatten().map(|entry| entry.file_name());
    let numbers: Vec<i32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // The one that listed them is closed already.
        let _ = close(number);
    }
}
