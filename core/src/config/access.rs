//! Account states and access groups: what the lines of dmail.conf, and the info
//! fields of an account, say about logins and mail.

use std::net::IpAddr;

use super::value::{Fault, Kind, Value, split_words};
use crate::Service;
use crate::pattern::AddressList;

/// The word that stands for every state that has no rule.
pub const OTHER_STATE: &str = "other";
/// The longest text for clients, in bytes: any reply line can carry it.
const MAX_TEXT_BYTES: usize = 200;

/// What an account state (`mailstatus`) means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRule {
    /// The word of the info field, in lower case.
    pub state: String,
    /// Whether its user may log in.
    pub login: LoginPolicy,
    /// What becomes of mail for the user.
    pub mail: MailPolicy,
    /// What the user reads whose login is refused.
    pub text: String,
}

/// Whether a user may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginPolicy {
    /// As if there were no state.
    Allow,
    /// Not even with the right password.
    Refuse,
}

/// What becomes of mail for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailPolicy {
    /// It is taken.
    Accept,
    /// The sender is asked to come back (4xx).
    Later,
    /// The sender is told that the mailbox is out of use (5xx).
    Refuse,
}

/// Some services, from some addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    services: Vec<Service>,
    addresses: AddressList,
}

/// One `access_group` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessGroup {
    /// The group, in lower case.
    pub name: String,
    /// What the line allows.
    pub rule: AccessRule,
}

/// Why a text is no [`AccessRule`]. It repeats none of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessRuleError {
    /// The part behind the colon.
    #[error("not an address list: {0}")]
    Addresses(String),
    /// The part before the colon.
    #[error("not a service: expected {}", services_text())]
    Services,
}

impl StateRule {
    /// What the states mean that no line is about.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        use LoginPolicy::{Allow, Refuse};
        use MailPolicy::Accept;
        let rows = [
            ("ok", Allow, Accept),
            ("good", Allow, Accept),
            ("paydue", Allow, Accept),
            ("payup", Refuse, Accept),
            ("suspended", Refuse, Accept),
            ("cancelled", Refuse, MailPolicy::Refuse),
            ("banned", Refuse, MailPolicy::Refuse),
            ("closed", Refuse, MailPolicy::Refuse),
            (OTHER_STATE, Refuse, Accept),
        ];
        let rule = |(state, login, mail): (&str, LoginPolicy, MailPolicy)| Self {
            state: state.to_owned(),
            login,
            mail,
            text: usual_text(state).to_owned(),
        };
        rows.into_iter().map(rule).collect()
    }
}

/// What a client reads whose account is in this state, unless a line says so.
fn usual_text(state: &str) -> &'static str {
    match state {
        "payup" => "this account is locked until it is paid for",
        "suspended" => "this account is suspended",
        "cancelled" => "this account has been cancelled",
        "banned" => "this account has been banned",
        "closed" => "this account is closed",
        _ => "this account cannot be used, please ask the postmaster",
    }
}

impl AccessRule {
    /// Reads the services and the addresses of a rule.
    ///
    /// # Errors
    ///
    /// Says which of both is not understood.
    pub fn parse(services: &str, addresses: &str) -> Result<Self, AccessRuleError> {
        let services = match services {
            "*" => Service::ALL.to_vec(),
            list => {
                let services: Option<Vec<_>> = list.split(',').map(Service::parse).collect();
                services.ok_or(AccessRuleError::Services)?
            }
        };
        let addresses =
            AddressList::parse(addresses).map_err(|error| AccessRuleError::Addresses(error.why))?;
        Ok(Self { services, addresses })
    }

    /// Whether this allows a login at `service` from `client`. A client whose
    /// address nobody knows is only in a list of all addresses.
    #[must_use]
    pub fn allows(&self, service: Service, client: Option<IpAddr>) -> bool {
        self.services.contains(&service)
            && match client {
                Some(client) => self.addresses.includes(client),
                None => self.addresses.is_everybody(),
            }
    }
}

/// A word, two policies, and a text.
pub(super) fn account_state() -> Kind<StateRule> {
    let expects = "a word, `allow` or `refuse`, `accept`, `later` or `refuse`, and a text";
    Kind::new(expects, read_state)
}

fn read_state(value: &Value<'_>) -> Result<StateRule, Fault> {
    let words = split_words(value.text);
    let [(state_at, state), (login_at, login), (mail_at, mail), text @ ..] = words.as_slice()
    else {
        return Err(Fault::whole(value.text, "the word and both policies are needed"));
    };
    let state = name(state).map_err(|fault| fault.moved(state_at.start))?;
    let login = match login.to_ascii_lowercase().as_str() {
        "allow" => LoginPolicy::Allow,
        "refuse" => LoginPolicy::Refuse,
        _ => return Err(Fault::part(login_at.clone(), "neither `allow` nor `refuse`")),
    };
    let mail = match mail.to_ascii_lowercase().as_str() {
        "accept" => MailPolicy::Accept,
        "later" => MailPolicy::Later,
        "refuse" => MailPolicy::Refuse,
        _ => return Err(Fault::part(mail_at.clone(), "not `accept`, `later` or `refuse`")),
    };
    let text = match text.first() {
        None => usual_text(&state).to_owned(),
        Some((at, _)) => {
            client_text(&value.text[at.start..]).map_err(|fault| fault.moved(at.start))?
        }
    };
    Ok(StateRule { state, login, mail, text })
}

