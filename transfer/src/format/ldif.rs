//! LDIF (RFC 2849): what directories are dumped to and filled from.
//!
//! ```text
//!   dn: uid=bob,ou=people
//!   objectClass: account
//!   uid: bob                          the user
//!   userPassword:: e0NSWVBUfS4uLg==   the stored password, base64
//!   dropPath: /srv/mail/bob
//!   name: Bob Smith                   any other attribute: an info field
//!   info: two words="x"               a label that is no attribute's name
//! ```
//!
//! A line that starts with a blank goes on where the last one ended. An entry
//! ends at an empty line. An entry without the user's attribute is no user.
//! Of an attribute with several values each is kept: `mail`, `mail-2`, …

mod write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

pub use write::LdifWriter;

use super::draft::Draft;
use super::{BadFile, Entry, Fields, MAX_ENTRY, Overlong, Reader, What, stored};

/// Attributes about the entry and not about the user: they are left out.
const TREE: [&str; 12] = [
    "objectClass",
    "structuralObjectClass",
    "entryUUID",
    "entryCSN",
    "entryDN",
    "creatorsName",
    "createTimestamp",
    "modifiersName",
    "modifyTimestamp",
    "subschemaSubentry",
    "hasSubordinates",
    "contextCSN",
];

/// Attributes by which a directory keeps somebody from logging in: OpenLDAP's,
/// which is there while the account is locked, and that of 389 and its kin.
const LOCKS: [&str; 2] = ["pwdAccountLockedTime", "nsAccountLock"];

/// The attribute with fields whose label is no attribute's name.
const OTHER_FIELDS: &str = "info";

/// Reads entries.
pub struct LdifReader {
    fields: Fields,
    /// The line that may still go on, and its number.
    current: Vec<u8>,
    number: u64,
    entry: Vec<Attribute>,
    bytes: usize,
    /// What is wrong with this entry as a whole.
    fault: Option<String>,
}

/// One line of an entry.
struct Attribute {
    line: u64,
    name: String,
    value: Zeroizing<Vec<u8>>,
}

impl LdifReader {
    /// For a directory with these attributes.
    #[must_use]
    pub fn new(fields: Fields) -> Self {
        Self { fields, current: Vec::new(), number: 0, entry: Vec::new(), bytes: 0, fault: None }
    }

    /// The line that is complete now becomes an attribute.
    fn end_line(&mut self) {
        let line = Zeroizing::new(std::mem::take(&mut self.current));
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        match attribute(&line) {
            Ok((name, value)) => self.entry.push(Attribute { line: self.number, name, value }),
            Err(why) => self.fail(format!("line {}: {why}", self.number)),
        }
    }

    fn fail(&mut self, why: String) {
        self.fault.get_or_insert(why);
        if self.entry.is_empty() {
            let (name, value) = (String::new(), Zeroizing::default());
            self.entry.push(Attribute { line: self.number, name, value });
        }
    }

    fn end_entry(&mut self) -> Option<Entry> {
        self.end_line();
        self.bytes = 0;
        let (attributes, fault) = (std::mem::take(&mut self.entry), self.fault.take());
        let first = attributes.first()?;
        let only_version = attributes.iter().all(|attribute| attribute.is("version"));
        if only_version && fault.is_none() {
            return None;
        }
        let mut draft = Draft::new(first.line);
        if let Some(fault) = fault {
            draft.refuse(fault);
        }
        let mut dn = String::new();
        for attribute in &attributes {
            if attribute.is("dn") {
                dn = String::from_utf8_lossy(&attribute.value).into_owned();
            }
            self.fill(&mut draft, attribute);
        }
        let mut entry = draft.finish();
        if let What::NoUser(why) = &mut entry.what {
            let wanted = self.fields.user.as_deref().unwrap_or("uid");
            *why = format!("{dn} has no attribute {wanted}");
        }
        Some(entry)
    }

    fn fill(&self, draft: &mut Draft, attribute: &Attribute) {
        let named =
            |field: &Option<String>, usual: &str| attribute.is(field.as_deref().unwrap_or(usual));
        let value = &attribute.value;
        let Fields { user, password, drop_path, owner, .. } = &self.fields;
        if named(user, "uid") && draft.user.is_none() {
            draft.name(value);
        } else if named(password, "userPassword") {
            match draft.stored {
                None => draft.stored = stored::from_ldap(value),
                Some(_) => draft.notes.push("only the first of its passwords is taken".to_owned()),
            }
        } else if attribute.is("changetype") {
            if !value.eq_ignore_ascii_case(b"add") {
                draft.refuse("a change of an entry, and no entry");
            }
        } else if attribute.is("dn") || attribute.is("version") || attribute.name.is_empty() {
            // The place in the tree, and the format.
        } else if TREE.iter().any(|name| attribute.is(name)) {
            // What the directory itself has written.
        } else if LOCKS.iter().any(|name| attribute.is(name)) {
            if !value.eq_ignore_ascii_case(b"false") {
                draft.suspend(&attribute.name);
            }
        } else if let Ok(text) = std::str::from_utf8(value) {
            if named(drop_path, "dropPath") {
                draft.drop_path(text);
            } else if named(owner, "dropOwner") {
                draft.owner(text);
            } else if attribute.is(OTHER_FIELDS) {
                draft.info_text(OTHER_FIELDS, text);
            } else {
                draft.info(&attribute.name, text);
            }
        } else {
            draft.info_bytes(&attribute.name, value);
        }
    }
}

impl Attribute {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Reads `name: value`, `name:: base64`, `name:< url`.
fn attribute(line: &[u8]) -> Result<(String, Zeroizing<Vec<u8>>), &'static str> {
    let colon = memchr::memchr(b':', line).ok_or("neither attribute: value nor a comment")?;
    let (name, rest) = (&line[..colon], &line[colon + 1..]);
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.;_".contains(byte);
    if name.is_empty() || !name.iter().all(plain) {
        return Err("the name of the attribute is none");
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let value = match rest {
        [b':', base64 @ ..] => {
            let base64 = base64.trim_ascii();
            STANDARD.decode(base64).map_err(|_| "the value is not the base64 that it says")?
        }
        [b'<', ..] => return Err("a value in another file, which is not read"),
        value => value.trim_ascii_start().to_vec(),
    };
    Ok((name, Zeroizing::new(value)))
}

impl Reader for LdifReader {
    fn line(
        &mut self,
        number: u64,
        line: Result<&[u8], Overlong>,
    ) -> Result<Option<Entry>, BadFile> {
        let line = match line {
            Ok(line) => line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(line),
            Err(overlong) => {
                self.end_line();
                self.number = number;
                self.fail(format!("line {number}: {overlong}"));
                return Ok(None);
            }
        };
        if line.is_empty() {
            return Ok(self.end_entry());
        }
        self.bytes += line.len();
        if self.bytes > MAX_ENTRY {
            self.current.zeroize();
            self.entry.truncate(1);
            self.fail(format!("more than {MAX_ENTRY} bytes in one entry"));
            return Ok(None);
        }
        match line.strip_prefix(b" ") {
            Some(more) => self.current.extend_from_slice(more),
            None => {
                self.end_line();
                self.number = number;
                self.current.extend_from_slice(line);
            }
        }
        Ok(None)
    }

    fn end(&mut self) -> Result<Option<Entry>, BadFile> {
        Ok(self.end_entry())
    }
}
