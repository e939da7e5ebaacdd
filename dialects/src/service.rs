//! The names that other servers give to what their users log in to.

use dmail_core::Service;

/// Our name for the service that a request calls `name`, in either case. One
/// that is none of ours is a program that asks.
pub(crate) fn named(name: &[u8]) -> Service {
    const NAMES: [(&str, Service); 12] = [
        ("esmtp", Service::Smtp), // Courier's
        ("imap", Service::Imap),
        ("imaps", Service::Imap),
        ("lmtp", Service::Smtp),
        ("pop", Service::Pop3), // Cyrus'
        ("pop3", Service::Pop3),
        ("pop3s", Service::Pop3),
        ("smtp", Service::Smtp),
        ("smtps", Service::Smtp),
        ("submission", Service::Smtp),
        ("web", Service::Web),
        ("webmail", Service::Web), // Courier's
    ];
    let found = NAMES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    found.map_or(Service::Line, |(_, service)| *service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_the_names_that_servers_give_them() {
        for (name, service) in [
            ("imap", Service::Imap),
            ("IMAP", Service::Imap),
            ("esmtp", Service::Smtp),
            ("submission", Service::Smtp),
            ("pop", Service::Pop3),
            ("webmail", Service::Web),
            ("", Service::Line),
            ("doveadm", Service::Line),
            ("admin", Service::Line),
        ] {
            assert_eq!(named(name.as_bytes()), service, "{name}");
        }
    }
}
