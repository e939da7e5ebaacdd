//! DPOP, the POP3 server.

use std::net::IpAddr;
use std::time::Duration;

use super::super::table::Unset::{Nothing, Value};
use super::super::value::{Listen, addresses, boolean, listen, number, seconds};
use crate::pattern::AddressList;

crate::settings! {
    title: "DPOP";
    /// The server that users collect their mail from.
    pub struct PopSettings {
        /// The port that DPOP listens on: a number for all addresses of this
        /// machine, or `address:port` for one.
        ports: Vec<Listen> = many("pop_port", listen("pop_port")),
            default: Value("110"), example: "pop_port [2001:db8::7]:110";

        /// Clients that may connect. A client must pass every item of the
        /// list: `*,!192.0.2.*` lets in all but that network. The list of one
        /// line is enough, so several networks are several lines.
        user_ip_address: Vec<AddressList> = many("user_ip_address", addresses()),
            default: Nothing("everybody may connect"), example: "user_ip_address *,!161.29.5.*";

        /// Whether clients on other machines may log in before the connection
        /// is encrypted, so that anybody in between can read the password.
        /// Clients on this machine always may. The original always allowed it;
        /// a server that others reach should say what it wants.
        auth_plaintext: bool = one("pop_auth_plaintext", boolean()),
            default: Value("false"), example: "pop_auth_plaintext true";

        /// How many clients may be connected at the same time.
        max_connections: usize = one("pop_max_connections", number(1..=1_000_000)),
            default: Value("5000"), example: "pop_max_connections 500";

        /// How long a client may be silent. RFC 1939 asks for 600 seconds at
        /// least.
        timeout: Duration = one("pop_timeout", seconds(1..=86400)),
            default: Value("600"), example: "pop_timeout 15m";
    }
}

impl PopSettings {
    /// Whether `client` may connect.
    #[must_use]
    pub fn admits(&self, client: IpAddr) -> bool {
        let lists = &self.user_ip_address;
        lists.is_empty() || lists.iter().any(|list| list.passes_every(client))
    }
}
