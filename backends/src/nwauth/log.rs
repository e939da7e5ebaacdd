//! `-log`: what was asked and answered, a line each, in `nwauth.log`.
//!
//! Passwords are in it with `-logpass` only, which is for debugging a site's
//! scripts on a test machine; a warning says so when it is switched on.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use async_trait::async_trait;
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Outcome, Purpose, Search, SearchOutcome, Secret,
    Unavailable, Verdict,
};

use super::StoreError;
use super::directory::Directory;

/// The log's name in the `-path` directory.
pub const LOG_FILE: &str = "nwauth.log";

/// Whether passwords are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// As `****`.
    Hidden,
    /// As they are: `-logpass`.
    Shown,
}

/// An authenticator whose questions and answers are logged.
pub struct Logged<A> {
    inner: A,
    file: File,
    passwords: Passwords,
}

impl<A> Logged<A> {
    /// Logs to `nwauth.log` in this directory, mode 0600, appending.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(inner: A, directory: &Path, passwords: Passwords) -> Result<Self, StoreError> {
        let path = directory.join(LOG_FILE);
        let mut options = OpenOptions::new();
        options.append(true);
        let (file, _) = Directory::new(directory, false).open_or_create(&path, &options)?;
        if passwords == Passwords::Shown {
            let path = path.display();
            tracing::warn!(%path, "-logpass writes passwords in clear text to the log");
        }
        Ok(Self { inner, file, passwords })
    }

    /// Writes a line. A log that cannot be written must not stop a login.
    fn line(&self, question: &str, answer: &str) {
        let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let text = escape(&format!("{question} => {answer}"));
        if let Err(error) = (&self.file).write_all(format!("{now} {text}\n").as_bytes()) {
            tracing::warn!(%error, "cannot write nwauth.log");
        }
    }

    fn password(&self, secret: &Secret) -> String {
        match self.passwords {
            Passwords::Hidden => "****".to_owned(),
            Passwords::Shown => String::from_utf8_lossy(secret.expose()).into_owned(),
        }
    }
}

#[async_trait]
impl<A: Authenticator> Authenticator for Logged<A> {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = self.inner.authenticate(request).await;
        let user = &request.user;
        let question = match &request.purpose {
            Purpose::Check(secret) => format!("check {user} {}", self.password(secret)),
            Purpose::Lookup => format!("lookup {user}"),
            Purpose::Prove(_) => format!("prove {user}"),
            Purpose::Salt(_) => format!("salt {user}"),
        };
        let answer = match &verdict {
            Ok(Verdict::Accepted(_)) => "ok".to_owned(),
            Ok(Verdict::Rejected(rejection)) => rejection.text.clone(),
            Err(unavailable) => unavailable.to_string(),
        };
        self.line(&question, &answer);
        verdict
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let outcome = self.inner.change(change).await;
        let user = &change.user;
        let question = match &change.action {
            Action::Delete => format!("del {user}"),
            Action::Set { secret, info } => {
                let mut question = format!("set {user} ");
                match secret {
                    Some(secret) => question.push_str(&self.password(secret)),
                    None => question.push_str("(NULL)"),
                }
                if let Some(info) = info {
                    // Writing to a String cannot fail.
                    let _ = write!(question, " {info}");
                }
                question
            }
        };
        let answer = match &outcome {
            Ok(Outcome::Done(text)) => text.clone(),
            Ok(Outcome::Refused(rejection)) => rejection.text.clone(),
            Err(unavailable) => unavailable.to_string(),
        };
        self.line(&question, &answer);
        outcome
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let outcome = self.inner.search(search).await;
        let answer = match &outcome {
            Ok(SearchOutcome::Found(found)) => {
                format!("{} items found out of {}", found.hits.len(), found.scanned)
            }
            Ok(SearchOutcome::Refused(rejection)) => rejection.text.clone(),
            Err(unavailable) => unavailable.to_string(),
        };
        self.line(&format!("search {}", search.pattern), &answer);
        outcome
    }
}

/// One event is one line: control characters are written as escapes.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut line, character| {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, Origin, Service, Username};

    use super::*;

    struct Everybody;

    #[async_trait]
    impl Authenticator for Everybody {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            Ok(Verdict::accepted(Account::named(request.user.clone())))
        }
    }

    async fn log_of(passwords: Passwords) -> String {
        let home = tempfile::tempdir().expect("a directory");
        let logged = Logged::open(Everybody, home.path(), passwords).expect("a log");
        let user = Username::parse(b"bob").expect("a name");
        let origin = Origin::local(Service::Line);
        let secret = Secret::new(*b"open\nsesame");
        let check = AuthRequest::check(user.clone(), secret.clone(), origin);
        logged.authenticate(&check).await.expect("an answer");
        let action = Action::Set { secret: Some(secret), info: None };
        let change = Change { user, action, origin };
        logged.change(&change).await.expect("an answer");
        std::fs::read_to_string(home.path().join(LOG_FILE)).expect("a log")
    }

    #[tokio::test]
    async fn passwords_are_hidden_unless_asked_for() {
        let log = log_of(Passwords::Hidden).await;
        assert!(log.contains("check bob **** => ok"), "{log}");
        assert!(log.contains("set bob **** => "), "{log}");
        assert!(!log.contains("sesame"), "{log}");
        let log = log_of(Passwords::Shown).await;
        assert!(log.contains("check bob open\\nsesame => ok"), "{log}");
        assert_eq!(log.lines().count(), 2, "one event, one line");
    }
}
