//! From where a user may log in: the original's mailmask.
//!
//! | value | lets in |
//! |---|---|
//! | `0.0.0.0`, `*`, nothing, NULL | everybody |
//! | `192.0.2.7` | this address |
//! | `192.0.2.0`, `10.0.0.0` | the network: zeros at the end are any number |
//! | `192.0.2.0/24`, `10.*`, `!192.0.2.7,*` … | as the lists of dmail.conf |

use std::net::{IpAddr, Ipv4Addr};

use dmail_core::pattern::AddressList;

/// Whether `mask` lets in a client at `address`.
///
/// # Errors
///
/// If the mask is none: nobody knows what was meant.
pub(crate) fn lets_in(mask: &str, address: IpAddr) -> Result<bool, MaskError> {
    let mask = mask.trim();
    if matches!(mask, "" | "*" | "0.0.0.0") {
        return Ok(true);
    }
    if let Ok(network) = mask.parse::<Ipv4Addr>() {
        return Ok(match address.to_canonical() {
            IpAddr::V4(address) => is_in(network, address),
            IpAddr::V6(_) => false,
        });
    }
    // Blanks after commas are common in tables, and mean nothing.
    let text: String = mask.chars().filter(|c| !c.is_whitespace()).collect();
    let list = AddressList::parse(&text).map_err(|_| MaskError)?;
    Ok(list.includes(address))
}

fn is_in(network: Ipv4Addr, address: Ipv4Addr) -> bool {
    let octets = network.octets();
    let given = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    address.octets()[..given] == octets[..given]
}

/// A mask that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a list of patterns")]
pub(crate) struct MaskError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_end_are_any_number() {
        let rows = [
            ("0.0.0.0", "203.0.113.9", Ok(true)),
            ("", "2001:db8::1", Ok(true)),
            ("192.0.2.7", "192.0.2.7", Ok(true)),
            ("192.0.2.7", "192.0.2.70", Ok(false)),
            ("192.0.2.7", "::ffff:192.0.2.7", Ok(true)),
            ("192.0.2.0", "192.0.2.255", Ok(true)),
            ("192.0.2.0", "192.0.3.1", Ok(false)),
            ("10.0.0.0", "10.9.8.7", Ok(true)),
            ("192.0.2.7", "2001:db8::1", Ok(false)),
            ("192.0.2.0/25", "192.0.2.200", Ok(false)),
            ("2001:db8::/32, 10.*", "2001:db8::1", Ok(true)),
            ("the office", "192.0.2.7", Err(MaskError)),
        ];
        for (mask, address, expected) in rows {
            let address = address.parse().expect(address);
            assert_eq!(lets_in(mask, address), expected, "{mask} {address}");
        }
    }
}
