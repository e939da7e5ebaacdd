//! `dmail explain`: how the gateway comes to its answer, step by step.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmail_core::{AuthRequest, Authenticator, DropPath, Origin, Trace, Verdict};

use crate::cli::ExplainArgs;
use crate::failure::Failure;
use crate::source::Source;
use crate::{assemble, authent, configuration, logging, password, serve, terminal};

/// Asks once, and prints what each layer did and when.
pub(crate) fn run(arguments: ExplainArgs) -> Result<ExitCode, Failure> {
    let user = authent::username(&arguments.user)?;
    let origin = authent::origin(arguments.origin);
    let path = configuration::locate(arguments.config);
    let settings = configuration::read(&path)?;
    let mut request = match arguments.check {
        true => AuthRequest::check(user, password::read("Password: ")?, origin),
        false => AuthRequest::lookup(user, origin),
    };
    serve::prepare_process();
    logging::to_terminal();
    serve::run_to_end(async {
        let source = Source::open(&settings).await?;
        let gateway = assemble::gateway(&settings, &source);
        let trace = Arc::new(Trace::new());
        request.trace = Some(Arc::clone(&trace));
        let started = Instant::now();
        let verdict = gateway.authenticate(&request).await;
        let took = started.elapsed();
        source.shutdown().await;

        let verb = if arguments.check { "check" } else { "lookup" };
        let (user, service, path) = (&request.user, origin.service, path.display());
        let way = way(&origin);
        terminal::say(format_args!("{verb} {user} for {service}{way}, by {path}"))?;
        for step in trace.steps() {
            terminal::say(line(step.at, step.layer, &step.text))?;
        }
        terminal::say(line(took, "verdict", &describe(&verdict)))?;
        Ok(match verdict {
            Ok(Verdict::Accepted(_)) => ExitCode::SUCCESS,
            Ok(Verdict::Rejected(_)) => ExitCode::FAILURE,
            Err(_) => ExitCode::from(75),
        })
    })
}

/// What is known of how the question came.
fn way(origin: &Origin) -> String {
    let dialect = origin.dialect.map(|dialect| format!(" in {dialect}"));
    let transport = origin.transport.name().map(|name| format!(" over a connection: {name}"));
    let session = origin.session.map(|session| format!(", session {session}"));
    [dialect, transport, session].into_iter().flatten().collect()
}

fn line(at: Duration, layer: &str, text: &str) -> String {
    format!("{:>10.3} ms  {layer:<10} {text}", at.as_secs_f64() * 1e3)
}

fn describe(verdict: &Result<Verdict, dmail_core::Unavailable>) -> String {
    match verdict {
        Ok(Verdict::Accepted(account)) => {
            let drop = match &account.drop {
                DropPath::File(path) => path.display().to_string(),
                DropPath::Config => "config".to_owned(),
            };
            format!("accepted: {}, drop file {drop}", account.name)
        }
        Ok(Verdict::Rejected(rejection)) => {
            format!("rejected ({}): {}", rejection.kind.id(), rejection.text)
        }
        Err(error) => format!("temporary failure, {error}"),
    }
}
