//! `dmail policy`: what logins have sent lately. Both ends of it: the commands
//! of the server, and those of the command line.

use std::process::ExitCode;
use std::sync::Arc;

use dmail_control::{Commands, Reply};
use dmail_core::Username;
use dmail_dialects::policy::{Outgoing, Policy, Unit, Used};

use crate::cli::{PolicyAction, PolicyArgs};
use crate::failure::Failure;
use crate::live::Live;
use crate::{configuration, control};

/// Asks the running servers, and prints what they say.
pub(crate) fn run(arguments: PolicyArgs) -> Result<ExitCode, Failure> {
    let settings = configuration::read(&configuration::locate(arguments.config))?;
    let words = match &arguments.action {
        PolicyAction::List { full: false } => vec!["policy", "list"],
        PolicyAction::List { full: true } => vec!["policy", "list", "full"],
        PolicyAction::Clear { target } => vec!["policy", "clear", target],
    };
    control::show(&settings, &words)
}

/// The server's end.
pub(crate) fn add_commands(commands: Commands, live: &Arc<Live>, policy: Arc<Policy>) -> Commands {
    let (listed, live) = (Arc::clone(&policy), Arc::clone(live));
    commands
        .with(
            "policy list",
            "[full] - shows what logins have sent, those first that have the least left",
            move |arguments: &[String]| list(listed.outgoing(), arguments),
        )
        .with("policy clear", "all|USER - forgets what was sent", move |arguments: &[String]| {
            clear(&live, policy.outgoing(), arguments)
        })
}

fn list(outgoing: &Outgoing, arguments: &[String]) -> Reply {
    let only_full = match arguments {
        [] => false,
        [word] if word == "full" => true,
        _ => return Reply::err("expected: policy list [full]"),
    };
    let used = outgoing.list();
    let shown = used.iter().filter(|used| used.used >= used.rate.count || !only_full);
    Reply::list(shown.map(line).collect(), "limits of which something is used")
}

/// `bob messages=198 limit=200/1h`
fn line(used: &Used) -> String {
    let Used { user, unit, used, rate } = used;
    let unit = match unit {
        Unit::Messages => "messages",
        Unit::Recipients => "recipients",
    };
    format!("{user} {unit}={used} limit={rate}")
}

fn clear(live: &Live, outgoing: &Outgoing, arguments: &[String]) -> Reply {
    let [target] = arguments else {
        return Reply::err("expected: policy clear all|USER");
    };
    let count = match (target.as_str(), Username::parse(target.as_bytes())) {
        ("all", _) => outgoing.clear(None),
        (_, Ok(user)) => {
            // A name is counted as the user base knows it, however it was typed.
            let canonical = live.with_gateway(|gateway| gateway.canonical(&user));
            outgoing.clear(Some(&canonical.unwrap_or(user)))
        }
        (_, Err(error)) => return Reply::err(error.to_string()),
    };
    tracing::info!(%target, count, "policy: what was sent is forgotten, as the administrator asked");
    match count {
        0 => Reply::ok("nothing was counted"),
        1 => Reply::ok("1 user forgotten"),
        count => Reply::ok(format!("{count} users forgotten")),
    }
}
