//! `oauth2.ini`: from its text to a [`Config`] that needs no further check.

mod check;
mod files;
mod kinds;
mod settings;

use std::path::Path;
use std::time::Duration;

use dmail_core::Secret;
use dmail_core::config::{self, Diagnostic, Given, Loaded, Vocabulary};

use crate::claims::Rules;
use crate::keys::{Algorithm, KeySet};
use crate::web::{Manners, Url};
use settings::{AskSettings, ClaimSettings, KeySettings, WebSettings};

/// The settings of `oauth2.ini`.
pub const VOCABULARY: Vocabulary = Vocabulary {
    file: "oauth2.ini",
    introduction: include_str!("introduction.md"),
    groups: &[ClaimSettings::GROUP, KeySettings::GROUP, AskSettings::GROUP, WebSettings::GROUP],
    not_used: &[],
};

/// Reads the file, and the files with keys and certificates that it names.
pub(crate) fn load(file: &Path) -> Loaded<Config> {
    let mut read = |path: &Path| config::text(std::fs::read(path)?);
    config::load_with(file, &mut read, &VOCABULARY, Config::build)
}

/// All that is wrong with a file. Nobody is asked over the network.
#[must_use]
pub fn check(file: &Path) -> Vec<Diagnostic> {
    load(file).diagnostics
}

/// What the file says.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) rules: Rules,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Those that are in files.
    pub(crate) keys: KeySet,
    /// The list that is fetched, and how often.
    pub(crate) jwks: Option<(Url, Duration)>,
    pub(crate) introspection: Option<Asking>,
    pub(crate) manners: Manners,
    /// What clients are told whose token is refused: scopes, and an address.
    pub(crate) told: (Option<Box<str>>, Option<Box<str>>),
}

/// How the issuer is asked about tokens.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) url: Url,
    pub(crate) identity: Identity,
    pub(crate) which: Introspect,
    pub(crate) remember: Duration,
}

/// Who we are to the issuer.
#[derive(Debug)]
pub(crate) enum Identity {
    Nobody,
    /// A name and a password.
    Client(String, Secret),
    /// A token of ours.
    Bearer(Secret),
}

/// The word in `introspect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Introspect {
    All,
    Opaque,
}

const INTROSPECT: [(&str, Introspect); 2] =
    [("opaque", Introspect::Opaque), ("all", Introspect::All)];

impl Config {
    fn build(given: &mut Given<'_>) -> Option<Self> {
        let claims = ClaimSettings::build(given);
        let keys = KeySettings::build(given);
        let ask = AskSettings::build(given);
        let web = WebSettings::build(given);
        let (claims, keys, ask, web) = (claims?, keys?, ask?, web?);
        check::somebody_judges(&keys, &ask, given);
        check::claims(&claims, &keys, &ask, given);
        check::transport(&keys, &ask, given);
        let identity = check::identity(&ask, given);
        let in_files = files::keys(&keys, given);
        let tls = files::tls(web.ca_file.as_deref(), given);
        let mut algorithms = keys.algorithms;
        if !keys.shared_key.is_empty() {
            let shared = Algorithm::ALL.iter().map(|(_, algorithm)| *algorithm);
            algorithms.extend(shared.filter(|algorithm| algorithm.is_shared()));
        }
        let identity = identity?;
        let introspection = ask.introspection_url.map(|url| Asking {
            url,
            identity,
            which: ask.introspect,
            remember: ask.remember,
        });
        let scopes = claims.scope.unwrap_or_default();
        Some(Self {
            told: (
                (!scopes.is_empty()).then(|| scopes.join(" ").into()),
                web.openid_configuration.map(|url| url.to_string().into()),
            ),
            rules: Rules {
                issuers: claims.issuer,
                audiences: claims.audience,
                scopes,
                user_claim: claims.user_claim,
                domain: claims.domain,
                leeway: claims.leeway.as_secs(),
            },
            algorithms,
            keys: in_files?,
            jwks: keys.jwks_url.map(|url| (url, keys.jwks_refresh)),
            introspection,
            manners: Manners { tls: tls?, timeout: web.timeout, connections: web.connections },
        })
    }
}

#[cfg(test)]
mod tests;
