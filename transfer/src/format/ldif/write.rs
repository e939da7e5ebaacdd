//! Entries as they are written.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{DropPath, Info, UserRecord};
use zeroize::Zeroizing;

use super::super::draft::{drop_bytes, owner_text};
use super::super::{Fields, Writer, stored};
use super::{LOCKS, OTHER_FIELDS, TREE};

/// Columns of a written line before it is folded.
const WIDTH: usize = 76;

/// Writes entries.
pub struct LdifWriter {
    fields: Fields,
}

impl LdifWriter {
    /// For a directory with these attributes.
    #[must_use]
    pub fn new(fields: Fields) -> Self {
        Self { fields }
    }

    /// Whether a label can be the name of an attribute of its own.
    fn is_attribute(&self, label: &str) -> bool {
        let Fields { user, password, drop_path, owner, .. } = &self.fields;
        let ours = [(user, "uid"), (password, "userPassword"), (drop_path, "dropPath")];
        let ours = ours.into_iter().chain([(owner, "dropOwner")]);
        let mut taken = ours
            .map(|(field, usual)| field.as_deref().unwrap_or(usual))
            .chain(TREE)
            .chain(LOCKS)
            .chain(["dn", "version", "changetype", OTHER_FIELDS]);
        label.starts_with(|c: char| c.is_ascii_alphabetic())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !taken.any(|name| label.eq_ignore_ascii_case(name))
    }
}

impl Writer for LdifWriter {
    fn head(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"version: 1\n");
    }

    fn user(&mut self, record: &UserRecord, out: &mut Vec<u8>) -> Result<Vec<String>, String> {
        let Fields { user, password, drop_path, owner, base_dn } = &self.fields;
        let name = record.user.as_str();
        let user = user.as_deref().unwrap_or("uid");
        let base = base_dn.as_deref().unwrap_or("ou=people");
        let mut losses = Vec::new();
        // An attribute that differs by case only from another one is the same.
        let (mut own, mut other) = (Vec::new(), Info::default());
        for (label, value) in record.info.iter() {
            let twin =
                own.iter().any(|(known, _): &(&str, &str)| known.eq_ignore_ascii_case(label));
            if self.is_attribute(label) && !twin {
                own.push((label, value));
            } else {
                // It was a field of the record, so it is one.
                let _ = other.set(label, value);
            }
        }
        let other_text = other.to_string();
        if other_text.parse() != Ok(other) {
            return Err("an info value would read back as another one".to_owned());
        }
        out.push(b'\n');
        write(out, "dn", format!("{user}={},{base}", escape_dn(name)).as_bytes());
        for class in ["account", "simpleSecurityObject", "extensibleObject"] {
            write(out, "objectClass", class.as_bytes());
        }
        write(out, user, name.as_bytes());
        if let Some(secret) = &record.stored {
            match stored::to_ldap(secret) {
                Some(text) => write(out, password.as_deref().unwrap_or("userPassword"), &text),
                None => losses.push("the stored password has no form for a directory".to_owned()),
            }
        }
        if record.drop != DropPath::Config {
            write(out, drop_path.as_deref().unwrap_or("dropPath"), drop_bytes(&record.drop));
        }
        if record.uid.is_some() {
            let text = owner_text(record.uid.as_ref());
            write(out, owner.as_deref().unwrap_or("dropOwner"), text.as_bytes());
        }
        for (label, value) in own {
            write(out, label, value.as_bytes());
        }
        if !other_text.is_empty() {
            write(out, OTHER_FIELDS, other_text.as_bytes());
        }
        Ok(losses)
    }
}

/// One line, in base64 if it has to be, folded.
fn write(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let safe = |byte: &u8| (b' '..=b'~').contains(byte);
    let plain = value.iter().all(safe)
        && !value.first().is_some_and(|first| b" :<".contains(first))
        && !value.ends_with(b" ");
    let mut line = Zeroizing::new(name.as_bytes().to_vec());
    if plain {
        line.extend_from_slice(b": ");
        line.extend_from_slice(value);
    } else {
        line.extend_from_slice(b":: ");
        line.extend_from_slice(STANDARD.encode(value).as_bytes());
    }
    let (first, mut rest) = line.split_at(line.len().min(WIDTH));
    out.extend_from_slice(first);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(WIDTH - 1));
        out.extend_from_slice(b"\n ");
        out.extend_from_slice(piece);
        rest = after;
    }
    out.push(b'\n');
}

/// A value in a distinguished name (RFC 4514).
fn escape_dn(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (index, character) in value.chars().enumerate() {
        if ",+\"\\<>;=".contains(character) || (index == 0 && character == '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
