//! The users of this machine, asked in this process: what a helper serves.
//!
//! Everything here blocks in the C library, so a question may never return.
//! Whoever serves this must be a process that can be killed.

use std::ffi::c_long;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use dmail_authent::helper::Manners;
use dmail_authent::line::Quoting;
use dmail_core::{
    AuthRequest, Authenticator, Purpose, Rejection, RejectionKind, Search, SearchOutcome, Secret,
    Unavailable, UnavailableKind, Username, Verdict,
};
use dmail_schemes::lane::Lane;
use dmail_schemes::{Scheme, SchemeError};
use nix::unistd::{User, geteuid};
use zeroize::Zeroizing;

use crate::pam::{self, Pam};
use crate::settings::{Method, PasswordSettings, UnixSettings};
use crate::{nss, refusal, shadow};

/// What the source is called in logs.
const SOURCE: &str = "shadow";

/// The account that PAM is asked about when there is no mail user of the name:
/// nobody has it, and it takes the time that others take.
const NOBODY: &str = "no-user-of-this-name";

/// Questions that may wait for the one that is being answered. Helpers get one
/// at a time; other programs could send a few together.
const WAITING: usize = 64;

/// The users of this machine.
pub struct LocalUsers {
    base: Arc<Base>,
    lane: Lane,
}

/// What the blocking side of [`LocalUsers`] needs.
struct Base {
    settings: UnixSettings,
    verifier: Verifier,
}

enum Verifier {
    Pam(Pam),
    Shadow {
        /// What a secret is compared with when no stored one can be.
        dummy: String,
    },
}

/// Why the users of this machine cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// `method pam`, and the library cannot be loaded.
    #[error("libpam cannot be loaded ({0}): install it, or set `method shadow`")]
    Library(String),
    /// Password hashes do not work on this machine.
    #[error(transparent)]
    Scheme(#[from] SchemeError),
}

impl LocalUsers {
    /// Prepares to ask as `settings` say. Blocks for the time of one hash.
    ///
    /// # Errors
    ///
    /// If neither PAM nor hashes of our own can be had.
    pub fn open(settings: UnixSettings) -> Result<Self, LocalError> {
        let verifier = Verifier::choose(&settings.password)?;
        let base = Arc::new(Base { settings, verifier });
        Ok(Self { base, lane: Lane::new("unix user", 1, WAITING) })
    }

    /// What the program says of itself, with arguments in this form.
    #[must_use]
    pub fn manners(quoting: Quoting) -> Manners {
        let version = concat!("UnixAuth (dmail ", env!("CARGO_PKG_VERSION"), ")").into();
        Manners { version, quoting, changes: false }
    }
}

impl Verifier {
    fn choose(settings: &PasswordSettings) -> Result<Self, LocalError> {
        let has_rules = pam::service_file(&settings.pam_service).is_some();
        match (settings.method, Pam::load()) {
            (Method::Pam, Err(error)) => Err(LocalError::Library(error)),
            (Method::Pam, Ok(pam)) => Ok(Self::Pam(pam)),
            (Method::Auto, Ok(pam)) if has_rules => Ok(Self::Pam(pam)),
            (Method::Auto | Method::Shadow, _) => {
                let nobodys = Secret::new(NOBODY.as_bytes());
                Ok(Self::Shadow { dummy: dmail_schemes::hash(Scheme::Yescrypt, &nobodys)? })
            }
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Pam(_) => Method::Pam,
            Self::Shadow { .. } => Method::Shadow,
        }
    }
}

/// How passwords will be verified: `pam` or `shadow`. Looks for what is needed,
/// and asks nobody.
///
/// # Errors
///
/// If it is not there.
pub(crate) fn method(settings: &PasswordSettings) -> Result<Method, LocalError> {
    Ok(Verifier::choose(settings)?.method())
}

