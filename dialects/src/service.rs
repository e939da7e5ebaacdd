//! What other servers call the services that logins come through.

use dmail_core::Service;

/// Our name for a service. Rules about services (who may use IMAP) rest on it,
/// so every dialect asks here. What we do not know is a program like any other.
pub(crate) fn service_of(name: &[u8]) -> Service {
    const NAMES: [(&[u8], Service); 10] = [
        (b"imap", Service::Imap),
        (b"imap4", Service::Imap),
        (b"pop", Service::Pop3),
        (b"pop3", Service::Pop3),
        // Courier's and Exim's word for it.
        (b"esmtp", Service::Smtp),
        (b"lmtp", Service::Smtp),
        (b"smtp", Service::Smtp),
        (b"submission", Service::Smtp),
        (b"web", Service::Web),
        (b"webmail", Service::Web),
    ];
    let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map_or(Service::Line, |(_, service)| *service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_the_names_that_servers_give_them() {
        let rows = [
            ("imap", Service::Imap),
            ("IMAP", Service::Imap),
            ("pop", Service::Pop3),
            ("pop3", Service::Pop3),
            ("smtp", Service::Smtp),
            ("esmtp", Service::Smtp),
            ("webmail", Service::Web),
            ("ldap", Service::Line),
            // Nobody is an administrator because a client says so.
            ("admin", Service::Line),
            ("", Service::Line),
        ];
        for (name, service) in rows {
            assert_eq!(service_of(name.as_bytes()), service, "{name}");
        }
    }
}
