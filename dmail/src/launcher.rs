//! `dmail module-exec`: sets limits on itself and becomes a module.
//!
//! The servers start their modules through this, so that a module dies with
//! its server even if that is killed, leaves no core file with passwords in
//! it, and inherits no descriptors.
//!
//! A checkpassword program is started through it, too. It reads descriptor 3 and
//! what it becomes writes to 4; nobody can start a program with these but by
//! being that program before.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use dmail_dialects::checkpassword::Exit;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{close, dup2_stdin, dup2_stdout, getppid};

use crate::cli::ModuleExecArgs;
use crate::failure::Failure;
use crate::terminal;

/// Descriptors that a module may have open.
const OPEN_FILES: u64 = 1024;

/// Becomes the module; returns only if that fails.
pub(crate) fn run(arguments: ModuleExecArgs) -> Result<ExitCode, Failure> {
    let failure = become_module(&arguments);
    if arguments.checkpassword {
        // 1 would be a wrong password.
        terminal::complain(&failure);
        return Ok(ExitCode::from(Exit::Later as u8));
    }
    Err(failure)
}

fn become_module(arguments: &ModuleExecArgs) -> Failure {
    if let Err(error) = prepare(arguments.parent) {
        return Failure::Other(format!("cannot prepare the module: {error}"));
    }
    if arguments.checkpassword
        && let Err(error) = move_descriptors()
    {
        return Failure::Other(format!("cannot prepare descriptors 3 and 4: {error}"));
    }
    let error = Command::new(&arguments.program).args(&arguments.arguments).exec();
    Failure::File { what: "cannot run the module", path: arguments.program.clone().into(), error }
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

/// Gives standard input and output the numbers of checkpassword.
fn move_descriptors() -> io::Result<()> {
    let (input, output) = (io::stdin(), io::stdout());
    // The lowest free number from there on: nothing else is open.
    let request = fcntl(input.as_fd(), FcntlArg::F_DUPFD(3))?;
    let reply = fcntl(output.as_fd(), FcntlArg::F_DUPFD(4))?;
    if (request, reply) != (3, 4) {
        return Err(io::Error::other("other descriptors are open"));
    }
    // The program becomes another user, and what it becomes then opens this
    // pipe by its name, which is seen by the same process only.
    fchmod(output.as_fd(), Mode::from_bits_truncate(0o622))?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok(())
}
