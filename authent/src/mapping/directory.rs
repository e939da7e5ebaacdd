//! Whose login a name is: found in time that does not grow with the number of
//! virtual domains.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use dmail_core::config::{Selector, VirtualDomain};
use dmail_core::{DropName, Username, drop_path};

use super::Domains;

/// The domains, and where to find each of them.
pub(super) struct Directory {
    domains: Domains,
    // Places in `domains.vdomains`. Of several lines the first counts.
    by_name: HashMap<Box<str>, usize>,
    /// In lower case.
    by_prefix: HashMap<Box<str>, usize>,
    by_address: HashMap<IpAddr, usize>,
    /// In lower case.
    by_suffix: HashMap<Box<str>, usize>,
    /// The lengths that suffixes have, the longest first.
    suffix_lengths: Vec<usize>,
    /// What drop paths may lie below, beside `drop_path`.
    roots: HashSet<PathBuf>,
}

/// A user of one of our domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapped<'a> {
    user: DropName,
    /// The login in lower case, if it is no more than the user.
    login: Option<Username>,
    /// `None`: the main domain.
    pub(super) vdomain: Option<&'a VirtualDomain>,
}

/// Why a name is nobody's here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum MappingError {
    #[error("the name holds characters that a user name here does not have")]
    BadName,
    #[error("the domain is not one of ours")]
    ForeignDomain,
    #[error("the name starts like those of a virtual domain, and the domain is the main one")]
    Prefixed,
}

impl Directory {
    pub(super) fn new(domains: Domains) -> Self {
        let [mut by_name, mut by_prefix, mut by_suffix]: [HashMap<Box<str>, usize>; 3] =
            Default::default();
        let mut by_address = HashMap::new();
        for (place, vdomain) in domains.vdomains.iter().enumerate() {
            by_name.entry(vdomain.domain.as_str().into()).or_insert(place);
            by_prefix.entry(vdomain.prefix.to_ascii_lowercase().into()).or_insert(place);
            match &vdomain.selector {
                Selector::Suffix(suffix) => {
                    by_suffix.entry(suffix.to_ascii_lowercase().into()).or_insert(place);
                }
                Selector::Address(address) => {
                    by_address.entry(address.to_canonical()).or_insert(place);
                }
            }
        }
        let mut suffix_lengths: Vec<usize> = by_suffix.keys().map(|suffix| suffix.len()).collect();
        suffix_lengths.sort_unstable_by(|one, other| other.cmp(one));
        suffix_lengths.dedup();
        let paths = domains.vdomains.iter().map(|vdomain| &vdomain.drop_path);
        let roots = paths.chain(&domains.drop_roots).cloned().collect();
        Self { domains, by_name, by_prefix, by_address, by_suffix, suffix_lengths, roots }
    }

    /// Whose login this is.
    pub(super) fn map(
        &self,
        login: &Username,
        local: Option<IpAddr>,
    ) -> Result<Mapped<'_>, MappingError> {
        if !self.domains.utf8 && !login.as_str().is_ascii() {
            return Err(MappingError::BadName);
        }
        let login = login.to_lowercase();
        let (user, vdomain) = self.split(login.as_str(), local)?;
        if user.len() == login.as_str().len() {
            // Most logins: the name is shared, not copied.
            let user = DropName::of(&login).map_err(|_| MappingError::BadName)?;
            return Ok(Mapped { user, login: Some(login), vdomain });
        }
        let user = DropName::parse(user).map_err(|_| MappingError::BadName)?;
        Ok(Mapped { user, login: None, vdomain })
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
            if self.domains.host_domains.iter().any(|host| host.as_str() == domain) {
                // Else `abc_fred` would be two users, with one name or one drop
                // file between them.
                return match self.by_prefix(user) {
                    Some(_) => Err(MappingError::Prefixed),
                    None => Ok((user, None)),
                };
            }
            let vdomain = self.at(self.by_name.get(domain));
            return vdomain.map(|found| (user, Some(found))).ok_or(MappingError::ForeignDomain);
        }
        if let Some((user, vdomain)) = self.by_prefix(login) {
            return Ok((user, Some(vdomain)));
        }
        let by_address = local.and_then(|local| self.by_address.get(&local.to_canonical()));
        Ok((login, self.at(by_address)))
    }

    /// What stands before the longest suffix that fits, if something does.
    fn by_suffix<'l>(&self, login: &'l str) -> Option<(&'l str, &VirtualDomain)> {
        self.suffix_lengths.iter().find_map(|length| {
            let length = login.len().checked_sub(*length).filter(|length| *length > 0)?;
            let (user, suffix) = login.split_at_checked(length)?;
            Some((user, self.at(self.by_suffix.get(suffix))?))
        })
    }

    /// What stands behind the prefix of a virtual domain.
    fn by_prefix<'l>(&self, name: &'l str) -> Option<(&'l str, &VirtualDomain)> {
        let (prefix, user) = name.split_once(self.domains.separator)?;
        Some((user, self.at(self.by_prefix.get(prefix))?))
    }

    fn at(&self, place: Option<&usize>) -> Option<&VirtualDomain> {
        self.domains.vdomains.get(*place?)
    }

    /// The name that the source knows.
    pub(super) fn canonical(&self, mapped: &Mapped<'_>) -> Result<Username, MappingError> {
        let user = mapped.user.as_str();
        let name = match (mapped.vdomain, self.domains.with_domain) {
            (Some(vdomain), false) => self.prefixed(vdomain, user),
            (Some(vdomain), true) => format!("{user}@{}", vdomain.domain),
            (None, with_domain) => match (self.domains.host_domains.first(), &mapped.login) {
                (Some(domain), _) if with_domain => format!("{user}@{domain}"),
                (_, Some(login)) => return Ok(login.clone()),
                (_, None) => user.to_owned(),
            },
        };
        Username::parse(name.as_bytes()).map_err(|_| MappingError::BadName)
    }

    fn prefixed(&self, vdomain: &VirtualDomain, user: &str) -> String {
        format!("{}{}{user}", vdomain.prefix, self.domains.separator)
    }

    /// Where the mail of a user lies whose source says `config`.
    pub(super) fn config_path(&self, mapped: &Mapped<'_>) -> PathBuf {
        let Domains { drop_path: main, drop_prefix, hash_spool, .. } = &self.domains;
        let user = &mapped.user;
        let (base, file) = match mapped.vdomain {
            None => (main, None),
            Some(vdomain) if *drop_prefix => {
                let name = self.prefixed(vdomain, user.as_str());
                (&vdomain.drop_path, DropName::parse(&name).ok())
            }
            Some(vdomain) => (&vdomain.drop_path, None),
        };
        drop_path(base, *hash_spool, user, file.as_ref().unwrap_or(user))
    }

    /// Whether a module may send mail to this path.
    pub(super) fn allows(&self, path: &Path) -> bool {
        let climbs = path.components().any(|part| part == Component::ParentDir);
        let below_root = || path.ancestors().any(|root| self.roots.contains(root));
        !climbs && (path.starts_with(&self.domains.drop_path) || below_root())
    }
}
