//! `dmail authent`: asks the configured gateway, and prints the reply as a
//! module would.

use std::process::ExitCode;

use dmail_authent::line::{DataLine, Reply, ReplyLine, Status};
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Info, Origin, Outcome, Search, SearchOutcome,
    Service, Unavailable, Username, Verdict,
};

use crate::cli::{AskVerb, AuthentArgs, AuthentVerb, OriginArgs};
use crate::failure::Failure;
use crate::source::Source;
use crate::{assemble, configuration, logging, password, serve, terminal, transfer};

/// Asks, prints the reply, and ends with 0 for `+OK`, 1 for `-ERR` and 75
/// (EX_TEMPFAIL) for `-DEAD`.
pub(crate) fn run(arguments: AuthentArgs) -> Result<ExitCode, Failure> {
    let config = arguments.config;
    let question = match arguments.verb {
        AuthentVerb::Ask(verb) => Question::new(verb)?,
        AuthentVerb::Import(arguments) => return transfer::import(config, arguments),
        AuthentVerb::Export(arguments) => return transfer::export(config, arguments),
        AuthentVerb::Diff(arguments) => return transfer::diff(config, arguments),
    };
    let settings = configuration::read(&configuration::locate(config))?;
    serve::prepare_process();
    logging::to_terminal();
    serve::run_to_end(async {
        let source = Source::open(&settings).await?;
        let gateway = assemble::gateway(&settings, &source);
        let answer = question.ask(&gateway).await;
        source.shutdown().await;
        let (lines, code) = match answer {
            Ok((lines, true)) => (lines, ExitCode::SUCCESS),
            Ok((lines, false)) => (lines, ExitCode::FAILURE),
            Err(error) => {
                (vec![ReplyLine::Final(Reply::dead(error.to_string()))], ExitCode::from(75))
            }
        };
        let mut out = Vec::new();
        lines.iter().for_each(|line| line.write(&mut out));
        terminal::write(&out)?;
        Ok(code)
    })
}

/// Where a question comes from, as the command line says.
pub(crate) fn origin(arguments: OriginArgs) -> Origin {
    let OriginArgs { ip, local_ip, service, dialect, transport, session } = arguments;
    let transport = transport.unwrap_or_default();
    Origin { client: ip, local: local_ip, service, dialect, transport, session }
}

/// A user name from the command line.
pub(crate) fn username(text: &str) -> Result<Username, Failure> {
    Username::parse(text.as_bytes()).map_err(|error| Failure::Usage(format!("user name: {error}")))
}

enum Question {
    Authenticate(AuthRequest),
    Change(Change),
    Search(Search),
}

impl Question {
    fn new(verb: AskVerb) -> Result<Self, Failure> {
        let admin = Origin::local(Service::Admin);
        Ok(match verb {
            AskVerb::Check { user, origin: arguments } => {
                let (user, origin) = (username(&user)?, origin(arguments));
                Self::Authenticate(AuthRequest::check(user, password::read("Password: ")?, origin))
            }
            AskVerb::Lookup { user, origin: arguments } => {
                Self::Authenticate(AuthRequest::lookup(username(&user)?, origin(arguments)))
            }
            AskVerb::Set { user, keep_password, info } => {
                let info = parse_info(&info)?;
                let user = username(&user)?;
                let secret = match keep_password {
                    true => None,
                    false => Some(password::read("New password: ")?),
                };
                Self::Change(Change { user, action: Action::Set { secret, info }, origin: admin })
            }
            AskVerb::Del { user } => {
                let user = username(&user)?;
                Self::Change(Change { user, action: Action::Delete, origin: admin })
            }
            AskVerb::Search { pattern, from, max } => {
                Self::Search(Search { pattern, from, max, origin: admin })
            }
        })
    }

    /// The lines of the reply, and whether it is a yes.
    async fn ask(
        &self,
        gateway: &dyn Authenticator,
    ) -> Result<(Vec<ReplyLine>, bool), Unavailable> {
        let no = |text: String| (vec![ReplyLine::Final(Reply::err(text))], false);
        Ok(match self {
            Self::Authenticate(request) => match gateway.authenticate(request).await? {
                Verdict::Accepted(account) => {
                    let reply = Reply::account(&account);
                    let is_yes = reply.status == Status::Ok;
                    (vec![ReplyLine::Final(reply)], is_yes)
                }
                Verdict::Rejected(rejection) => no(rejection.text),
            },
            Self::Change(change) => match gateway.change(change).await? {
                Outcome::Done(text) => (vec![ReplyLine::Final(Reply::ok(text))], true),
                Outcome::Refused(rejection) => no(rejection.text),
            },
            Self::Search(search) => match gateway.search(search).await? {
                SearchOutcome::Found(found) => {
                    let hits = found.hits.iter().map(|hit| ReplyLine::Data(DataLine::hit(hit)));
                    let done = ReplyLine::Final(Reply::search_done(&found));
                    (hits.chain([done]).collect(), true)
                }
                SearchOutcome::Refused(rejection) => no(rejection.text),
            },
        })
    }
}

/// Info fields of the command line; none at all keep the present ones.
fn parse_info(fields: &[String]) -> Result<Option<Info>, Failure> {
    let mut info = Info::default();
    for field in fields {
        let wrong = || Failure::Usage(format!("{field:?} is no info field, expected LABEL=VALUE"));
        let (label, value) = field.split_once('=').ok_or_else(wrong)?;
        info.set(label, value).map_err(|_| wrong())?;
    }
    Ok(if fields.is_empty() { None } else { Some(info) })
}
