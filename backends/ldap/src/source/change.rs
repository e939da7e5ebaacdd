//! `set` and `del`.

use dmail_core::{Action, Change, Info, Outcome, Rejection, RejectionKind, Secret, Username};
use ldap3::LdapResult;
use tokio::time::Instant;

use super::{Directory, Found};
use crate::config::SetMethod;
use crate::server::search::{Attribute, Searcher};
use crate::server::{Lease, Searches, Server};
use crate::trouble::{Trouble, TroubleKind, one_line};

/// A change is made, or the directory has refused it.
type Made = Result<Result<(), Rejection>, Trouble>;

impl Directory {
    /// Makes a change over `searcher`. An error means that nobody knows whether
    /// it was made.
    pub(super) async fn change_at(
        &self,
        server: &Server,
        mut searcher: Lease<Searches>,
        found: Found,
        change: &Change,
    ) -> Result<Outcome, Trouble> {
        let deadline = server.deadline();
        let user = &change.user;
        let made = match (&change.action, found) {
            (_, Found::Unclear) => Err(super::unclear(user)),
            (Action::Delete, Found::Nobody) => Err(Rejection::unknown_user(user)),
            (Action::Delete, Found::One(entry)) => {
                let result = server.step(deadline, searcher.delete(&entry.dn)).await?;
                judge(user, "del", &result)?
            }
            (Action::Set { secret, info }, found) => {
                let fields = match self.fields(server, info.as_ref()) {
                    Ok(fields) => fields,
                    Err(rejection) => return Ok(Outcome::Refused(rejection)),
                };
                let set = Set { server, deadline, user, secret: secret.as_ref(), fields };
                match found {
                    Found::One(entry) => self.modify(&mut searcher, &entry.dn, set).await?,
                    _ => self.add(&mut searcher, set).await?,
                }
            }
        };
        Ok(match (made, &change.action) {
            (Ok(()), Action::Delete) => Outcome::Done(format!("{user} deleted")),
            (Ok(()), Action::Set { .. }) => Outcome::Done(format!("{user} set")),
            (Err(rejection), _) => Outcome::Refused(rejection),
        })
    }

    /// The attributes that hold these info fields. All that are mapped are
    /// among them, for those that are not named lose their value.
    fn fields(&self, server: &Server, info: Option<&Info>) -> Result<Vec<Attribute>, Rejection> {
        let Some(info) = info else { return Ok(Vec::new()) };
        let bad = |text: String| Rejection::new(RejectionKind::BadInput, text);
        let map = &self.config.attributes.info;
        for (label, _) in info.iter() {
            if !map.iter().any(|field| field.label == label) {
                return Err(bad(format!(
                    "no attribute is set for the info field {label} (ldap_info)"
                )));
            }
        }
        map.iter()
            .map(|field| {
                if let Some(fault) = server.attribute_fault(&field.attribute) {
                    return Err(bad(format!("info field {}: {fault}", field.label)));
                }
                let value = info.get(&field.label).filter(|value| !value.is_empty());
                let values = value.into_iter().map(|value| value.as_bytes().to_vec()).collect();
                Ok(Attribute { name: field.attribute.clone(), values })
            })
            .collect()
    }

    async fn modify(&self, searcher: &mut Searcher, dn: &str, set: Set<'_>) -> Made {
        let mut values = set.fields;
        let operation = match set.secret {
            Some(secret) => match self.password_attribute(set.user, secret).await? {
                Ok(Some(attribute)) => {
                    values.push(attribute);
                    None
                }
                Ok(None) => Some(secret),
                Err(rejection) => return Ok(Err(rejection)),
            },
            None => None,
        };
        if !values.is_empty() {
            let modify = searcher.modify(dn, &values);
            let result = set.server.step(set.deadline, modify).await?;
            if let Err(rejection) = judge(set.user, "set", &result)? {
                return Ok(Err(rejection));
            }
        }
        let Some(secret) = operation else { return Ok(Ok(())) };
        let change = searcher.set_password(dn, secret.expose());
        let result = set.server.step(set.deadline, change).await?;
        let made = judge(set.user, "the new password", &result)?;
        Ok(made.map_err(|rejection| match values.is_empty() {
            true => rejection,
            false => {
                Rejection { text: format!("{} (the info is set)", rejection.text), ..rejection }
            }
        }))
    }