impl Base {
    fn check(&self, request: &AuthRequest, secret: &Secret) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        if secret.is_empty() {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        }
        let found = self.settings.accounts.find(user)?;
        let refused = match &self.verifier {
            Verifier::Pam(pam) => self.ask_pam(pam, request, secret, found.as_ref())?,
            Verifier::Shadow { dummy } => ask_shadow(dummy, user, secret, found.clone())?,
        };
        // Whatever the dummy's answer was, there is no such user.
        let Some(found) = found else {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        };
        if let Some(rejection) = refused {
            return Ok(Verdict::Rejected(rejection));
        }
        if self.settings.accounts.refuses_shell(&found.shell)? {
            let why = "the shell is not one of /etc/shells";
            return Ok(Verdict::Rejected(refusal::not_allowed(user, why)));
        }
        Ok(Verdict::accepted(self.settings.accounts.describe(user, &found)?))
    }

    fn ask_pam(
        &self,
        pam: &Pam,
        request: &AuthRequest,
        secret: &Secret,
        found: Option<&User>,
    ) -> Result<Option<Rejection>, Unavailable> {
        let service = &self.settings.password.pam_service;
        let name = found.map_or(NOBODY, |found| &found.name);
        let client = request.origin.client;
        let refused = pam::check(pam, service, &request.user, name, secret, client)?;
        let is_no = |no: &Rejection| no.kind == RejectionKind::NotVerified;
        if refused.as_ref().is_some_and(is_no) && found.is_some_and(is_out_of_reach) {
            let text = "pam: may not read passwords; run as root or in group shadow";
            return Err(Unavailable::new(UnavailableKind::Dead, text));
        }
        Ok(refused)
    }

    fn lookup(&self, user: &Username) -> Result<Verdict, Unavailable> {
        Ok(match self.settings.accounts.find(user)? {
            Some(found) => Verdict::accepted(self.settings.accounts.describe(user, &found)?),
            None => Verdict::Rejected(Rejection::unknown_user(user)),
        })
    }

    fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        Ok(match self.settings.accounts.search(search)? {
            Some(found) => SearchOutcome::Found(found),
            None => {
                let text = "too many users match: use -from and -max";
                SearchOutcome::Refused(Rejection::new(RejectionKind::BadInput, text))
            }
        })
    }
}

/// Whether this process may not read the password of `found`, which is in the
/// shadow file. Many rules of PAM turn that into a wrong password.
fn is_out_of_reach(found: &User) -> bool {
    let denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    !geteuid().is_root()
        && found.passwd.as_bytes() == b"x"
        && nss::shadow(&found.name).is_err_and(denied)
}

fn ask_shadow(
    dummy: &str,
    user: &Username,
    secret: &Secret,
    found: Option<User>,
) -> Result<Option<Rejection>, Unavailable> {
    let (stored, closed) = match found {
        Some(account) => {
            let judged = shadow::find(user, account, today())?;
            (judged.stored, judged.closed)
        }
        None => {
            shadow::find_nobody(NOBODY)?;
            (None, None)
        }
    };
    let right = match stored {
        Some(stored) => verify(&stored, user, secret)?,
        None => {
            let _ = dmail_schemes::verify(dummy, secret);
            false
        }
    };
    Ok(match closed {
        _ if !right => Some(Rejection::not_verified(user)),
        Some(why) => Some(refusal::not_allowed(user, why)),
        None => None,
    })
}

fn verify(
    stored: &Zeroizing<String>,
    user: &Username,
    secret: &Secret,
) -> Result<bool, Unavailable> {
    dmail_schemes::verify(stored, secret).map_err(|error| error.unavailable(SOURCE, user.as_str()))
}

/// Days since 1970.
fn today() -> c_long {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    c_long::try_from(since.as_secs() / 86_400).unwrap_or(c_long::MAX)
}

#[async_trait]
impl Authenticator for LocalUsers {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let (base, request) = (Arc::clone(&self.base), request.clone());
        let answer = self.lane.run(move || match &request.purpose {
            Purpose::Check(secret) => base.check(&request, secret),
            Purpose::Lookup => base.lookup(&request.user),
            Purpose::Prove(_) | Purpose::Salt(_) => Ok(Verdict::Rejected(Rejection::unsupported())),
        });
        let verdict = answer.await?;
        if let Err(error) = &verdict {
            // A reply line has room for a hundred bytes only.
            tracing::warn!("{error}");
        }
        verdict
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        let (base, search) = (Arc::clone(&self.base), search.clone());
        self.lane.run(move || base.search(&search)).await?
    }
}
