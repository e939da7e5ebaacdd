//! DNAuth: the users of DNews, in its file `users.dat`.
//!
//! ```text
//!   question ─▶ users.dat changed? ─yes─▶ read it again
//!                      │ no                   │
//!                      └──────────────────────┴─▶ the line of the user
//! ```
//!
//! The file belongs to DNews, so it is never written: `set` and `del` are not
//! supported.

pub mod settings;

mod record;
mod users;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use dmail_core::config::ConfigError;
use dmail_core::{
    Account, AuthRequest, Authenticator, DropPath, Found, Hit, Purpose, Rejection, RejectionKind,
    Search, SearchOutcome, Secret, Uid, Unavailable, UnavailableKind, Username, Verdict,
};
use dmail_schemes::hasher::Hasher;
use dmail_schemes::lane::Lane;
use dmail_schemes::{Scheme, SchemeError};
use zeroize::Zeroizing;

use crate::ini;
use record::Record;
use settings::Passwords;
use users::{Users, UsersFile};

/// What the base is called in logs and traces.
const SOURCE: &str = "dnauth";

/// Questions to the file at a time, and how many more may wait. They take
/// microseconds unless the file has to be read again, or the disk stalls.
const QUESTIONS: (usize, usize) = (16, 4096);

/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

/// What takes the time of a check of somebody who is not there: as little as
/// that of most users, whose passwords are in clear text.
const DUMMY: Scheme = Scheme::Ssha512;

/// The users of a `users.dat`.
pub struct DnAuth {
    file: Arc<UsersFile>,
    passwords: Passwords,
    hasher: Hasher,
    questions: Lane,
}

/// Why a DNAuth base could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// `dnauth.ini` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// dnews.conf does not lead to the users.
    #[error("dnews_conf {}: {error}", path.display())]
    DnewsConf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// Hashes do not work on this machine.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
}

impl DnAuth {
    /// Opens the base that `file`, a dnauth.ini, describes.
    ///
    /// # Errors
    ///
    /// If the settings are wrong. A `users.dat` that is not there is found out
    /// with the first question.
    pub fn open(file: &Path) -> Result<Self, OpenError> {
        let settings = ini::usable(settings::load(file))?;
        let users = settings.users(file).map_err(|error| {
            let path = settings.dnews_conf.clone().unwrap_or_default();
            OpenError::DnewsConf { path, error }
        })?;
        Ok(Self {
            file: Arc::new(UsersFile::new(users)),
            passwords: settings.passwords,
            hasher: Hasher::new(DUMMY)?,
            questions: Lane::new("dnauth lookup", QUESTIONS.0, QUESTIONS.1),
        })
    }

    /// Asks the users that the file holds now.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Users) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let file = Arc::clone(&self.file);
        let answer = move || match file.users() {
            Ok(users) => Ok(question(&users)),
            Err(error) => {
                let text = format!("dnauth: cannot read {}: {error}", file.path().display());
                Err(Unavailable::new(UnavailableKind::Dead, text))
            }
        };
        self.questions.run(answer).await?
    }

    async fn find(&self, user: &Username) -> Result<Option<Record>, Unavailable> {
        let user = user.clone();
        self.ask(move |users| users.find(user.as_str()).cloned()).await
    }

    async fn check(&self, user: &Username, secret: &Secret) -> Result<Verdict, Unavailable> {
        let record = self.find(user).await?;
        let stored = record.as_ref().map(|record| stored(self.passwords, &record.password));
        let verified = self.hasher.verify(stored, secret.clone()).await?;
        let right = verified.map_err(|error| error.unavailable(SOURCE, user.as_str()))?;
        Ok(match record {
            Some(record) if right && !secret.is_empty() => accept(user, record),
            _ => Verdict::Rejected(Rejection::not_verified(user)),
        })
    }

    async fn lookup(&self, user: &Username) -> Result<Verdict, Unavailable> {
        Ok(match self.find(user).await? {
            Some(record) => accept(user, record),
            None => Verdict::Rejected(Rejection::unknown_user(user)),
        })
    }
}

/// The field as the schemes read it. An empty one lets nobody in.
fn stored(passwords: Passwords, field: &str) -> Zeroizing<String> {
    let is_hash = match passwords {
        Passwords::Clear => false,
        Passwords::Either => field.starts_with(['$', '{']),
        Passwords::Hashed => true,
    };
    Zeroizing::new(match field {
        "" => String::new(),
        // NWAuth's mark of a clear text is not one of DNews.
        hash if is_hash && hash.starts_with('*') => format!("!{hash}"),
        hash if is_hash => hash.to_owned(),
        clear => format!("{{PLAIN}}{clear}"),
    })
}

/// Everybody's mail is where dmail.conf says, and nobody has a uid.
fn accept(user: &Username, record: Record) -> Verdict {
    Verdict::accepted(Account {
        name: user.clone(),
        drop: DropPath::Config,
        uid: Some(Uid::Number(0)),
        info: record.info,
    })
}

fn search(users: &Users, search: &Search) -> SearchOutcome {
    let hits = users.records.iter().filter(|record| record.is_hit(search)).skip(search.from);
    // One more than is allowed tells that there are too many.
    let hits: Vec<Hit> = hits
        .take(search.max.unwrap_or(usize::MAX).min(MAX_HITS + 1))
        .map(|record| Hit { user: record.name.clone(), info: record.info.clone() })
        .collect();
    if hits.len() > MAX_HITS {
        let text = format!("more than {MAX_HITS} users match: use -from and -max");
        return SearchOutcome::Refused(Rejection::new(RejectionKind::BadInput, text));
    }
    SearchOutcome::Found(Found { hits, scanned: users.records.len() })
}

#[async_trait]
impl Authenticator for DnAuth {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = match &request.purpose {
            Purpose::Check(secret) => self.check(&request.user, secret).await,
            Purpose::Lookup => self.lookup(&request.user).await,
            Purpose::Prove(_) | Purpose::Salt(_) => Ok(Verdict::Rejected(Rejection::unsupported())),
        };
        request.note_answer(SOURCE, &verdict);
        verdict
    }

    async fn search(&self, question: &Search) -> Result<SearchOutcome, Unavailable> {
        let question = question.clone();
        self.ask(move |users| search(users, &question)).await
    }
}

#[cfg(test)]
mod tests;