/// Text that every protocol's reply line can carry.
fn client_text(text: &str) -> Result<String, Fault> {
    let printable = |c: char| c.is_ascii_graphic() || c == ' ';
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !printable(*c)) {
        return Err(Fault::part(at..at + c.len_utf8(), "not printable ASCII"));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(Fault::part(MAX_TEXT_BYTES..text.len(), "too long from here on"));
    }
    Ok(text.to_owned())
}

/// A name, services and addresses.
pub(super) fn access_group() -> Kind<AccessGroup> {
    Kind::new("a name, a comma list of services or `*`, and a comma list of addresses", |value| {
        let words = split_words(value.text);
        let [(name_at, group), (services_at, services), (addresses_at, addresses)] =
            words.as_slice()
        else {
            let why = format!("{} of the 3 items", words.len());
            return Err(Fault::whole(value.text, why));
        };
        let name = name(group).map_err(|fault| fault.moved(name_at.start))?;
        let rule = AccessRule::parse(services, addresses).map_err(|error| {
            let at = match error {
                AccessRuleError::Services => services_at,
                AccessRuleError::Addresses(_) => addresses_at,
            };
            Fault::part(at.clone(), error.to_string())
        })?;
        Ok(AccessGroup { name, rule })
    })
}

/// A comma list of group names.
pub(super) fn group_names() -> Kind<Vec<String>> {
    Kind::new("a comma list of access groups", |value| {
        let mut at = 0;
        let mut names = Vec::new();
        for word in value.text.split(',') {
            names.push(name(word).map_err(|fault| fault.moved(at))?);
            at += word.len() + 1;
        }
        Ok(names)
    })
}

/// A word that an info field can hold among others.
fn name(text: &str) -> Result<String, Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        return Err(Fault::whole(text, "not a word of letters, digits, `-`, `_` and `.`"));
    }
    Ok(text.to_ascii_lowercase())
}

fn services_text() -> String {
    format!("`*` or a comma list of {}", Service::ALL.map(Service::name).join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::value::testing::{read, refuses};
    use super::*;

    #[test]
    fn a_state_has_two_policies_and_a_text() {
        let found = read(&account_state(), "Suspended refuse later Call 555-0100, please");
        let expected = StateRule {
            state: "suspended".into(),
            login: LoginPolicy::Refuse,
            mail: MailPolicy::Later,
            text: "Call 555-0100, please".into(),
        };
        assert_eq!(found, Ok(expected));
        let found = read(&account_state(), "closed refuse accept").expect("a state");
        assert_eq!(found.text, "this account is closed");
        let kind = account_state();
        refuses(&kind, "closed refuse", 0..13, "the word and both policies are needed");
        refuses(&kind, "cl:osed refuse accept", 0..7, WORD);
        refuses(&kind, "closed deny accept", 7..11, "neither `allow` nor `refuse`");
        refuses(&kind, "closed refuse deny", 14..18, "not `accept`, `later` or `refuse`");
        refuses(&kind, "closed refuse later gr\u{fc}n", 22..24, "not printable ASCII");
    }

    const WORD: &str = "not a word of letters, digits, `-`, `_` and `.`";

    #[test]
    fn a_rule_allows_some_services_from_some_addresses() {
        let rows = [
            ("*", "*", Service::Pop3, Some("192.0.2.1"), true),
            ("*", "*", Service::Pop3, None, true),
            ("web,POP3", "192.0.2.0/24", Service::Pop3, Some("192.0.2.1"), true),
            ("web,pop3", "192.0.2.0/24", Service::Pop3, Some("::ffff:192.0.2.1"), true),
            ("web,pop3", "192.0.2.0/24", Service::Smtp, Some("192.0.2.1"), false),
            ("web,pop3", "192.0.2.0/24", Service::Pop3, Some("192.0.3.1"), false),
            ("web,pop3", "192.0.2.0/24", Service::Pop3, None, false),
            ("web,pop3", "!192.0.2.0/24", Service::Pop3, Some("192.0.2.1"), false),
            ("web,pop3", "!192.0.2.0/24", Service::Pop3, None, false),
            ("imap", "2001:db8::/32,192.0.2.7", Service::Imap, Some("2001:db8::1"), true),
        ];
        for (services, addresses, service, client, expected) in rows {
            let rule = AccessRule::parse(services, addresses).expect("a rule");
            let client = client.map(|client| client.parse().expect("an address"));
            assert_eq!(rule.allows(service, client), expected, "{services} {addresses} {client:?}");
        }
    }

    #[test]
    fn each_item_of_a_group_is_blamed_for_itself() {
        let kind = access_group();
        refuses(&kind, "office pop3", 0..11, "2 of the 3 items");
        refuses(&kind, "of/ce pop3 *", 0..5, WORD);
        let fault = read(&kind, "office pop *").expect_err("no service");
        assert_eq!(fault.at, 7..10);
        assert!(fault.why.contains("pop3"), "{}", fault.why);
        assert_eq!(read(&kind, "office pop3 192.0.2.0/99").expect_err("no network").at, 12..24);
        assert_eq!(read(&group_names(), "a,B"), Ok(vec!["a".into(), "b".into()]));
        refuses(&group_names(), "a,", 2..2, WORD);
    }
}
