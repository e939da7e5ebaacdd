//! Another mail server's account becomes one of ours.

use std::path::{Component, Path, PathBuf};

use dmail_core::{Account, DropPath, Info, Uid, Unavailable, UnavailableKind, Username};

/// The user base that an error is about.
pub(crate) struct Source {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The file with its settings.
    pub(crate) file: &'static str,
}

impl Source {
    /// It answered about `user`, and that is no answer.
    fn fault(&self, user: &Username, text: &str) -> Unavailable {
        Unavailable::new(UnavailableKind::Fault, format!("{}: {user}: {text}", self.name))
    }
}

/// What another server or program says of an account.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// Its name there, if it says one.
    pub(crate) name: Option<String>,
    /// The number of its owner.
    pub(crate) uid: Option<u32>,
    /// Its home folder.
    pub(crate) home: Option<String>,
    /// What else is known of it.
    pub(crate) info: Info,
}

impl Described {
    /// The name that this answer to a question about `user` is for. `by` is
    /// named in errors.
    pub(crate) fn name(
        &self,
        user: &Username,
        other_names: bool,
        by: &Source,
    ) -> Result<Username, Unavailable> {
        match self.name.as_deref().map(|name| Username::parse(name.as_bytes())) {
            None => Ok(user.clone()),
            Some(Ok(name)) if name.same_but_for_case(user) || other_names => Ok(name),
            Some(Ok(name)) => {
                let text = format!(
                    "it answered for {name}: set `other_names true` in {} if its users have \
                     several names",
                    by.file
                );
                Err(by.fault(user, &text))
            }
            Some(Err(error)) => Err(by.fault(user, &format!("it answered with a name: {error}"))),
        }
    }

    /// The account of `user`, whose drop file is `drop` below the home folder,
    /// if that is set.
    pub(crate) fn account(
        self,
        user: &Username,
        drop: Option<&Path>,
        other_names: bool,
        by: &Source,
    ) -> Result<Account, Unavailable> {
        let name = self.name(user, other_names, by)?;
        let drop = match drop {
            None => DropPath::Config,
            Some(below) => match self.home.as_deref().map(Path::new) {
                Some(home) if is_plain(home) => DropPath::File(home.join(below)),
                Some(_) => return Err(by.fault(user, "its home folder is no full path")),
                None => {
                    let file = by.file;
                    let text = format!("it has no home folder, which `drop_path` in {file} needs");
                    return Err(by.fault(user, &text));
                }
            },
        };
        // Number 0 would be "no owner is given": root has no mailbox here.
        let uid = self.uid.filter(|uid| *uid != 0).map(Uid::Number);
        Ok(Account { name, drop, uid, info: self.info })
    }
}

/// Whether a path is full, and goes nowhere by detours.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    let rooted = parts.next() == Some(Component::RootDir);
    let plain = parts.all(|part| matches!(part, Component::Normal(_)));
    rooted && plain && PathBuf::from(path).to_str().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_becomes_an_account_or_a_fault() {
        let bob = Username::parse(b"bob").expect("a name");
        let dovecot = Source { name: "dovecot", file: "dovecotauth.ini" };
        let described = |name: &str, uid, home: &str| {
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Described { name: text(name), uid, home: text(home), info: Info::default() }
        };
        let mbox = Path::new("mbox");
        let rows = [
            (described("", None, ""), None, Ok(("bob", None, "config"))),
            (described("Bob", Some(1000), "/h"), None, Ok(("Bob", Some(1000), "config"))),
            (described("", Some(0), "/h"), Some(mbox), Ok(("bob", None, "/h/mbox"))),
            (described("ann", None, ""), None, Err("other_names")),
            (described("a b", None, ""), None, Err("a name")),
            (described("", None, ""), Some(mbox), Err("no home folder")),
            (described("", None, "h"), Some(mbox), Err("no full path")),
            (described("", None, "/h/../x"), Some(mbox), Err("no full path")),
        ];
        for (described, drop, expected) in rows {
            let shown = format!("{described:?}");
            let found = described.account(&bob, drop, false, &dovecot);
            match (found, expected) {
                (Ok(account), Ok((name, uid, path))) => {
                    assert_eq!(account.name.as_str(), name, "{shown}");
                    assert_eq!(account.uid, uid.map(Uid::Number), "{shown}");
                    let drop = match account.drop {
                        DropPath::Config => "config".into(),
                        DropPath::File(path) => path.display().to_string(),
                    };
                    assert_eq!(drop, path, "{shown}");
                }
                (Err(error), Err(word)) => assert!(error.detail.contains(word), "{error}"),
                (found, _) => panic!("{shown}: {found:?}"),
            }
        }
        let other = described("ann", None, "").account(&bob, None, true, &dovecot);
        assert_eq!(other.expect("an account").name.as_str(), "ann");
    }
}
