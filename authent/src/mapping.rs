//! Name mapping: from what the client typed to the one name that the source
//! knows, and from the source's `config` to a drop path.
//!
//! A user name is mapped once, here, at the top. All layers beneath see only
//! the canonical name, so two spellings cannot share an answer or miss one.
//!
//! | login | belongs to |
//! |---|---|
//! | ends in the suffix of a `vdomain` | that domain, without the suffix |
//! | `user@domain` of a `vdomain` | that domain |
//! | `user@domain` of a `host_domain` | the main domain |
//! | `prefix_user` of a `vdomain` | that domain |
//! | any other, to an address of a `vdomain` | that domain |
//! | any other without `@` | the main domain |
//!
//! The canonical name of `fred` in the domain with prefix `abc` is `abc_fred`,
//! or `fred@domain` with `authent_domain`; in the main domain it is `fred`, or
//! `fred@` the first `host_domain`. Upper case (ASCII) is folded.

mod directory;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use dmail_core::config::VirtualDomain;
use dmail_core::{
    Account, AuthRequest, Authenticator, CacheStatus, Change, Domain, DropPath, HashSpool, Origin,
    Outcome, Proof, Proofs, Purpose, Rejection, RejectionKind, SaltQuestion, Search, SearchOutcome,
    Service, TokenIssuer, Unavailable, UnavailableKind, Username, Verdict, Watcher,
};

use crate::decoy;
use directory::{Directory, Mapped, MappingError};

/// The domains of this installation, and where their drop files lie.
#[derive(Debug, Clone)]
pub struct Domains {
    /// The names of the main domain, the main one first (`host_domain`).
    pub host_domains: Vec<Domain>,
    /// The virtual domains (`vdomain`), in the order of the file.
    pub vdomains: Vec<VirtualDomain>,
    /// Between prefix and user (`vdomain_separator`).
    pub separator: char,
    /// Whether the source knows users as `user@domain` (`authent_domain`).
    pub with_domain: bool,
    /// Where the main domain's drop files lie (`drop_path`).
    pub drop_path: PathBuf,
    /// Whether drop files of virtual domains are named `prefix_user` (`drop_prefix`).
    pub drop_prefix: bool,
    /// How drop files are spread over directories (`hash_spool`).
    pub hash_spool: HashSpool,
    /// Directories that a module's own drop paths may point into, beside those
    /// of the domains (`drop_root`).
    pub drop_roots: Vec<PathBuf>,
    /// Whether names may hold bytes above 126 (`authent_utf8`).
    pub utf8: bool,
}

/// Maps names in front of the gateway's other layers.
pub struct Mapping {
    next: Arc<dyn Authenticator>,
    directory: Arc<Directory>,
}

impl Mapping {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, domains: Domains) -> Self {
        Self { next, directory: Arc::new(Directory::new(domains)) }
    }

    /// The name that the source knows a user by, whoever asks for him.
    pub(crate) fn canonical(&self, user: &Username) -> Option<Username> {
        self.canonical_from(user, &Origin::local(Service::Admin))
    }

    /// The same for a login that comes from there.
    pub(crate) fn canonical_from(&self, user: &Username, origin: &Origin) -> Option<Username> {
        self.map(user, origin).ok().map(|(_, canonical)| canonical)
    }

    /// The user of a login, and the name that the source knows him by.
    fn map(
        &self,
        login: &Username,
        origin: &Origin,
    ) -> Result<(Mapped<'_>, Username), MappingError> {
        let mapped = self.directory.map(login, origin.local)?;
        let canonical = self.directory.canonical(&mapped)?;
        Ok((mapped, canonical))
    }

    /// Says which names in a token are `user`'s. The address that the client
    /// came to does not count: the issuer knows nothing of it, and one token
    /// would be somebody else's at each address.
    fn tell_names(&self, token: &Proof, user: Username) {
        let directory = Arc::clone(&self.directory);
        token.know_asker(move |named| {
            let mapped = directory.map(named, None);
            mapped.and_then(|mapped| directory.canonical(&mapped)).is_ok_and(|name| name == user)
        });
    }

    /// The salt of a user, or one that looks like it: who is not there gets an
    /// answer, too, and it is always the same. The question keeps the "no" that
    /// it stands for.
    async fn salt(
        &self,
        request: &AuthRequest,
        question: &SaltQuestion,
    ) -> Result<Verdict, Unavailable> {
        let (user, verdict) = match self.map(&request.user, &request.origin) {
            Ok((_, user)) => {
                let verdict = self.next.authenticate(&renamed(request, user.clone())).await?;
                (user, verdict)
            }
            Err(error) => {
                let no = nobody(&request.user, &request.purpose, error);
                (request.user.to_lowercase(), Verdict::Rejected(no))
            }
        };
        match verdict {
            Verdict::Accepted(_) => {
                question.owed()?;
            }
            Verdict::Rejected(no) => question.make_up(decoy::salt(&user, question.hash), no),
        }
        let hash = question.hash.name();
        request.note("mapping", || match question.made_up() {
            Some(no) => format!("{user} has no keys of {hash} ({}): a made-up salt", no.kind.id()),
            None => format!("{user} has keys of {hash}"),
        });
        Ok(Verdict::accepted(Account::named(user)))
    }

    /// The account with a real drop path.
    fn locate(
        &self,
        mut account: Arc<Account>,
        mapped: &Mapped<'_>,
    ) -> Result<Verdict, Unavailable> {
        match &account.drop {
            DropPath::Config => {
                // The cache makes one for each answer, so there is nothing to copy.
                let own = Arc::make_mut(&mut account);
                own.drop = DropPath::File(self.directory.config_path(mapped));
                Ok(Verdict::Accepted(account))
            }
            DropPath::File(path) if self.directory.allows(path) => Ok(Verdict::Accepted(account)),
            DropPath::File(path) => Err(Unavailable::new(
                UnavailableKind::Fault,
                format!(
                    "the drop path {} of {} lies below no drop_path, vdomain path or drop_root",
                    path.display(),
                    account.name
                ),
            )),
        }
    }
}

