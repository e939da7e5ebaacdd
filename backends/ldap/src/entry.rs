//! Entries of the directory, and the accounts that they describe.

use dmail_core::{Account, DropPath, Info, Uid, Username};
use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};

use crate::config::Attributes;
use crate::trouble::Trouble;

/// An entry: its name and those of its attributes that were asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// Values may be stored hashes, so only the names are shown.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.attributes.iter().map(|(name, _)| name);
        write!(f, "{:?} ", self.dn)?;
        f.debug_list().entries(names).finish()
    }
}

impl Entry {
    /// Reads an item of a search; `None` if it is no entry, or none that can
    /// be read.
    pub(crate) fn read(item: ResultEntry) -> Option<Self> {
        if item.is_ref() || item.is_intermediate() {
            return None;
        }
        let [dn, attributes] = <[_; 2]>::try_from(parts(item.0)?).ok()?;
        let attributes = parts(attributes)?.into_iter().map(|attribute| {
            let [name, values] = <[_; 2]>::try_from(parts(attribute)?).ok()?;
            let values = parts(values)?.into_iter().map(bytes).collect::<Option<_>>()?;
            Some((text(name)?, values))
        });
        Some(Self { dn: text(dn)?, attributes: attributes.collect::<Option<_>>()? })
    }

    /// All values of an attribute, which may be called so in any case.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(&[], |(_, values)| values.as_slice())
    }

    /// The same, those that are text.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The one value of an attribute, if there is any.
    fn one(&self, name: Option<&String>) -> Option<&str> {
        let name = name?;
        self.texts(name).next().filter(|value| !value.is_empty())
    }

    /// The account that this entry describes.
    pub(crate) fn account(&self, user: &Username, map: &Attributes) -> Result<Account, Trouble> {
        let fault = |attribute: &str, why: &str| {
            Trouble::fault(format!("{:?}: attribute {attribute}: {why}", self.dn))
        };
        let mut account = Account::named(user.clone());
        if let (Some(path), Some(attribute)) = (self.one(map.drop.as_ref()), &map.drop) {
            account.drop = drop_path(path)
                .ok_or_else(|| fault(attribute, "not the full path of a file, nor `config`"))?;
        }
        account.uid = self.one(map.uid.as_ref()).map(|uid| match uid.parse() {
            Ok(number) => Uid::Number(number),
            Err(_) => Uid::Name(uid.to_owned()),
        });
        account.info = self.info(map).map_err(|attribute| fault(attribute, "not one line"))?;
        Ok(account)
    }

    /// The info fields; several values of one are joined by commas. The error
    /// is the attribute that cannot be one.
    pub(crate) fn info<'m>(&self, map: &'m Attributes) -> Result<Info, &'m str> {
        let mut info = Info::default();
        for field in &map.info {
            let values: Vec<&str> = self.texts(&field.attribute).collect();
            if !values.is_empty() {
                info.set(&field.label, &values.join(",")).map_err(|_| field.attribute.as_str())?;
            }
        }
        Ok(info)
    }
}

fn drop_path(path: &str) -> Option<DropPath> {
    match path {
        path if path.eq_ignore_ascii_case("config") => Some(DropPath::Config),
        path if path.starts_with('/')
            && !path.ends_with('/')
            && !path.contains(char::is_control)
            && path.split('/').all(|part| part != "..") =>
        {
            Some(DropPath::File(path.into()))
        }
        _ => None,
    }
}

fn parts(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn bytes(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(bytes(tag)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Labelled;

    fn entry(attributes: &[(&str, &[&str])]) -> Entry {
        let values = |values: &[&str]| values.iter().map(|v| v.as_bytes().to_vec()).collect();
        let attributes = attributes.iter().map(|(name, all)| ((*name).to_owned(), values(all)));
        Entry { dn: "uid=ann".to_owned(), attributes: attributes.collect() }
    }

    fn map() -> Attributes {
        let field = |attribute: &str, label: &str| Labelled {
            attribute: attribute.to_owned(),
            label: label.to_owned(),
        };
        Attributes {
            drop: Some("mailbox".to_owned()),
            uid: Some("uidNumber".to_owned()),
            info: vec![field("forward", "fwd"), field("cn", "name")],
            password: "userPassword".to_owned(),
        }
    }

    #[test]
    fn an_entry_describes_an_account() {
        let user = Username::parse(b"ann").expect("a name");
        let entry = entry(&[
            ("MAILBOX", &["/var/mail/ann"]),
            ("uidnumber", &["1000"]),
            ("forward", &["a@b", "c@d"]),
            ("cn", &["Ann Lee"]),
        ]);
        let account = entry.account(&user, &map()).expect("an account");
        assert_eq!(account.drop, DropPath::File("/var/mail/ann".into()));
        assert_eq!(account.uid, Some(Uid::Number(1000)));
        assert_eq!(account.info.to_string(), r#"fwd="a@b,c@d" name="Ann Lee""#);
    }

    #[test]
    fn an_entry_without_the_attributes_is_a_plain_account() {
        let user = Username::parse(b"ann").expect("a name");
        let found = entry(&[("mailbox", &[""]), ("uidNumber", &["mail"])]);
        let account = found.account(&user, &map()).expect("an account");
        assert_eq!((account.drop, account.uid), (DropPath::Config, Some(Uid::Name("mail".into()))));
    }

    #[test]
    fn a_path_that_is_none_is_a_fault_and_not_a_guess() {
        let user = Username::parse(b"ann").expect("a name");
        for bad in ["ann", "/var/mail/", "/var/../etc/passwd", "/var/mail/a\nb"] {
            assert!(entry(&[("mailbox", &[bad])]).account(&user, &map()).is_err(), "{bad}");
        }
        assert!(entry(&[("cn", &["a\nb"])]).account(&user, &map()).is_err());
    }

    #[test]
    fn values_are_not_printed() {
        let text = format!("{:?}", entry(&[("userPassword", &["{PLAIN}opensesame"])]));
        assert_eq!(text, r#""uid=ann" ["userPassword"]"#);
    }
}
