//! `dmail throttle`: what the running servers count of wrong passwords. Both
//! ends of it: the commands of the server, and those of the command line.

use std::process::ExitCode;
use std::sync::Arc;

use dmail_authent::gateway::Gateway;
use dmail_authent::throttle::{Counted, Target};
use dmail_control::{Commands, Reply};

use crate::cli::{ThrottleAction, ThrottleArgs};
use crate::failure::Failure;
use crate::live::Live;
use crate::{configuration, control};

/// Asks the running servers, and prints what they say.
pub(crate) fn run(arguments: ThrottleArgs) -> Result<ExitCode, Failure> {
    let settings = configuration::read(&configuration::locate(arguments.config))?;
    let words = match &arguments.action {
        ThrottleAction::List { refused: false } => vec!["throttle", "list"],
        ThrottleAction::List { refused: true } => vec!["throttle", "list", "refused"],
        ThrottleAction::Clear { target } => vec!["throttle", "clear", target],
    };
    control::show(&settings, &words)
}

/// The server's end.
pub(crate) fn add_commands(commands: Commands, live: &Arc<Live>) -> Commands {
    let (listed, cleared) = (Arc::clone(live), Arc::clone(live));
    commands
        .with(
            "throttle list",
            "[refused] - shows who is counted for wrong passwords, the worst first",
            move |arguments: &[String]| listed.with_gateway(|gateway| list(gateway, arguments)),
        )
        .with(
            "throttle clear",
            "all|USER|NETWORK - forgets wrong passwords",
            move |arguments: &[String]| cleared.with_gateway(|gateway| clear(gateway, arguments)),
        )
}

fn list(gateway: &Gateway, arguments: &[String]) -> Reply {
    let only_refused = match arguments {
        [] => false,
        [word] if word == "refused" => true,
        _ => return Reply::err("expected: throttle list [refused]"),
    };
    let counted = gateway.throttle().list();
    let shown = counted.iter().filter(|counted| counted.is_refused() || !only_refused);
    Reply::list(shown.map(line).collect(), "counted for wrong passwords")
}

/// `address 192.0.2.7 failures=31 limit=30 refused forgotten_in=512`
fn line(counted: &Counted) -> String {
    let Counted { subject, failures, forgotten_in, .. } = counted;
    let limit = counted.limit.map_or("none".to_owned(), |limit| limit.to_string());
    let state = if counted.is_refused() { "refused" } else { "counted" };
    let seconds = forgotten_in.as_secs();
    let scope = subject.scope();
    format!("{scope} {subject} failures={failures} limit={limit} {state} forgotten_in={seconds}")
}

fn clear(gateway: &Gateway, arguments: &[String]) -> Reply {
    let [target] = arguments else {
        return Reply::err("expected: throttle clear all|USER|NETWORK");
    };
    let target = match Target::parse(target) {
        // A name is counted as the user base knows it, however it was typed.
        Ok(Target::User(user)) => Target::User(gateway.canonical(&user).unwrap_or(user)),
        Ok(target) => target,
        Err(error) => return Reply::err(error.to_string()),
    };
    let count = gateway.throttle().clear(&target);
    tracing::info!(
        ?target,
        count,
        "throttle: wrong passwords forgotten, as the administrator asked"
    );
    match count {
        0 => Reply::ok("nothing was counted"),
        1 => Reply::ok("1 user, address or network forgotten"),
        count => Reply::ok(format!("{count} users, addresses and networks forgotten")),
    }
}
