//! The address of a service of the issuer's.

use std::cell::Cell;
use std::fmt;

use hyper::Uri;
use url::Host;

/// `https://host[:port]/path`, without user, password and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    parsed: url::Url,
    text: Box<str>,
}

impl Url {
    /// Reads an address. What a browser would put right is wrong here.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err("it has to start with https:// or http://".into());
        }
        if !text.is_ascii() {
            return Err("it has a character that an address does not have".into());
        }
        let put_right = Cell::new(None);
        let note = |what| put_right.set(Some(what));
        let parser = url::Url::options().syntax_violation_callback(Some(&note));
        let parsed = parser.parse(text).map_err(|why| why.to_string())?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("a name or password has settings of its own".into());
        }
        if let Some(what) = put_right.get() {
            return Err(what.description().into());
        }
        if parsed.fragment().is_some() {
            return Err("what is behind # is not for a server".into());
        }
        if parsed.port() == Some(0) || parsed.as_str().parse::<Uri>().is_err() {
            return Err("nobody can be asked there".into());
        }
        Ok(Self { parsed, text: text.into() })
    }

    /// Whether it is asked over TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.parsed.scheme() == "https"
    }

    /// Whether what is sent there does not leave this machine.
    pub(crate) fn is_here(&self) -> bool {
        match self.parsed.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// As a request has it.
    pub(super) fn to_uri(&self) -> Uri {
        self.parsed.as_str().parse().expect("it was one when it was read")
    }
}

/// As it was written.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_exactly() {
        let rows = [
            ("https://id.example/jwks", (true, "id.example", 443, "/jwks", "id.example")),
            ("https://id.example", (true, "id.example", 443, "/", "id.example")),
            ("https://id.example?x=1", (true, "id.example", 443, "/?x=1", "id.example")),
            ("http://127.0.0.1:8080/a?b=c/d", {
                (false, "127.0.0.1", 8080, "/a?b=c/d", "127.0.0.1:8080")
            }),
            ("https://[::1]:9443/", (true, "[::1]", 9443, "/", "[::1]:9443")),
            ("http://id.example:80/", (false, "id.example", 80, "/", "id.example")),
        ];
        for (text, expected) in rows {
            let url = Url::parse(text).expect(text);
            let uri = url.to_uri();
            let port = url.parsed.port_or_known_default().expect("a port");
            let host = uri.host().expect("a host");
            let target = uri.path_and_query().expect("a path").as_str();
            let authority = uri.authority().expect("a server").as_str();
            assert_eq!((url.is_tls(), host, port, target, authority), expected, "{text}");
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "id.example",
            "ftp://id.example/",
            "https://",
            "https:///x",
            "https://bob:pw@id.example/",
            "https://@id.example/",
            "https://id.example:0/",
            "https://id.example:99999/",
            "https://id.example:x/",
            "https://::1/",
            "https://[::1/",
            "https://[id.example]/",
            "https://id.example/a b",
            "https://id.example/a\\b",
            "https://id.example/{a}|\"<b>^`",
            "https://id.example/#a",
            "https://id.ex\u{e4}mple/",
            "https://id.example/\r\nX: y",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_on_this_machine_is_known() {
        for (text, here) in [
            ("http://127.0.0.9/", true),
            ("http://[::1]/", true),
            ("http://LocalHost/", true),
            ("http://localhost.example/", false),
            ("http://192.0.2.1/", false),
        ] {
            assert_eq!(Url::parse(text).expect(text).is_here(), here, "{text}");
        }
    }
}
