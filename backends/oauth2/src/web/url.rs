//! The address of a service of the issuer's.

use std::fmt;
use std::net::IpAddr;

/// `https://host[:port]/path`, without user, password and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Whether it is asked over TLS.
    pub(crate) tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query; starts with `/`.
    pub(crate) target: String,
    text: String,
}

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("it has to start with https:// or http://"),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>^`{|}#".contains(&byte)) {
            return Err("it has a character that an address does not have");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (server, target) = rest.split_at(end);
        if server.contains('@') {
            return Err("a name or password has settings of its own");
        }
        let (host, port) = split_port(server)?;
        let port = match port {
            None if tls => 443,
            None => 80,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("this is no port")?,
        };
        let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || !host.bytes().all(of_host) {
            return Err("this is no host");
        }
        let target = match target {
            target if target.starts_with('/') => target.to_owned(),
            target => format!("/{target}"),
        };
        Ok(Self { tls, host: host.to_owned(), port, target, text: text.to_owned() })
    }

    /// Whether what is sent there does not leave this machine.
    pub(crate) fn is_here(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.map_or(self.host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
    }

    /// What the header `Host` says.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

fn split_port(server: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("the bracket is not closed")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("there is no IPv6 address between the brackets");
        }
        return match rest.strip_prefix(':') {
            None if rest.is_empty() => Ok((host, None)),
            Some(port) => Ok((host, Some(port))),
            None => Err("this is no port"),
        };
    }
    match server.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 address stands in brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((server, None)),
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
            ("https://[::1]:9443/", (true, "::1", 9443, "/", "[::1]:9443")),
            ("http://id.example:80/", (false, "id.example", 80, "/", "id.example")),
        ];
        for (text, expected) in rows {
            let url = Url::parse(text).expect(text);
            let authority = url.authority();
            let found = (url.tls, &*url.host, url.port, &*url.target, &*authority);
            assert_eq!(found, expected, "{text}");
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
            "https://id.example:0/",
            "https://id.example:99999/",
            "https://id.example:x/",
            "https://::1/",
            "https://[::1/",
            "https://[id.example]/",
            "https://id.example/a b",
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