    async fn add(&self, searcher: &mut Searcher, set: Set<'_>) -> Made {
        let user = set.user;
        let asked = self.asked(user);
        let names = asked.names();
        let Some(template) = &self.config.changes.new_dn else {
            let text = format!("{user} does not exist, and ldap_new_dn is not set to add users");
            return Ok(Err(Rejection::new(RejectionKind::UnknownUser, text)));
        };
        let Some(secret) = set.secret else { return Ok(Err(Rejection::unknown_user(user))) };
        let parts =
            template.dn(names).zip(template.first_pair(names)).filter(|_| user.as_str().is_ascii());
        let Some((dn, (attribute, value))) = parts else {
            let text = format!("{user} is no name that ldap_new_dn can be made of");
            return Ok(Err(Rejection::new(RejectionKind::BadInput, text)));
        };
        let mut values = vec![Attribute {
            name: "objectClass".to_owned(),
            values: self
                .config
                .changes
                .new_objectclass
                .iter()
                .map(|class| class.clone().into_bytes())
                .collect(),
        }];
        put(&mut values, Attribute::new(&attribute, value));
        for new in &self.config.changes.new_attributes {
            match new.value.text(names) {
                Some(text) => put(&mut values, Attribute::new(&new.attribute, text)),
                None => {
                    let text = format!("{user} has no domain for ldap_new_attr {}", new.attribute);
                    return Ok(Err(Rejection::new(RejectionKind::BadInput, text)));
                }
            }
        }
        put(&mut values, Attribute::new(&self.config.search_name, asked.as_str()));
        for field in set.fields.into_iter().filter(|field| !field.values.is_empty()) {
            put(&mut values, field);
        }
        let operation = match self.password_attribute(user, secret).await? {
            Ok(Some(attribute)) => {
                put(&mut values, attribute);
                None
            }
            Ok(None) => Some(secret),
            Err(rejection) => return Ok(Err(rejection)),
        };
        let result = set.server.step(set.deadline, searcher.add(&dn, &values)).await?;
        if let Err(rejection) = judge(user, "a new entry", &result)? {
            return Ok(Err(rejection));
        }
        let Some(secret) = operation else { return Ok(Ok(())) };
        let change = searcher.set_password(&dn, secret.expose());
        let result = set.server.step(set.deadline, change).await?;
        let made = judge(user, "the password of a new entry", &result)?;
        if made.is_err() {
            // An entry that nobody can log in with would be in the way of the
            // next try. If this fails, the refusal still says what happened.
            let _ = set.server.step(set.deadline, searcher.delete(&dn)).await;
        }
        Ok(made)
    }

    /// The attribute that a password is written to; `None` if there is an
    /// operation for it.
    async fn password_attribute(
        &self,
        user: &Username,
        secret: &Secret,
    ) -> Result<Result<Option<Attribute>, Rejection>, Trouble> {
        let bad = |text: String| Ok(Err(Rejection::new(RejectionKind::BadInput, text)));
        let changes = &self.config.changes;
        match (changes.set_method, changes.scheme.0) {
            (SetMethod::Exop, _) => Ok(Ok(None)),
            (SetMethod::UnicodePwd, _) => match unicode_pwd(secret) {
                Some(value) => Ok(Ok(Some(Attribute::new("unicodePwd", value)))),
                None => bad(format!("{user}: Active Directory takes UTF-8 passwords only")),
            },
            (SetMethod::Replace, None) => {
                Ok(Ok(Some(Attribute::new(&self.config.attributes.password, secret.expose()))))
            }
            (SetMethod::Replace, Some(_)) => {
                let hasher = self.hasher.as_ref().expect("replace is opened with a hasher");
                let hashed = hasher.hash(secret.clone()).await;
                match hashed.map_err(|error| Trouble::new(TroubleKind::Overloaded, error.detail))? {
                    Ok(text) => {
                        let name = &self.config.attributes.password;
                        Ok(Ok(Some(Attribute::new(name, with_tag(text)))))
                    }
                    Err(error) => bad(format!("{user}: {error}")),
                }
            }
        }
    }
}

