//! Contradictions between settings that are each fine by themselves.

use dmail_core::config::Given;
use dmail_core::config::Severity::{Error, Warning};

use super::Identity;
use super::files;
use super::settings::{AskSettings, ClaimSettings, KeySettings};
use crate::web::Url;

/// There are keys, or somebody to ask.
pub(super) fn somebody_judges(keys: &KeySettings, ask: &AskSettings, given: &mut Given<'_>) {
    let names = ["jwks_url", "jwks_file", "key", "shared_key", "introspection_url"];
    if given.are_sound(&names) && !has_keys(keys) && ask.introspection_url.is_none() {
        let message = "there are no keys, and nobody to ask: no token can be judged";
        given.report(Error, &[], message, "add: jwks_url, or introspection_url");
    }
    if given.are_sound(&["jwks_url"]) && keys.jwks_url.is_none() && given.is_set("jwks_refresh") {
        let message = "`jwks_refresh` is not used without `jwks_url`";
        given.report(Warning, &["jwks_refresh"], message, "leave the line away");
    }
    if !given.are_sound(&["introspection_url"]) || ask.introspection_url.is_some() {
        return;
    }
    for name in ["introspect", "client_id", "client_secret_file", "bearer_file", "remember"] {
        if given.is_set(name) {
            let message = format!("`{name}` is not used without `introspection_url`");
            given.report(Warning, &[name], &message, "add: introspection_url");
        }
    }
}

fn has_keys(keys: &KeySettings) -> bool {
    let in_files = keys.jwks_file.is_some() || !keys.key.is_empty() || !keys.shared_key.is_empty();
    in_files || keys.jwks_url.is_some()
}

/// A signature alone says little, for many issuers sign for everybody; and an
/// issuer calls every token of its own good, whichever application has it.
pub(super) fn claims(
    claims: &ClaimSettings,
    keys: &KeySettings,
    ask: &AskSettings,
    given: &mut Given<'_>,
) {
    if !given.are_sound(&["issuer", "audience"]) {
        return;
    }
    if claims.issuer.is_empty() && has_keys(keys) {
        let (severity, why) = match &keys.jwks_url {
            Some(_) => (Error, "issuers of many organisations sign for all with the same keys"),
            None => (Warning, "whatever these keys have signed is taken"),
        };
        let message = format!("no `issuer` is set, and {why}");
        let help = "add what tokens have in `iss`, such as: issuer https://id.corp.example";
        given.report(severity, &["jwks_url", "jwks_file", "key", "shared_key"], &message, help);
    }
    if claims.audience.is_empty() && (has_keys(keys) || ask.introspection_url.is_some()) {
        let message = "no `audience` is set, so tokens that were given to other applications \
                       log in here, too";
        let names = ["jwks_url", "jwks_file", "key", "shared_key", "introspection_url"];
        given.report(Warning, &names, message, "add what tokens for you have in `aud`");
    }
}

/// Tokens and keys do not cross a network in clear by an oversight.
pub(super) fn transport(keys: &KeySettings, ask: &AskSettings, given: &mut Given<'_>) {
    let in_clear =
        |url: &Option<Url>| url.as_ref().is_some_and(|url| !url.is_tls() && !url.is_here());
    if in_clear(&keys.jwks_url) {
        let message = "whoever is on the way can put keys of his own into this list";
        given.report(Warning, &["jwks_url"], message, "write https://");
    }
    if in_clear(&ask.introspection_url) {
        let message = "tokens cross the network to this address in clear text";
        given.report(Warning, &["introspection_url"], message, "write https://");
    }
    let by_tls = |url: &Option<Url>| url.as_ref().is_some_and(Url::is_tls);
    let urls = ["jwks_url", "introspection_url"];
    let uses_tls = by_tls(&keys.jwks_url) || by_tls(&ask.introspection_url);
    if given.are_sound(&urls) && !uses_tls && given.is_set("ca_file") {
        let message = "`ca_file` is not used, for nobody is asked over TLS";
        given.report(Warning, &["ca_file"], message, "write https://");
    }
}

/// A name has a password, and there is one way to say who we are.
pub(super) fn identity(ask: &AskSettings, given: &mut Given<'_>) -> Option<Identity> {
    if !given.are_sound(&["client_id", "client_secret_file", "bearer_file"]) {
        return None;
    }
    match (&ask.client_id, &ask.client_secret_file, &ask.bearer_file) {
        (None, None, None) => Some(Identity::Nobody),
        (Some(id), Some(file), None) => {
            let secret = files::first_line("client_secret_file", file, given)?;
            Some(Identity::Client(id.clone(), secret))
        }
        (None, None, Some(file)) => {
            files::first_line("bearer_file", file, given).map(Identity::Bearer)
        }
        (_, _, Some(_)) => {
            let message = "we are `client_id`, or show the token of `bearer_file`, and not both";
            given.report(Error, &["bearer_file"], message, "take one of them away");
            None
        }
        (Some(_), None, None) => {
            let help = "add a line: client_secret_file FILE";
            given.report(Error, &["client_id"], "`client_id` has no password", help);
            None
        }
        (None, Some(_), None) => {
            let help = "add a line such as: client_id dmail";
            given.report(Error, &["client_secret_file"], "the password has no `client_id`", help);
            None
        }
    }
}
