//! The control socket of a running server, and how the command line finds it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dmail_control::{Client, ClientError, Commands, ControlSocket, Reply, socket_path};
use dmail_core::config::Settings;
use dmail_dialects::policy::Policy;

use crate::cli::Role;
use crate::failure::Failure;
use crate::live::Live;
use crate::{policy, terminal, throttle};

/// The sockets that may be in a `work_path`: servers that run alone have their
/// own.
const NAMES: [&str; 4] = ["control", "control-pop", "control-smtp", "control-dialects"];

/// Opens the control socket of the servers that run here. Must be called
/// within the runtime.
pub(crate) fn open(settings: &Settings, only: Option<Role>) -> Result<ControlSocket, Failure> {
    let name = match only {
        None => NAMES[0],
        Some(Role::Dialects) => NAMES[3],
        Some(Role::Pop) => NAMES[1],
        Some(Role::Smtp) => NAMES[2],
    };
    let socket = ControlSocket::open(&settings.server.work_path, name);
    socket.map_err(|error| Failure::Other(error.to_string()))
}

/// What a running server can be told.
pub(crate) fn commands(live: &Arc<Live>, policy: Arc<Policy>) -> Commands {
    policy::add_commands(throttle::add_commands(Commands::new(), live), live, policy)
}

/// Tells all servers of this configuration the same, and returns what each of
/// them said, with its socket.
pub(crate) fn tell(settings: &Settings, words: &[&str]) -> Result<Vec<(PathBuf, Reply)>, Failure> {
    let folder = &settings.server.work_path;
    let mut replies = Vec::new();
    for path in NAMES.map(|name| socket_path(folder, name)) {
        match Client::connect(&path).and_then(|mut client| client.ask(words)) {
            Ok(reply) => replies.push((path, reply)),
            Err(error) if ClientError::is_nobody(&error) => {}
            Err(error) => return Err(Failure::Other(error.to_string())),
        }
    }
    if replies.is_empty() {
        let folder = folder.display();
        return Err(Failure::Other(format!("no dmail server runs in {folder} (its work_path)")));
    }
    Ok(replies)
}

/// Tells all servers of this configuration the same, and prints what they say.
pub(crate) fn show(settings: &Settings, words: &[&str]) -> Result<ExitCode, Failure> {
    let replies = tell(settings, words)?;
    let several = replies.len() > 1;
    let mut code = ExitCode::SUCCESS;
    for (path, reply) in replies {
        if several {
            terminal::say(format_args!("{}:", path.display()))?;
        }
        reply.data.iter().try_for_each(terminal::say)?;
        match reply.result {
            Ok(text) => terminal::say(text)?,
            Err(text) => {
                terminal::complain(format_args!("dmail: {text}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