/// What a `set` sets.
struct Set<'a> {
    server: &'a Server,
    deadline: Instant,
    user: &'a Username,
    secret: Option<&'a Secret>,
    fields: Vec<Attribute>,
}

/// Adds an attribute to a new entry, or values to one that is there.
fn put(values: &mut Vec<Attribute>, new: Attribute) {
    match values.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&new.name)) {
        Some(known) => {
            for value in new.values {
                if !known.values.contains(&value) {
                    known.values.push(value);
                }
            }
        }
        None => values.push(new),
    }
}

/// A hash with the tag by which directories know it.
fn with_tag(text: String) -> String {
    match text {
        text if text.starts_with("$argon2") => format!("{{ARGON2}}{text}"),
        text if text.starts_with('$') => format!("{{CRYPT}}{text}"),
        text => text,
    }
}

/// A password as `unicodePwd` takes it: in quotes, in UTF-16, the low byte
/// first.
fn unicode_pwd(secret: &Secret) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(secret.expose()).ok()?;
    let quoted = std::iter::once('"').chain(text.chars()).chain(['"']);
    let mut units = [0; 2];
    let mut bytes = Vec::with_capacity(4 * text.len() + 4);
    for c in quoted {
        for unit in c.encode_utf16(&mut units) {
            bytes.extend_from_slice(&unit.to_le_bytes());
        }
    }
    Some(bytes)
}

/// What the answer to a change means.
fn judge(user: &Username, what: &str, result: &LdapResult) -> Made {
    let text = one_line(&result.text);
    let refused = |kind, why: &str| {
        let text = format!("{user}: {what}: {why} (code {} {text:?})", result.rc);
        Ok(Err(Rejection::new(kind, text)))
    };
    match result.rc {
        0 => Ok(Ok(())),
        32 => Ok(Err(Rejection::unknown_user(user))),
        10 => refused(
            RejectionKind::NotAllowed,
            "this server is a copy: name the one that is written first",
        ),
        50 => refused(RejectionKind::NotAllowed, "ldap_bind_dn may not do that"),
        53 | 66 => refused(RejectionKind::NotAllowed, "the directory does not do that"),
        2 | 12 => refused(RejectionKind::Unsupported, "the directory does not know how"),
        19 => refused(RejectionKind::BadInput, "against the rules of the directory"),
        16 | 17 | 20 | 21 | 34 | 64 | 65 | 67 | 68 | 69 => {
            refused(RejectionKind::BadInput, "the directory cannot hold it so")
        }
        code => Err(Trouble::result(what, code, &result.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_gets_the_tag_that_directories_know() {
        for (text, expected) in [
            ("$6$salt$x", "{CRYPT}$6$salt$x"),
            ("$argon2id$v=19$x", "{ARGON2}$argon2id$v=19$x"),
            ("{SSHA}x", "{SSHA}x"),
        ] {
            assert_eq!(with_tag(text.to_owned()), expected);
        }
    }

    #[test]
    fn active_directory_takes_utf_16_in_quotes() {
        let bytes = unicode_pwd(&Secret::new("n\u{e9}".as_bytes())).expect("UTF-8");
        assert_eq!(bytes, b"\"\0n\0\xe9\0\"\0");
        assert_eq!(unicode_pwd(&Secret::new(*b"\xff")), None);
    }
}
