//! In what two sources differ about one account.

use std::fmt;

use dmail_core::{Account, DropPath, Uid};

/// One thing that two sources say differently about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// Where the mail lies: the first source's word, and the second's.
    DropPath(String, String),
    /// Who owns the drop file.
    Uid(String, String),
    /// An info field that only the first has. The value is not shown: it may
    /// be private.
    Missing(Box<str>),
    /// An info field that only the second has.
    Extra(Box<str>),
    /// An info field with another value.
    Info(Box<str>),
}

impl Difference {
    /// The reason id of the log: stable, one word.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::DropPath(..) => "drop-path",
            Self::Uid(..) => "uid",
            Self::Missing(_) | Self::Extra(_) | Self::Info(_) => "info",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropPath(here, there) => write!(f, "drop path {here:?}, and {there:?} there"),
            Self::Uid(here, there) => write!(f, "uid {here}, and {there} there"),
            Self::Missing(label) => write!(f, "info field {label} is missing there"),
            Self::Extra(label) => write!(f, "info field {label} is only there"),
            Self::Info(label) => write!(f, "info field {label} has another value there"),
        }
    }
}

/// All in which `there` differs from `here`. Names are not compared: one
/// source may add a domain.
#[must_use]
pub fn differences(here: &Account, there: &Account) -> Vec<Difference> {
    let mut found = Vec::new();
    if here.drop != there.drop {
        found.push(Difference::DropPath(drop_text(&here.drop), drop_text(&there.drop)));
    }
    let uids = [uid_text(here.uid.as_ref()), uid_text(there.uid.as_ref())];
    if uids[0] != uids[1] {
        let [here, there] = uids;
        found.push(Difference::Uid(here, there));
    }
    for (label, value) in here.info.iter() {
        match there.info.get(label) {
            Some(other) if other == value => {}
            Some(_) => found.push(Difference::Info(label.into())),
            None => found.push(Difference::Missing(label.into())),
        }
    }
    let only_there = there.info.iter().filter(|(label, _)| here.info.get(label).is_none());
    found.extend(only_there.map(|(label, _)| Difference::Extra(label.into())));
    found
}

fn drop_text(drop: &DropPath) -> String {
    match drop {
        DropPath::Config => "config".into(),
        DropPath::File(path) => path.display().to_string(),
    }
}

/// No uid and uid 0 both mean that nobody is named.
fn uid_text(uid: Option<&Uid>) -> String {
    match uid {
        None | Some(Uid::Number(0)) => "none".into(),
        Some(Uid::Number(number)) => number.to_string(),
        Some(Uid::Name(name)) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::Username;

    use super::*;

    fn account(drop: &str, uid: Option<Uid>, info: &str) -> Account {
        let drop = match drop {
            "config" => DropPath::Config,
            path => DropPath::File(path.into()),
        };
        let info = info.parse().expect("info");
        Account { drop, uid, info, ..Account::named(Username::parse(b"bob").expect("a name")) }
    }

    #[test]
    fn accounts_are_compared_by_what_matters_to_the_mail() {
        let here = account("config", Some(Uid::Number(0)), r#"name="Bob" quota="5""#);
        let rows = [
            (account("config", None, r#"quota="5" name="Bob""#), ""),
            (account("/mail/bob", None, r#"quota="5" name="Bob""#), "drop-path"),
            (account("config", Some(Uid::Number(8)), r#"quota="5" name="Bob""#), "uid"),
            (account("config", None, r#"quota="6" name="Bob""#), "info"),
            (
                account("config", Some(Uid::Name("bob".into())), r#"quota="5" x="y""#),
                "uid info info",
            ),
        ];
        for (there, expected) in rows {
            let found = differences(&here, &there);
            let ids: Vec<_> = found.iter().map(Difference::id).collect();
            assert_eq!(ids.join(" "), expected, "{found:?}");
        }
        let other = account("/mail/bob", None, "");
        let text: Vec<_> = differences(&here, &other).iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "drop path \"config\", and \"/mail/bob\" there",
                "info field name is missing there",
                "info field quota is missing there",
            ]
        );
    }
}
