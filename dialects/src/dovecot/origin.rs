//! Where a login comes from, as the parameters of a request tell it.

use std::net::IpAddr;

use dmail_core::Origin;

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
        b"rip" => origin.client = address(),
        b"lip" => origin.local = address(),
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
