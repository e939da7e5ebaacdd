//! Courier's authdaemond as user base: a connection for each question.
//!
//! ```text
//!   question ─▶ a place ─▶ connect ─▶ AUTH, PRE or ENUMERATE ─▶ account │ FAIL │ nothing
//!              (bounded)                                                       nobody knows
//! ```
//!
//! Its PASSWD wants the old password, which a `set` has not: it is not
//! supported.

pub mod settings;

mod wire;

use std::path::Path;

use async_trait::async_trait;
use dmail_core::config::ConfigError;
use dmail_core::{
    AuthRequest, Authenticator, Origin, Purpose, Rejection, RejectionKind, Search, SearchOutcome,
    Unavailable, UnavailableKind, Verdict,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::foreign::{AccountSettings, Source, Turns};
use crate::ini;
use settings::CourierSettings;

/// What the base is called in logs and traces.
const SOURCE: &str = "courier";
/// How errors name it.
const BASE: Source = Source { name: SOURCE, file: settings::VOCABULARY.file };
/// Longest answer about one user.
const MAX_ANSWER: usize = 65_536;
/// Longest list of users.
const MAX_LIST: usize = 64 << 20;
/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

/// The authdaemond of Courier.
pub struct Courier {
    settings: CourierSettings,
    turns: Turns,
}

impl Courier {
    /// Opens the base that `file`, a courierauth.ini, describes.
    ///
    /// # Errors
    ///
    /// If the settings are wrong. A daemon that is not there now is no error.
    pub fn open(file: &Path) -> Result<Self, ConfigError> {
        let settings = ini::usable(settings::load(file))?;
        let turns = Turns::new(SOURCE, settings.daemon.number, &settings.wait);
        Ok(Self { settings, turns })
    }

    /// Puts one question, and returns all that is answered.
    async fn ask(&self, question: &[u8], most: usize) -> Result<Zeroizing<Vec<u8>>, Unavailable> {
        let _turn = self.turns.take().await?;
        let limit = self.settings.wait.timeout;
        match timeout(limit, self.exchange(question, most)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let text = format!("courier: {}: {error}", self.settings.daemon.socket.display());
                Err(Unavailable::new(UnavailableKind::Dead, text))
            }
            Err(_) => {
                let text = format!("courier: no answer within {} s", limit.as_secs());
                Err(Unavailable::new(UnavailableKind::Timeout, text))
            }
        }
    }

    async fn exchange(&self, question: &[u8], most: usize) -> std::io::Result<Zeroizing<Vec<u8>>> {
        let mut stream = UnixStream::connect(&self.settings.daemon.socket).await?;
        stream.write_all(question).await?;
        // An answer may hold the stored password.
        let mut answer = Zeroizing::new(Vec::with_capacity(4_096));
        while stream.read_buf(&mut *answer).await? > 0 {
            if answer.len() > most {
                return Err(std::io::Error::other("its answer is too long"));
            }
            if wire::is_whole(&answer) {
                break;
            }
        }
        Ok(answer)
    }

    async fn answer(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let client = request.origin.client.filter(|_| self.settings.daemon.send_ip);
        let origin = Origin { client, ..request.origin };
        let (question, no) = match &request.purpose {
            Purpose::Check(secret) if secret.is_empty() => {
                return Ok(Verdict::Rejected(Rejection::not_verified(user)));
            }
            Purpose::Check(secret) => match wire::check(user, secret, &origin) {
                Ok(question) => (question, Rejection::not_verified(user)),
                Err(rejection) => return Ok(Verdict::Rejected(rejection)),
            },
            Purpose::Lookup => (wire::look_up(user, &origin), Rejection::unknown_user(user)),
            _ => return Ok(Verdict::Rejected(Rejection::unsupported())),
        };
        let answer = self.ask(&question, MAX_ANSWER).await?;
        let Some(described) = wire::account(&answer)? else {
            return Ok(Verdict::Rejected(no));
        };
        let AccountSettings { other_names, drop_path } = &self.settings.accounts;
        let account = described.account(user, drop_path.as_deref(), *other_names, &BASE)?;
        Ok(Verdict::accepted(account))
    }
}

/// Reads an answer about a user, as far as it can be read.
pub(crate) fn read_answer(answer: &[u8]) {
    let _ = wire::account(answer);
}

#[async_trait]
impl Authenticator for Courier {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = self.answer(request).await;
        request.note_answer(SOURCE, &verdict);
        verdict
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let most = search.max.unwrap_or(usize::MAX).min(MAX_HITS + 1);
        let answer = self.ask(&wire::enumerate(), MAX_LIST).await?;
        let refused = |kind, text: &str| Ok(SearchOutcome::Refused(Rejection::new(kind, text)));
        match wire::found(&answer, search, most)? {
            None => refused(RejectionKind::Unsupported, "authdaemond does not list its users"),
            Some(found) if found.hits.len() > MAX_HITS => refused(
                RejectionKind::BadInput,
                &format!("more than {MAX_HITS} users match: use -from and -max"),
            ),
            Some(found) => Ok(SearchOutcome::Found(found)),
        }
    }

    fn sees_address(&self) -> bool {
        self.settings.daemon.send_ip
    }

    async fn close(&self) {
        self.turns.close();
    }
}
