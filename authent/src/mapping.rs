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

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use dmail_core::config::{Selector, VirtualDomain};
use dmail_core::{
    Account, AuthRequest, Authenticator, Change, Domain, DropName, DropPath, HashSpool, Origin,
    Outcome, Purpose, Rejection, RejectionKind, Search, SearchOutcome, Service, Unavailable,
    UnavailableKind, Username, Verdict, drop_path,
};

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
    domains: Domains,
}

/// A user of one of our domains.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapped<'a> {
    user: DropName,
    /// `None`: the main domain.
    vdomain: Option<&'a VirtualDomain>,
}

/// Why a name is nobody's here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum MappingError {
    #[error("the name holds characters that a user name here does not have")]
    BadName,
    #[error("the domain is not one of ours")]
    ForeignDomain,
    #[error("the name starts like those of a virtual domain, and the domain is the main one")]
    Prefixed,
}

impl Domains {
    /// Whose login this is.
    fn map(&self, login: &Username, local: Option<IpAddr>) -> Result<Mapped<'_>, MappingError> {
        if !self.utf8 && !login.as_str().is_ascii() {
            return Err(MappingError::BadName);
        }
        let login = login.to_lowercase();
        let (user, vdomain) = self.split(login.as_str(), local)?;
        let user = DropName::parse(user).map_err(|_| MappingError::BadName)?;
        Ok(Mapped { user, vdomain })
    }

    fn split<'l>(
        &self,
        login: &'l str,
        local: Option<IpAddr>,
    ) -> Result<(&'l str, Option<&VirtualDomain>), MappingError> {
        if let Some((user, vdomain)) = self.by_suffix(login) {
            return Ok((user, Some(vdomain)));
        }
        if let Some((user, domain)) = login.rsplit_once('@') {
            if self.host_domains.iter().any(|host| host.as_str() == domain) {
                // Else `abc_fred` would be two users, with one name or one drop
                // file between them.
                let vdomain = user.split_once(self.separator).and_then(|(p, _)| self.by_prefix(p));
                return vdomain.map_or(Ok((user, None)), |_| Err(MappingError::Prefixed));
            }
            let vdomain = self.vdomains.iter().find(|known| known.domain.as_str() == domain);
            return vdomain.map(|found| (user, Some(found))).ok_or(MappingError::ForeignDomain);
        }
        if let Some((prefix, user)) = login.split_once(self.separator)
            && let Some(vdomain) = self.by_prefix(prefix)
        {
            return Ok((user, Some(vdomain)));
        }
        Ok((login, local.and_then(|local| self.by_address(local))))
    }

    /// The longest suffix that fits decides.
    fn by_suffix<'l>(&self, login: &'l str) -> Option<(&'l str, &VirtualDomain)> {
        let fits = |vdomain: &&VirtualDomain| match &vdomain.selector {
            Selector::Suffix(suffix) => before_suffix(login, suffix),
            Selector::Address(_) => None,
        };
        let all = self.vdomains.iter();
        let fitting = all.filter_map(|vdomain| Some((fits(&vdomain)?, vdomain)));
        fitting.min_by_key(|(user, _)| user.len())
    }

    fn by_prefix(&self, prefix: &str) -> Option<&VirtualDomain> {
        self.vdomains.iter().find(|vdomain| vdomain.prefix.eq_ignore_ascii_case(prefix))
    }

    fn by_address(&self, local: IpAddr) -> Option<&VirtualDomain> {
        let ours = |vdomain: &&VirtualDomain| match &vdomain.selector {
            Selector::Address(address) => address.to_canonical() == local.to_canonical(),
            Selector::Suffix(_) => false,
        };
        self.vdomains.iter().find(ours)
    }

    /// The name that the source knows.
    fn canonical(&self, mapped: &Mapped<'_>) -> Result<Username, MappingError> {
        let user = mapped.user.as_str();
        let name = match (mapped.vdomain, self.with_domain) {
            (Some(vdomain), false) => self.prefixed(vdomain, user),
            (Some(vdomain), true) => format!("{user}@{}", vdomain.domain),
            (None, true) => match self.host_domains.first() {
                Some(domain) => format!("{user}@{domain}"),
                None => user.to_owned(),
            },
            (None, false) => user.to_owned(),
        };
        Username::parse(name.as_bytes()).map_err(|_| MappingError::BadName)
    }

    fn prefixed(&self, vdomain: &VirtualDomain, user: &str) -> String {
        format!("{}{}{user}", vdomain.prefix, self.separator)
    }

    /// Where the mail of a user lies whose source says `config`.
    fn config_path(&self, mapped: &Mapped<'_>) -> PathBuf {
        let user = &mapped.user;
        let (base, file) = match mapped.vdomain {
            None => (&self.drop_path, None),
            Some(vdomain) if self.drop_prefix => {
                let name = self.prefixed(vdomain, user.as_str());
                (&vdomain.drop_path, DropName::parse(&name).ok())
            }
            Some(vdomain) => (&vdomain.drop_path, None),
        };
        drop_path(base, self.hash_spool, user, file.as_ref().unwrap_or(user))
    }

    /// Whether a module may send mail to this path.
    fn allows(&self, path: &Path) -> bool {
        let domains = self.vdomains.iter().map(|vdomain| &vdomain.drop_path);
        let mut roots = domains.chain(&self.drop_roots).chain([&self.drop_path]);
        roots.any(|root| path.starts_with(root))
    }
}

