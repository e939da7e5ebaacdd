//! What attributes a directory knows.

use std::collections::HashMap;

/// The attribute types of a directory: each name they go by, in lower case,
/// with the one that entries use.
#[derive(Debug, Default)]
pub(crate) struct Schema(HashMap<String, String>);

/// What is wrong with the name of an attribute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameFault<'a> {
    /// Entries call it otherwise.
    Alias(&'a str),
    /// There is no such attribute.
    Unknown,
}

impl Schema {
    /// Reads the values of `attributeTypes` (RFC 4512 section 4.1.2).
    pub(crate) fn read<'a>(types: impl Iterator<Item = &'a str>) -> Self {
        let mut known = HashMap::new();
        for definition in types {
            let names = names(definition);
            let usual = names.get(1).or(names.first()).copied().unwrap_or_default();
            for name in &names {
                known.insert(name.to_ascii_lowercase(), usual.to_owned());
            }
        }
        Self(known)
    }

    /// Whether nothing is known, which makes nothing wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with `name`, if anything.
    pub(crate) fn fault(&self, name: &str) -> Option<NameFault<'_>> {
        if self.is_empty() {
            return None;
        }
        let base = name.split(';').next().unwrap_or_default();
        match self.0.get(&base.to_ascii_lowercase()) {
            None => Some(NameFault::Unknown),
            Some(usual) if !usual.eq_ignore_ascii_case(base) => Some(NameFault::Alias(usual)),
            Some(_) => None,
        }
    }
}

/// The OID of a definition and then its names, in their order.
fn names(definition: &str) -> Vec<&str> {
    let mut words = definition.split_whitespace().skip_while(|word| *word == "(");
    let mut found: Vec<&str> = words.next().into_iter().collect();
    while let Some(word) = words.next() {
        if word != "NAME" {
            continue;
        }
        match words.next() {
            Some("(") => {
                found.extend(words.take_while(|word| *word != ")").map(unquoted));
            }
            Some(name) => found.push(unquoted(name)),
            None => {}
        }
        break;
    }
    found
}

fn unquoted(word: &str) -> &str {
    word.trim_matches('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_known() {
        let schema = Schema::read(
            [
                "( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC2256' SUP name )",
                "( 0.9.2342.19200300.100.1.1 NAME 'uid' DESC 'has NAME in it' SUP name )",
                "(",
            ]
            .into_iter(),
        );
        assert_eq!(schema.fault("SN"), None);
        assert_eq!(schema.fault("uid;lang-en"), None);
        assert_eq!(schema.fault("surname"), Some(NameFault::Alias("sn")));
        assert_eq!(schema.fault("mailQuota"), Some(NameFault::Unknown));
        assert_eq!(Schema::default().fault("anything"), None);
    }
}
