//! `checkpassword`: reads a login from descriptor 3, asks the gateway, and
//! becomes the program that it was given.
//!
//! ```text
//!   read 3 ─▶ ask ─ no ─────▶ exit 1 (Dovecot asks who somebody is: 3)
//!               │ nobody ───▶ exit 111
//!               └ yes ─▶ USER, HOME, SHELL … ─▶ (-setuid) ─▶ exec PROGRAM
//! ```

use std::ffi::OsString;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use dmail_core::sasl::{Credentials, login_name};
use dmail_core::{
    AuthRequest, Authenticator, Origin, RejectionKind, Service, SessionId, Transport, Unavailable,
    Username, Verdict,
};
use dmail_dialects::checkpassword::{Exit, MAX_REQUEST, Request};
use zeroize::Zeroizing;

use super::options::Options;
use super::{Program, descriptor, gateway};
use crate::failure::Failure;
use crate::{module, terminal};

mod person;

use person::Person;

/// Its name.
pub(super) const NAME: &str = "checkpassword";
/// Where the login comes.
const DESCRIPTOR: i32 = 3;

/// Its own options.
pub(super) const USAGE: &str = " PROGRAM [WORD …]

Reads `login NUL password NUL timestamp NUL` from descriptor 3, and becomes
PROGRAM if the password is right. Exit codes: 1 wrong, 2 misused, 111 try again
later. APOP is not served: its digest is a wrong password.

  -dovecot         Dovecot starts it: AUTHORIZED=1 in the environment asks for a
                   user without a password (exit code 3: there is none)
  -setuid          become the user, and go to the home folder (as root only)
  -service NAME    who asks: pop3, smtp, imap …; without it: $SERVICE
  -uid N, -gid N   the numbers of users who have none; without them, -setuid
                   refuses such users
  -home DIR        the home folder, %u is the user; without it: with -setuid that
                   of the account of this machine";

/// How it ends without becoming another program.
type Ended<T> = Result<T, Exit>;

/// Runs the program with the words behind its name.
pub(super) fn run(program: &Program, words: Vec<OsString>) -> Result<ExitCode, Failure> {
    let Some(options) = program.options(words)? else { return Ok(ExitCode::SUCCESS) };
    let exit = match work(&options) {
        Ok(never) => match never {},
        Err(exit) => exit,
    };
    Ok(ExitCode::from(exit as u8))
}

fn work(options: &Options) -> Ended<std::convert::Infallible> {
    // Before anything else opens a file: descriptor 3 may be free.
    let request = read()?;
    let Some((next, arguments)) = options.rest.split_first() else {
        terminal::complain(format_args!(
            "{NAME}: no program is named that follows a right password"
        ));
        return Err(Exit::Misused);
    };
    // What follows keeps the limits that it was started with.
    module::log(options.debug);
    let lookup = options.dovecot && variable("AUTHORIZED").as_deref() == Some("1");
    let question = question(options, request, lookup)?;
    let verdict = ask(options, &question);
    let account = match verdict {
        Ok(Verdict::Accepted(account)) => account,
        Ok(Verdict::Rejected(rejection)) => return Err(refusal(rejection.kind, lookup)),
        Err(error) => {
            terminal::complain(format_args!("{NAME}: {}: {error}", question.user));
            return Err(Exit::Later);
        }
    };
    let person = Person::of(&account, options).map_err(later)?;
    let mut command = Command::new(next);
    command.args(arguments);
    person.introduce(&mut command, options.dovecot.then(|| variable("EXTRA")));
    if lookup {
        command.env("AUTHORIZED", "2");
    }
    if options.setuid {
        person.become_user().map_err(later)?;
    }
    let error = command.exec();
    Err(later(format!("cannot run {}: {error}", next.display())))
}

fn later(why: String) -> Exit {
    terminal::complain(format_args!("{NAME}: {why}"));
    Exit::Later
}

/// Reads the login.
fn read() -> Ended<Request> {
    let misused = |why: &str| {
        terminal::complain(format_args!("{NAME}: descriptor {DESCRIPTOR}: {why}"));
        Exit::Misused
    };
    let pipe = descriptor::take_for_reading(DESCRIPTOR);
    let pipe = pipe.map_err(|error| misused(&error.to_string()))?;
    // Room for all of it, so that no copy stays behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_REQUEST + 1));
    let room = u64::try_from(MAX_REQUEST + 1).unwrap_or(u64::MAX);
    pipe.take(room).read_to_end(&mut bytes).map_err(|error| misused(&error.to_string()))?;
    Request::parse(&bytes).ok_or_else(|| misused("not a login, a password and a timestamp"))
}

/// What the gateway is asked. A login that nobody can have is refused unasked.
fn question(options: &Options, request: Request, lookup: bool) -> Ended<AuthRequest> {
    let address = |name| -> Option<IpAddr> {
        let text = variable(name)?;
        text.parse().ok().map(|address: IpAddr| address.to_canonical())
    };
    let named = variable("SERVICE").and_then(|name| service(&name));
    let origin = Origin {
        client: address("TCPREMOTEIP"),
        local: address("TCPLOCALIP"),
        dialect: Some(NAME),
        transport: transport(options),
        session: variable("AUTH_SESSION").and_then(|name| SessionId::parse(name.as_bytes())),
        ..Origin::local(options.service.or(named).unwrap_or(Service::Line))
    };
    let user = login_name(&request.login, Username::MAX_BYTES);
    if lookup {
        let user = user.map_err(|_| Exit::Unknown)?;
        return Ok(AuthRequest::lookup(user, origin));
    }
    let credentials = Credentials { user, secret: request.secret };
    let (user, secret) = credentials.usable().map_err(|_| Exit::Refused)?;
    Ok(AuthRequest::check(user, secret, origin))
}

/// How the client's connection is protected, as the environment says: Dovecot
/// tells it of every login, ucspi-ssl and its like tell of TLS only.
fn transport(options: &Options) -> Transport {
    let certificate = || variable("SSL_CLIENT_VERIFY").as_deref() == Some("SUCCESS");
    match variable("AUTH_SECURED").as_deref() {
        _ if !options.dovecot => match variable("SSL_PROTOCOL") {
            Some(_) if certificate() => Transport::TlsClientCert,
            Some(_) => Transport::Tls,
            None => Transport::Unknown,
        },
        Some("TLS") => Transport::Tls,
        Some("secured") => Transport::Secured,
        _ => Transport::Insecure,
    }
}

/// Our name for a service of Dovecot's, or of a script's.
fn service(name: &str) -> Option<Service> {
    match name {
        "submission" | "lmtp" => Some(Service::Smtp),
        name => Service::parse(name),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn ask(options: &Options, question: &AuthRequest) -> Result<Verdict, Unavailable> {
    let asked = gateway::run(async {
        let gateway = gateway::connect(options, 1);
        let verdict = gateway.authenticate(question).await;
        gateway.close().await;
        verdict
    });
    asked.unwrap_or_else(|failure| {
        let kind = dmail_core::UnavailableKind::Fault;
        Err(Unavailable::new(kind, failure.to_string()))
    })
}

/// How a refusal is told. To say "no such user" of one who may come back would
/// bounce mail.
fn refusal(kind: RejectionKind, lookup: bool) -> Exit {
    match kind {
        RejectionKind::Unsupported => Exit::Later,
        RejectionKind::OnHold | RejectionKind::Throttled if lookup => Exit::Later,
        _ if lookup => Exit::Unknown,
        _ => Exit::Refused,
    }
}
