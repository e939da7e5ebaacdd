//! The kinds of values that only `oauth2.ini` has.

use std::path::PathBuf;

use dmail_core::config::value::{Fault, Kind, resolve, split_words};

use crate::keys::Algorithm;
use crate::web::Url;

/// The algorithms of public keys.
pub(super) const PUBLIC: [(&str, Algorithm); 10] = {
    let all = Algorithm::ALL;
    [all[0], all[1], all[2], all[3], all[7], all[8], all[9], all[10], all[11], all[12]]
};

/// A key in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedFile {
    /// Its `kid`; `None`: whatever a token says.
    pub(super) name: Option<String>,
    pub(super) path: PathBuf,
}

/// The name of a key, and a file.
pub(super) fn named_file() -> Kind<NamedFile> {
    Kind::new("the name of a key, or *, and a file", |value| {
        let words = split_words(value.text);
        let [(_, name), (at, path)] = words.as_slice() else {
            return Err(Fault::whole(value.text, "not two words"));
        };
        let path = resolve(path, value.place).map_err(|fault| fault.moved(at.start))?;
        let name = Some((*name).to_owned()).filter(|name| name != "*");
        Ok(NamedFile { name, path })
    })
}

/// An address of the issuer's.
pub(super) fn url() -> Kind<Url> {
    Kind::new("an address such as https://id.corp.example/path", |value| {
        Url::parse(value.text).map_err(|why| Fault::whole(value.text, why))
    })
}

/// One word, as a token has it.
pub(super) fn token_text() -> Kind<String> {
    Kind::new("a text without blanks", |value| match split_words(value.text).as_slice() {
        [(_, word)] => Ok((*word).to_owned()),
        _ => Err(Fault::whole(value.text, "more than one word")),
    })
}

/// Words with blanks between them, which can be shown to clients as they are.
pub(super) fn blanks() -> Kind<Vec<String>> {
    Kind::new("words with blanks between them", |value| {
        // RFC 6749 section 3.3.
        let of_scope = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
        split_words(value.text)
            .into_iter()
            .map(|(at, word)| match word.bytes().all(of_scope) {
                true => Ok(word.to_owned()),
                false => Err(Fault::part(at, "no scope has such characters")),
            })
            .collect()
    })
}
