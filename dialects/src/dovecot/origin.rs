//! Where a login comes from, as the parameters of a request tell it.

use std::net::IpAddr;

use dmail_core::{Origin, SessionId, Transport};

use crate::service;

/// Takes one parameter `name[=value]`; those that say nothing here are passed
/// over, as the protocol demands. An address that is none (Exim sends
/// `lip=NULL` when it has none) is as if it were not there.
pub(super) fn take(origin: &mut Origin, name: &[u8], value: &[u8]) {
    let address = || -> Option<IpAddr> {
        let text = std::str::from_utf8(value).ok()?;
        text.parse().ok().map(|address: IpAddr| address.to_canonical())
    };
    match name {
        b"rip" => {
            origin.client = address();
            // Whoever knows the client says of each connection whether it is
            // secured.
            if origin.client.is_some() && origin.transport == Transport::Unknown {
                origin.transport = Transport::Insecure;
            }
        }
        b"lip" => origin.local = address(),
        b"secured" if origin.transport != Transport::TlsClientCert => {
            let is_tls = value.eq_ignore_ascii_case(b"tls");
            origin.transport = if is_tls { Transport::Tls } else { Transport::Secured };
        }
        b"valid-client-cert" => origin.transport = Transport::TlsClientCert,
        b"session" => origin.session = SessionId::parse(value),
        b"service" | b"protocol" => origin.service = service::named(value),
        _ => {}
    }
}

/// A parameter in its two halves.
pub(super) fn split(parameter: &[u8]) -> (&[u8], &[u8]) {
    match parameter.iter().position(|byte| *byte == b'=') {
        Some(at) => (&parameter[..at], &parameter[at + 1..]),
        None => (parameter, b""),
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::Service;

    use super::*;

    #[test]
    fn a_request_tells_how_its_client_is_connected() {
        let rows = [
            // Postfix and Exim, without TLS and with it.
            ("service=smtp nologin lip=192.0.2.1 rip=198.51.100.7", Transport::Insecure, None),
            ("service=smtp nologin rip=198.51.100.7 secured", Transport::Secured, None),
            ("secured valid-client-cert rip=198.51.100.7", Transport::TlsClientCert, None),
            // Dovecot.
            (
                "service=imap secured=tls session=c3czgQcVdMKsEQAB rip=198.51.100.7",
                Transport::Tls,
                Some("c3czgQcVdMKsEQAB"),
            ),
            ("protocol=pop3 valid-client-cert secured=tls", Transport::TlsClientCert, None),
            // Whoever knows no client knows no connection.
            ("service=radicale", Transport::Unknown, None),
            ("service=smtp rip=NULL", Transport::Unknown, None),
        ];
        for (parameters, transport, session) in rows {
            let mut origin = Origin::local(Service::Line);
            for parameter in parameters.split(' ') {
                let (name, value) = split(parameter.as_bytes());
                take(&mut origin, name, value);
            }
            assert_eq!(origin.transport, transport, "{parameters}");
            let found = origin.session.map(|name| name.to_string());
            assert_eq!(found.as_deref(), session, "{parameters}");
        }
    }
}
