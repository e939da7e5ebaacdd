//! A checkpassword program as user base: started for each question.
//!
//! ```text
//!   question ─▶ a place ─▶ the program ─exit 1─▶ no
//!              (bounded)        │      ─exit 111, 2, a signal, too late─▶ nobody knows
//!                               └ becomes checkpassword-reply ─▶ the account
//! ```
//!
//! What the exit code 0 says counts only together with the account: a program
//! that ends with 0 and never became the one behind it has not said yes.

pub mod settings;

mod run;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use async_trait::async_trait;
use dmail_core::config::ConfigError;
use dmail_core::{
    AuthRequest, Authenticator, Info, Purpose, Rejection, RejectionKind, Secret, Unavailable,
    UnavailableKind, Verdict,
};
use dmail_dialects::checkpassword::{Exit, Reply, Request};

use crate::foreign::{Described, Source, Turns};
use crate::ini;
use run::{Job, Ran};
use settings::CheckPasswordSettings;

/// What the base is called in logs and traces.
const SOURCE: &str = "checkpassword";
/// How errors name it.
const BASE: Source = Source { name: SOURCE, file: settings::VOCABULARY.file };
/// Where programs are looked for if this process was not told.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A checkpassword program.
pub struct CheckPassword {
    settings: CheckPasswordSettings,
    /// The words of each command: the launcher, the program, and the program
    /// that it becomes.
    words: Vec<OsString>,
    /// Whose files are nobody's of the users.
    own_uid: u32,
    turns: Turns,
}

/// Why the base could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `checkpasswordauth.ini` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is nothing that can start it.
    #[error("checkpassword: the program that starts modules is not known")]
    Launcher,
}

impl CheckPassword {
    /// Opens the base that `file`, a checkpasswordauth.ini, describes.
    /// `launcher` are this program and the words that make it start a module.
    ///
    /// # Errors
    ///
    /// If the settings are wrong. A program that is not there is found out with
    /// the first question.
    pub fn open(file: &Path, launcher: &[OsString]) -> Result<Self, OpenError> {
        let settings = ini::usable(settings::load(file))?;
        let own = launcher.first().ok_or(OpenError::Launcher)?;
        let program = &settings.run.program;
        let words = launcher
            .iter()
            .cloned()
            .chain(["--checkpassword".into(), program.program.clone().into_os_string()])
            .chain(program.arguments.iter().map(OsString::from))
            .chain([own.clone(), "checkpassword-reply".into()])
            .collect();
        let turns = Turns::new(SOURCE, settings.run.number, &settings.wait);
        let own_uid = nix::unistd::geteuid().as_raw();
        Ok(Self { settings, words, own_uid, turns })
    }

    async fn ask(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let secret = match &request.purpose {
            Purpose::Check(secret) if secret.is_empty() => {
                return Ok(Verdict::Rejected(Rejection::not_verified(&request.user)));
            }
            Purpose::Check(secret) => secret.clone(),
            Purpose::Lookup if self.settings.run.lookups => Secret::new([]),
            Purpose::Lookup => {
                let text = "this checkpassword program looks nobody up: if it can, set `lookups \
                            true` in checkpasswordauth.ini";
                return Ok(Verdict::Rejected(Rejection::new(RejectionKind::Unsupported, text)));
            }
            _ => return Ok(Verdict::Rejected(Rejection::unsupported())),
        };
        let login = request.user.as_str().as_bytes().to_vec();
        let Some(bytes) = (Request { login, secret: secret.clone() }).bytes() else {
            let text = "checkpassword takes no NUL, and no more than 8 kB";
            return Ok(Verdict::Rejected(Rejection::new(RejectionKind::BadInput, text)));
        };
        let _turn = self.turns.take().await?;
        let job = Job {
            words: self.words.clone(),
            environment: self.environment(request),
            request: &bytes,
            limit: self.settings.wait.timeout,
        };
        let ran = job.run().await?;
        log_said(&ran.said, &secret);
        self.judge(request, ran)
    }

