//! The decisions: an account's info fields against the rules of dmail.conf.

use std::collections::HashMap;

use dmail_core::config::{
    AccessRule, AccessRuleError, LoginPolicy, MailPolicy, OTHER_STATE, StateRule,
};
use dmail_core::pattern::AddressList;
use dmail_core::{Account, Origin, Rejection, RejectionKind, Transport, Username};

use super::AccessConfig;

/// What a client reads that may log in, but not there.
const NOT_FROM_HERE: &str = "this account may not be used for this service from here";

/// What a client reads whose password everybody in between could read, too.
const NOT_IN_CLEAR: &str = "this login needs an encrypted connection";

/// The rules, in the form that is quick to ask.
pub(super) struct Rules {
    states: HashMap<String, StateRule>,
    groups: HashMap<String, Vec<AccessRule>>,
    default_groups: Option<Vec<String>>,
    plaintext: Option<AddressList>,
}

impl Rules {
    pub(super) fn new(config: AccessConfig) -> Self {
        let all = StateRule::usual().into_iter().chain(config.states);
        let mut groups: HashMap<String, Vec<AccessRule>> = HashMap::new();
        for group in config.groups {
            groups.entry(group.name).or_default().push(group.rule);
        }
        Self {
            states: all.map(|rule| (rule.state.clone(), rule)).collect(),
            groups,
            default_groups: config.default_groups,
            plaintext: config.plaintext,
        }
    }

    /// Whether a password or token of `user` may come over this connection.
    pub(super) fn password(&self, user: &Username, origin: &Origin) -> Result<(), Rejection> {
        let (Some(allowed), Transport::Insecure) = (&self.plaintext, origin.transport) else {
            return Ok(());
        };
        let spared = match origin.client {
            Some(client) => client.is_loopback() || allowed.includes(client),
            None => allowed.is_everybody(),
        };
        if spared {
            return Ok(());
        }
        let (service, setting) = (origin.service, "access_plaintext");
        let text = match origin.client {
            Some(client) => {
                format!("{user}: no {service} password in clear text from {client} ({setting})")
            }
            None => format!("{user}: no {service} password in clear text ({setting})"),
        };
        Err(Rejection::new(RejectionKind::NotAllowed, text).telling(NOT_IN_CLEAR))
    }

    /// Whether the account's user may log in.
    pub(super) fn login(&self, account: &Account, origin: &Origin) -> Result<(), Rejection> {
        if let Some((word, rule)) = self.state(account)
            && rule.login == LoginPolicy::Refuse
        {
            let text = format!("{}: the account state {word:?} refuses logins", account.name);
            return Err(Rejection::new(RejectionKind::Disabled, text).telling(&*rule.text));
        }
        if self.is_allowed(account, origin) {
            return Ok(());
        }
        let (user, service) = (&account.name, origin.service);
        let text = match origin.client {
            Some(client) => format!("{user}: no {service} login from {client}, by the access list"),
            None => format!("{user}: no {service} login from an unknown address"),
        };
        Err(Rejection::new(RejectionKind::NotAllowed, text).telling(NOT_FROM_HERE))
    }

    /// Whether mail for the account is taken.
    pub(super) fn mail(&self, account: &Account) -> Result<(), Rejection> {
        let Some((word, rule)) = self.state(account) else { return Ok(()) };
        let kind = match rule.mail {
            MailPolicy::Accept => return Ok(()),
            MailPolicy::Later => RejectionKind::OnHold,
            MailPolicy::Refuse => RejectionKind::Disabled,
        };
        let text = format!("{}: the account state {word:?} takes no mail", account.name);
        Err(Rejection::new(kind, text))
    }

    /// The account's state and what it means, if it has one.
    fn state<'a>(&'a self, account: &'a Account) -> Option<(&'a str, &'a StateRule)> {
        let word = account.info.account_state()?;
        let rule = self.states.get(&word.to_ascii_lowercase()).unwrap_or_else(|| {
            let user = &account.name;
            tracing::warn!(
                %user,
                state = word,
                "unknown mailstatus; add an account_state line, or mend the user's record"
            );
            &self.states[OTHER_STATE]
        });
        Some((word, rule))
    }

    /// Whether one of the account's groups or rules allows the login, if any
    /// limit it.
    fn is_allowed(&self, account: &Account, origin: &Origin) -> bool {
        let Some(access) = account.info.access() else {
            let Some(groups) = &self.default_groups else { return true };
            return groups.iter().any(|group| self.group_allows(group, account, origin));
        };
        // A rule has commas of its own; between names they separate.
        access.split_whitespace().any(|item| match item.split_once(':') {
            Some((services, addresses)) => {
                rule_allows(&AccessRule::parse(services, addresses), account, origin)
            }
            None => {
                let mut names = item.split(',').filter(|name| !name.is_empty());
                names.any(|name| self.group_allows(name, account, origin))
            }
        })
    }

    fn group_allows(&self, name: &str, account: &Account, origin: &Origin) -> bool {
        match self.groups.get(&name.to_ascii_lowercase()) {
            Some(rules) => rules.iter().any(|rule| rule.allows(origin.service, origin.client)),
            None => {
                let user = &account.name;
                tracing::warn!(
                    %user,
                    group = name,
                    "unknown group in mailaccess, which allows nothing; add an access_group line"
                );
                false
            }
        }
    }
}

/// What a rule of the info field says; one that nobody understands allows
/// nothing.
fn rule_allows(
    rule: &Result<AccessRule, AccessRuleError>,
    account: &Account,
    origin: &Origin,
) -> bool {
    match rule {
        Ok(rule) => rule.allows(origin.service, origin.client),
        Err(error) => {
            let user = &account.name;
            tracing::warn!(%user, %error, "bad rule in mailaccess, which allows nothing");
            false
        }
    }
}