#[async_trait]
impl Authenticator for Mapping {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        if let Purpose::Salt(question) = &request.purpose {
            return self.salt(request, question).await;
        }
        let (mapped, user) = match self.map(&request.user, &request.origin) {
            Ok(mapped) => mapped,
            Err(error) => {
                request.note("mapping", || error.to_string());
                return Ok(Verdict::Rejected(nobody(&request.user, &request.purpose, error)));
            }
        };
        request.note("mapping", || {
            let domain = mapped.vdomain.map_or("the main domain", |known| known.domain.as_str());
            format!("{} is {user} to the source, in {domain}", request.user)
        });
        if matches!(&request.purpose, Purpose::Check(secret) if secret.is_empty()) {
            request.note("mapping", || "an empty password is refused unasked".into());
            return Ok(Verdict::Rejected(Rejection::not_verified(&user)));
        }
        if let Purpose::Prove(proof) = &request.purpose
            && proof.is_token()
        {
            self.tell_names(proof, user.clone());
        }
        match self.next.authenticate(&renamed(request, user)).await? {
            Verdict::Accepted(account) => {
                if let Purpose::Prove(proof) = &request.purpose {
                    proof.owed_signature()?;
                }
                self.locate(account, &mapped)
            }
            rejected @ Verdict::Rejected(_) => Ok(rejected),
        }
    }

    fn recall(&self, request: &AuthRequest) -> Option<Arc<Account>> {
        let (mapped, user) = self.map(&request.user, &request.origin).ok()?;
        if matches!(&request.purpose, Purpose::Check(secret) if secret.is_empty()) {
            return None;
        }
        let account = self.next.recall(&renamed(request, user))?;
        match self.locate(account, &mapped) {
            Ok(Verdict::Accepted(account)) => Some(account),
            Ok(Verdict::Rejected(_)) | Err(_) => None,
        }
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        match self.map(&change.user, &change.origin) {
            Ok((_, user)) => self.next.change(&Change { user, ..change.clone() }).await,
            Err(error) => Ok(Outcome::Refused(Rejection::new(
                RejectionKind::BadInput,
                format!("{}: {error}", change.user),
            ))),
        }
    }

    /// A search is about the source's own names.
    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.next.search(search).await
    }

    fn proofs(&self) -> Proofs {
        self.next.proofs()
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.next.token_issuer()
    }

    fn forget_users(&self, mask: &str) -> usize {
        let user = Username::parse(mask.as_bytes()).ok();
        let canonical = user.and_then(|user| self.canonical(&user));
        match canonical {
            Some(user) if !mask.contains(['*', '?']) => self.next.forget_users(user.as_str()),
            // A mask is about the source's own names, as a search is.
            _ => self.next.forget_users(mask),
        }
    }

    fn cache_status(&self, reset: bool) -> CacheStatus {
        self.next.cache_status(reset)
    }

    /// The names that are told are the canonical ones.
    fn watch(&self, watcher: Weak<dyn Watcher>) {
        self.next.watch(watcher);
    }
}

/// The request under the name that the source knows.
fn renamed(request: &AuthRequest, user: Username) -> Cow<'_, AuthRequest> {
    if user == request.user {
        Cow::Borrowed(request)
    } else {
        Cow::Owned(AuthRequest { user, ..request.clone() })
    }
}

/// The rejection of a name that no source was asked about, in the words of one
/// that was.
fn nobody(user: &Username, purpose: &Purpose, error: MappingError) -> Rejection {
    let kind = match error {
        MappingError::BadName => RejectionKind::BadInput,
        MappingError::ForeignDomain | MappingError::Prefixed => RejectionKind::UnknownUser,
    };
    let text = match purpose {
        Purpose::Lookup => Rejection::unknown_user(user).text,
        _ => Rejection::not_verified(user).text,
    };
    Rejection::new(kind, text)
}

#[cfg(test)]
mod tests;
