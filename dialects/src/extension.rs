//! Extensions of addresses: `bob+news@corp.example` is an address of bob's.

use dmail_core::Username;

/// `bob@corp.example` for `bob+news@corp.example`.
pub(crate) fn without_extension(address: &Username) -> Option<Username> {
    let (local, domain) = address.split_domain();
    let (user, _) = local.split_once('+').filter(|(user, _)| !user.is_empty())?;
    let plain = match domain {
        Some(domain) => format!("{user}@{domain}"),
        None => user.to_owned(),
    };
    Username::parse(plain.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_what_follows_a_plus() {
        for (address, expected) in [
            ("bob+news@corp.example", Some("bob@corp.example")),
            ("bob+a+b@corp.example", Some("bob@corp.example")),
            ("bob+news", Some("bob")),
            ("bob@corp.example", None),
            ("bob@a+b.example", None),
            ("+news@corp.example", None),
        ] {
            let address = Username::parse(address.as_bytes()).expect("an address");
            let plain = without_extension(&address);
            assert_eq!(plain.as_ref().map(Username::as_str), expected, "{address}");
        }
    }
}
