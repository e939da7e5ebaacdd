//! The kinds of values that only `multiauth.ini` has.

use std::path::PathBuf;

use dmail_authent::chain::policy::After;
use dmail_authent::chain::{Creates, Fields};
use dmail_core::Info;
use dmail_core::config::value::{Fault, Kind, Value, resolve, split_words, word};
use dmail_core::pattern::NameList;

use crate::{SOURCES, SourceKind};

/// A user base in process, and where its file or folder is.
#[derive(Clone)]
pub struct SourceWord {
    /// The kind of base.
    pub kind: &'static SourceKind,
    /// Its settings file, or the folder of its files; `None`: the usual one.
    pub path: Option<PathBuf>,
}

/// Shown by the words of the file.
impl std::fmt::Debug for SourceWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.kind.name, self.path)
    }
}

/// The word in `role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleWord {
    /// Says who is who.
    Answer,
    /// Says whether a password is right.
    Verify,
    /// Adds info fields.
    Merge,
    /// Is compared.
    Shadow,
}

/// A user base in process.
pub(super) fn source() -> Kind<SourceWord> {
    // The manual does not list them: they are those of dmail.conf.
    Kind::new("a word of `authent_method`, and the name of a file or folder", read_source)
}

/// A chain in a chain could hold itself.
fn usable() -> impl Iterator<Item = &'static SourceKind> {
    SOURCES.iter().filter(|kind| kind.name != super::NAME)
}

fn read_source(value: &Value<'_>) -> Result<SourceWord, Fault> {
    let words = split_words(value.text);
    let Some((at, name)) = words.first() else {
        return Err(Fault::whole(value.text, "no user base is named"));
    };
    let kind = usable().find(|kind| kind.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let fault = Fault::part(at.clone(), "no user base that a chain can hold");
        match *name {
            "external" => fault.help("a program is named by: binary /usr/local/dmail/myauth"),
            _ => {
                let known: Vec<&str> = usable().map(|kind| kind.name).collect();
                fault.help(format!("known are: {}", known.join(", ")))
            }
        }
    })?;
    let path = match words.get(1) {
        Some((at, path)) => {
            Some(resolve(path, value.place).map_err(|fault| fault.moved(at.start))?)
        }
        None => None,
    };
    match words.get(2) {
        Some((at, _)) => Err(Fault::part(at.start..value.text.len(), "too much")),
        None => Ok(SourceWord { kind, path }),
    }
}

/// A comma list of user names.
pub(super) fn names() -> Kind<NameList> {
    Kind::new("a comma list of user names, with * and ? and ! for all others", |value| {
        NameList::parse(value.text).map_err(|error| Fault::part(error.at, error.why))
    })
}

/// What a module is for.
pub(super) fn role() -> Kind<RoleWord> {
    word(&[
        ("answer", RoleWord::Answer),
        ("verify", RoleWord::Verify),
        ("merge", RoleWord::Merge),
        ("shadow", RoleWord::Shadow),
    ])
}

/// What follows from an answer.
pub(super) fn after() -> Kind<After> {
    word(&[("stop", After::Stop), ("next", After::Next)])
}

/// Whether records are changed: not at all, only there are some, or new ones,
/// too.
pub(super) fn changes() -> Kind<Option<Creates>> {
    word(&[("existing", Some(Creates::Never)), ("true", Some(Creates::NewUsers)), ("false", None)])
}

/// Labels of info fields.
pub(super) fn fields() -> Kind<Fields> {
    Kind::new("a comma list of labels of info fields, or * for all", |value| {
        if value.text == "*" {
            return Ok(Fields::All);
        }
        let mut offset = 0;
        let mut labels = Vec::new();
        for label in value.text.split(',') {
            let at = offset..offset + label.len();
            if Info::default().set(label, "").is_err() {
                return Err(Fault::part(at, "not a label"));
            }
            labels.push(label.into());
            offset += label.len() + 1;
        }
        Ok(Fields::Named(labels))
    })
}

/// What may stand at the end or the start of a user name.
pub(super) fn affix() -> Kind<String> {
    Kind::new("a part of a user name, without blanks", |value| {
        match value.text.find(|c: char| c.is_whitespace() || c.is_control()) {
            Some(at) => Err(Fault::part(at..value.text.len(), "a name has no blanks")),
            None => Ok(value.text.to_owned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read<T>(kind: &Kind<T>, text: &str) -> Result<T, String> {
        kind.read(&Value { text, place: None })
            .map_err(|fault| format!("{}: {}", &text[fault.at], fault.why))
    }

    #[test]
    fn a_source_is_a_user_base_and_its_file() {
        let found = read(&source(), "NWAuth users").expect("a source");
        assert_eq!((found.kind.name, found.path.as_deref()), ("nwauth", Some(Path::new("users"))));
        assert_eq!(read(&source(), "nwauth").expect("a source").path, None);
        let rows = [
            ("oracle x", "oracle: no user base that a chain can hold"),
            ("multi other.ini", "multi: no user base that a chain can hold"),
            ("external /bin/x", "external: no user base that a chain can hold"),
            ("nwauth a b c", "b c: too much"),
            ("nwauth \"a\"", "\"a\": a path is written without quotes"),
        ];
        for (text, expected) in rows {
            assert_eq!(read(&source(), text).expect_err(text), expected);
        }
    }

    #[test]
    fn fields_are_labels_or_all() {
        assert_eq!(read(&fields(), "*"), Ok(Fields::All));
        let named = Fields::Named(vec!["quota".into(), "fwd".into()]);
        assert_eq!(read(&fields(), "quota,fwd"), Ok(named));
        assert_eq!(read(&fields(), "quota,f wd"), Err("f wd: not a label".into()));
        assert_eq!(read(&fields(), "quota,"), Err(": not a label".into()));
    }
}
