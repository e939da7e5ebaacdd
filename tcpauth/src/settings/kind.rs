//! The kinds of values that only these files have.

use std::path::PathBuf;

use dmail_core::config::Place;
use dmail_core::config::value::{Fault, Kind, resolve, split_words};

use crate::client::{Endpoint, Versions};

/// The words of `source`: a user base, and the file with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceWords {
    /// The user base, as `authent_method` calls it.
    pub method: String,
    /// The file.
    pub ini: Option<PathBuf>,
    /// Where it was set.
    pub place: Option<Place>,
}

/// A user base and its file.
pub(super) fn source() -> Kind<SourceWords> {
    Kind::new("a user base, and the file of its settings if it has one", |value| match split_words(
        value.text,
    )
    .as_slice()
    {
        [(_, method)] => {
            Ok(SourceWords { method: (*method).to_owned(), ini: None, place: value.place.cloned() })
        }
        [(_, method), (_, file)] => Ok(SourceWords {
            method: (*method).to_owned(),
            ini: Some(resolve(file, value.place)?),
            place: value.place.cloned(),
        }),
        _ => Err(Fault::whole(value.text, "more than two words")),
    })
}

/// A daemon to ask.
pub(super) fn endpoint() -> Kind<Endpoint> {
    Kind::new("`host:port`, `[IPv6 address]:port`, or `unix:FILE`", |value| {
        let text = value.text;
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Endpoint::Unix(resolve(path, value.place)?));
        }
        let wrong = || Fault::whole(text, "neither a host with a port nor a unix socket");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => host,
            None if is_host(host) => host,
            _ => return Err(wrong()),
        };
        Ok(Endpoint::Tcp { host: host.to_owned(), port })
    })
}

fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(allowed)
}

/// The versions by their words.
pub(super) const VERSIONS: [(&str, Versions); 3] =
    [("auto", Versions::Any), ("1", Versions::First), ("2", Versions::Second)];