impl Mapping {
    /// In front of `next`.
    #[must_use]
    pub fn new(next: Arc<dyn Authenticator>, domains: Domains) -> Self {
        Self { next, domains }
    }

    /// The name that the source knows a user by, whoever asks for him.
    pub(crate) fn canonical(&self, user: &Username) -> Option<Username> {
        let origin = Origin::local(Service::Admin);
        self.map(user, &origin).ok().map(|(_, canonical)| canonical)
    }

    /// The user of a login, and the name that the source knows him by.
    fn map(
        &self,
        login: &Username,
        origin: &Origin,
    ) -> Result<(Mapped<'_>, Username), MappingError> {
        let mapped = self.domains.map(login, origin.local)?;
        let canonical = self.domains.canonical(&mapped)?;
        Ok((mapped, canonical))
    }

    /// The account with a real drop path.
    fn locate(&self, account: Arc<Account>, mapped: &Mapped<'_>) -> Result<Verdict, Unavailable> {
        match &account.drop {
            DropPath::Config => {
                let mut account = Arc::unwrap_or_clone(account);
                account.drop = DropPath::File(self.domains.config_path(mapped));
                Ok(Verdict::accepted(account))
            }
            DropPath::File(path) if self.domains.allows(path) => Ok(Verdict::Accepted(account)),
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
        let mut request = request.clone();
        request.user = user;
        match self.next.authenticate(&request).await? {
            Verdict::Accepted(account) => self.locate(account, &mapped),
            rejected @ Verdict::Rejected(_) => Ok(rejected),
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
}

/// What stands before `suffix` in `login`, if it ends in that and something
/// does.
fn before_suffix<'l>(login: &'l str, suffix: &str) -> Option<&'l str> {
    let length = login.len().checked_sub(suffix.len()).filter(|length| *length > 0)?;
    let (user, end) = login.split_at_checked(length)?;
    end.eq_ignore_ascii_case(suffix).then_some(user)
}

/// The rejection of a name that no source was asked about, in the words of one
/// that was.
fn nobody(user: &Username, purpose: &Purpose, error: MappingError) -> Rejection {
    let kind = match error {
        MappingError::BadName => RejectionKind::BadInput,
        MappingError::ForeignDomain | MappingError::Prefixed => RejectionKind::UnknownUser,
    };
    let text = match purpose {
        Purpose::Check(_) => Rejection::not_verified(user).text,
        Purpose::Lookup => Rejection::unknown_user(user).text,
    };
    Rejection::new(kind, text)
}

#[cfg(test)]
mod tests {
    use dmail_core::Secret;

    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).expect("a domain")
    }

    fn name(text: &str) -> Username {
        Username::parse(text.as_bytes()).expect("a name")
    }

    fn domains() -> Domains {
        let vdomain = |prefix: &str, selector, name: &str| VirtualDomain {
            prefix: prefix.into(),
            selector,
            domain: domain(name),
            drop_path: Path::new("/mail").join(prefix),
        };
        let suffix = |text: &str| Selector::Suffix(text.into());
        let address = |text: &str| Selector::Address(text.parse().expect("an address"));
        Domains {
            host_domains: vec![domain("main.example"), domain("old.example")],
            vdomains: vec![
                vdomain("abc", address("192.0.2.10"), "abc.example"),
                vdomain("johns", suffix("/jds"), "johns.example"),
                vdomain("jds", suffix("/x/jds"), "xjds.example"),
            ],
            separator: '_',
            with_domain: false,
            drop_path: "/mail/main".into(),
            drop_prefix: true,
            hash_spool: HashSpool::Flat,
            drop_roots: vec!["/extra".into()],
            utf8: false,
        }
    }

    /// What `login` becomes: the source's name and the drop file.
    fn mapped(
        domains: &Domains,
        login: &str,
        local: &str,
    ) -> Result<(String, String), MappingError> {
        let mapped = domains.map(&name(login), local.parse().ok())?;
        let canonical = domains.canonical(&mapped)?;
        Ok((canonical.to_string(), domains.config_path(&mapped).display().to_string()))
    }

    #[test]
    fn every_spelling_of_a_user_becomes_one_name_and_one_drop_file() {
        let rows = [
            ("fred", "", Ok(("fred", "/mail/main/fred"))),
            ("Fred", "", Ok(("fred", "/mail/main/fred"))),
            ("fred@main.example", "", Ok(("fred", "/mail/main/fred"))),
            ("FRED@Old.Example", "192.0.2.10", Ok(("fred", "/mail/main/fred"))),
            ("fred", "192.0.2.11", Ok(("fred", "/mail/main/fred"))),
            ("fred", "192.0.2.10", Ok(("abc_fred", "/mail/abc/abc_fred"))),
            ("fred", "::ffff:192.0.2.10", Ok(("abc_fred", "/mail/abc/abc_fred"))),
            ("fred@abc.example", "", Ok(("abc_fred", "/mail/abc/abc_fred"))),
            ("abc_fred", "", Ok(("abc_fred", "/mail/abc/abc_fred"))),
            ("fred/jds", "", Ok(("johns_fred", "/mail/johns/johns_fred"))),
            ("fred/x/jds", "", Ok(("jds_fred", "/mail/jds/jds_fred"))),
            ("fred/JDS", "192.0.2.10", Ok(("johns_fred", "/mail/johns/johns_fred"))),
            ("abc_fred@main.example", "", Err(MappingError::Prefixed)),
            ("ABC_fred@old.example", "192.0.2.10", Err(MappingError::Prefixed)),
            ("xyz_fred@main.example", "", Ok(("xyz_fred", "/mail/main/xyz_fred"))),
            ("xyz_fred", "", Ok(("xyz_fred", "/mail/main/xyz_fred"))),
            ("fred@elsewhere.example", "", Err(MappingError::ForeignDomain)),
            ("a@b@main.example", "", Ok(("a@b", "/mail/main/a@b"))),
            ("fred/other", "", Err(MappingError::BadName)),
            ("/jds", "", Err(MappingError::BadName)),
            ("../../etc/passwd", "", Err(MappingError::BadName)),
            ("-fred", "", Err(MappingError::BadName)),
            ("a:b", "", Err(MappingError::BadName)),
            ("@main.example", "", Err(MappingError::BadName)),
            ("jos\u{e9}", "", Err(MappingError::BadName)),
        ];
        for (login, local, expected) in rows {
            let expected = expected.map(|(user, path)| (user.to_owned(), path.to_owned()));
            assert_eq!(mapped(&domains(), login, local), expected, "{login} at {local:?}");
        }
    }

    #[test]
    fn the_settings_decide_the_form_of_names_and_files() {
        let full = Domains { with_domain: true, ..domains() };
        let expected = ("fred@abc.example".into(), "/mail/abc/abc_fred".into());
        assert_eq!(mapped(&full, "abc_fred", ""), Ok(expected));
        let expected = ("fred@main.example".into(), "/mail/main/fred".into());
        assert_eq!(mapped(&full, "fred@old.example", ""), Ok(expected));

        let bare = Domains { drop_prefix: false, ..domains() };
        let expected = ("abc_fred".into(), "/mail/abc/fred".into());
        assert_eq!(mapped(&bare, "fred@abc.example", ""), Ok(expected));

        let hashed = Domains { hash_spool: HashSpool::TwoLetters, ..domains() };
        let expected = ("abc_fred".into(), "/mail/abc/f/r/abc_fred".into());
        assert_eq!(mapped(&hashed, "fred@abc.example", ""), Ok(expected));
    }

    /// Answers with a fixed drop path.
    struct At(DropPath);

    #[async_trait]
    impl Authenticator for At {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            let named = Account::named(request.user.clone());
            Ok(Verdict::accepted(Account { drop: self.0.clone(), ..named }))
        }
    }

    #[tokio::test]
    async fn a_module_may_send_mail_only_below_the_mail_roots() {
        let rows = [
            ("/mail/main/x/fred", true),
            ("/extra/fred", true),
            ("/mail/mainfred", false),
            ("/etc/cron.d/x", false),
        ];
        for (path, allowed) in rows {
            let mapping = Mapping::new(Arc::new(At(DropPath::File(path.into()))), domains());
            let request = AuthRequest::lookup(name("fred"), Origin::local(Service::Smtp));
            let verdict = mapping.authenticate(&request).await;
            assert_eq!(verdict.is_ok(), allowed, "{path}: {verdict:?}");
        }
    }

    #[tokio::test]
    async fn an_empty_password_reaches_no_source() {
        let mapping = Mapping::new(Arc::new(At(DropPath::Config)), domains());
        let empty = Secret::new(*b"");
        let request = AuthRequest::check(name("fred"), empty, Origin::local(Service::Pop3));
        assert!(matches!(mapping.authenticate(&request).await, Ok(Verdict::Rejected(_))));
    }
}
