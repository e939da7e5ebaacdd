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
    /// Reads an item of a search; `None` if it is no entry.
    ///
    /// # Errors
    ///
    /// If it is an entry, and not one that can be read. Somebody is there, so
    /// nobody may be told that there is no such user.
    pub(crate) fn read(item: ResultEntry) -> Result<Option<Self>, Trouble> {
        if item.is_ref() || item.is_intermediate() {
            return Ok(None);
        }
        let unreadable = || Trouble::fault("the server shows an entry that cannot be read");
        Self::of_tag(item.0).map(Some).ok_or_else(unreadable)
    }

    fn of_tag(tag: StructureTag) -> Option<Self> {
        let [dn, attributes] = <[_; 2]>::try_from(parts(tag)?).ok()?;
        let mut entry = Self { dn: text(dn)?, attributes: Vec::new() };
        for attribute in parts(attributes)? {
            let [name, values] = <[_; 2]>::try_from(parts(attribute)?).ok()?;
            let values = parts(values)?.into_iter().map(bytes).collect::<Option<_>>()?;
            entry.put(text(name)?, values);
        }
        Some(entry)
    }

    /// Adds values. A server may send those of one attribute in several lists.
    fn put(&mut self, name: String, values: Vec<Vec<u8>>) {
        match self.attributes.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, known)) => known.extend(values),
            None => self.attributes.push((name, values)),
        }
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
    fn one(&self, name: &str) -> Result<Option<&str>, &'static str> {
        let Some(value) = self.values(name).first() else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| "not UTF-8")?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The account that this entry describes.
    pub(crate) fn account(&self, user: &Username, map: &Attributes) -> Result<Account, Trouble> {
        let fault = |attribute: &str, why: &str| {
            Trouble::fault(format!("{:?}: attribute {attribute}: {why}", self.dn))
        };
        let one = |attribute: &str| self.one(attribute).map_err(|why| fault(attribute, why));
        let mut account = Account::named(user.clone());
        if let Some(attribute) = &map.drop
            && let Some(path) = one(attribute)?
        {
            account.drop = drop_path(path)
                .ok_or_else(|| fault(attribute, "not the full path of a file, nor `config`"))?;
        }
        if let Some(attribute) = &map.uid
            && let Some(text) = one(attribute)?
        {
            account.uid = Some(uid(text).ok_or_else(|| fault(attribute, "not a number or name"))?);
        }
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

/// A number, or a name in one word: more words would be taken for what follows
/// the uid wherever accounts are written in a line.
fn uid(text: &str) -> Option<Uid> {
    match text.parse() {
        Ok(number) => Some(Uid::Number(number)),
        Err(_) if text.contains(|c: char| c.is_whitespace() || c.is_control()) => None,
        Err(_) => Some(Uid::Name(text.to_owned())),
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
    use ldap3::asn1::TagClass;

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
        let attributes = vec![("mailbox".to_owned(), vec![b"/var/mail/j\xf6rg".to_vec()])];
        let latin = Entry { dn: "uid=ann".to_owned(), attributes };
        assert!(latin.account(&user, &map()).is_err());
    }

    #[test]
    fn a_uid_of_several_words_is_a_fault() {
        let user = Username::parse(b"ann").expect("a name");
        for bad in ["mail root", "0 fwd=\"x@y\"", "mail\t", " ", "mail\n", "a\u{a0}b"] {
            assert!(entry(&[("uidNumber", &[bad])]).account(&user, &map()).is_err(), "{bad:?}");
        }
    }

    /// An entry as a server sends it, with this name and these attributes.
    fn sent(id: u64, dn: &[u8], attributes: Vec<StructureTag>) -> ResultEntry {
        let tag = |id, payload| StructureTag { class: TagClass::Universal, id, payload };
        let list = tag(16, PL::C(attributes));
        ResultEntry::new(tag(id, PL::C(vec![tag(4, PL::P(dn.to_vec())), list])))
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_not_nobody() {
        let read = Entry::read(sent(4, b"uid=ann", Vec::new())).expect("readable");
        assert_eq!(read.expect("an entry").dn, "uid=ann");
        assert!(Entry::read(sent(4, b"uid=j\xf6rg", Vec::new())).is_err());
        let bare = StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(Vec::new()) };
        assert!(Entry::read(sent(4, b"uid=ann", vec![bare])).is_err());
        assert_eq!(Entry::read(sent(19, b"ldap://other", Vec::new())), Ok(None), "a referral");
    }

    #[test]
    fn values_are_not_printed() {
        let text = format!("{:?}", entry(&[("userPassword", &["{PLAIN}opensesame"])]));
        assert_eq!(text, r#""uid=ann" ["userPassword"]"#);
    }
}