    fn environment(&self, request: &AuthRequest) -> Vec<(&'static str, String)> {
        let path = std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned());
        let service = request.origin.service.name().to_owned();
        let mut variables = vec![("PATH", path), ("PROTO", "TCP".into()), ("SERVICE", service)];
        if self.settings.run.send_ip {
            let told =
                [("TCPREMOTEIP", request.origin.client), ("TCPLOCALIP", request.origin.local)];
            let known = told.into_iter().filter_map(|(name, ip)| Some((name, ip?.to_string())));
            variables.extend(known);
        }
        if matches!(request.purpose, Purpose::Lookup) {
            variables.push(("AUTHORIZED", "1".into()));
        }
        variables
    }

    /// What a run says of the user.
    fn judge(&self, request: &AuthRequest, ran: Ran) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let lookup = matches!(request.purpose, Purpose::Lookup);
        let unavailable = |kind, text: &str| {
            Err(Unavailable::new(kind, format!("checkpassword: {user}: the program {text}")))
        };
        let code = match (ran.status.code(), ran.status.signal()) {
            (Some(code), _) => code,
            (None, signal) => {
                let text = format!("was ended by signal {}", signal.unwrap_or_default());
                return unavailable(UnavailableKind::Fault, &text);
            }
        };
        const REFUSED: i32 = Exit::Refused as i32;
        const MISUSED: i32 = Exit::Misused as i32;
        const UNKNOWN: i32 = Exit::Unknown as i32;
        const LATER: i32 = Exit::Later as i32;
        match (code, ran.reply) {
            (0, Some(reply)) if lookup && reply.get("AUTHORIZED") != Some("2") => unavailable(
                UnavailableKind::Fault,
                "answered a question without a password, but not by AUTHORIZED=2: set `lookups \
                 false` in checkpasswordauth.ini",
            ),
            (0, Some(reply)) => {
                let described = self.describe(&reply);
                let drop = self.settings.run.drop_path.as_deref();
                Ok(Verdict::accepted(described.account(user, drop, false, &BASE)?))
            }
            (0, None) => unavailable(
                UnavailableKind::Fault,
                "ended with 0, and did not become the program that it was given",
            ),
            (UNKNOWN, _) if lookup => Ok(Verdict::Rejected(Rejection::unknown_user(user))),
            (REFUSED, _) if lookup => unavailable(
                UnavailableKind::Fault,
                "refused a question without a password; 3 would be \"no such user\": set `lookups \
                 false` in checkpasswordauth.ini if it knows no AUTHORIZED",
            ),
            (REFUSED | UNKNOWN, _) => Ok(Verdict::Rejected(Rejection::not_verified(user))),
            (MISUSED, _) => unavailable(UnavailableKind::Fault, "says that it is misused (2)"),
            (LATER, _) => unavailable(UnavailableKind::Dead, "says that nobody can say now (111)"),
            (code, _) => unavailable(UnavailableKind::Fault, &format!("ended with {code}")),
        }
    }

    /// The account, as the environment tells it. `USER` is the account of the
    /// machine, which may be one for all: the user is who was asked about.
    fn describe(&self, reply: &Reply) -> Described {
        let number = |name: &str| reply.get(name)?.parse::<u32>().ok();
        let extra = reply.get("EXTRA").unwrap_or_default().split_whitespace();
        let mut info = Info::default();
        for name in extra {
            let label = name.strip_prefix("userdb_").unwrap_or(name);
            if let Some(value) = reply.get(name)
                && !RESERVED.contains(&label)
                && info.set(label, value).is_err()
            {
                tracing::warn!(name, "a variable of checkpassword cannot be an info field");
            }
        }
        let became = number("uid").filter(|uid| *uid != self.own_uid);
        Described {
            name: None,
            uid: number("userdb_uid").or(became),
            home: reply.get("userdb_home").or(reply.get("HOME")).map(str::to_owned),
            info,
        }
    }
}

/// Variables of `EXTRA` that are no info fields.
const RESERVED: [&str; 7] = ["gid", "home", "nopassword", "pass", "password", "uid", "user"];

/// Puts what the program said on standard error into the log, without the
/// password.
fn log_said(said: &[u8], secret: &Secret) {
    let mut text = String::from_utf8_lossy(said).into_owned();
    if let Ok(password) = std::str::from_utf8(secret.expose())
        && !password.is_empty()
    {
        text = text.replace(password, "*");
    }
    let text = text.trim();
    if !text.is_empty() {
        tracing::warn!(text, "the checkpassword program says");
    }
}

#[async_trait]
impl Authenticator for CheckPassword {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = self.ask(request).await;
        request.note_answer(SOURCE, &verdict);
        verdict
    }

    fn sees_address(&self) -> bool {
        self.settings.run.send_ip
    }

    async fn close(&self) {
        self.turns.close();
    }
}

#[cfg(test)]
mod tests;
