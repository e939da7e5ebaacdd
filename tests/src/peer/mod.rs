//! Real mail clients and servers, one file each. They must be installed.

use std::net::{Ipv4Addr, TcpListener};

pub mod courier;
pub mod curl;
pub mod cyrus;
pub mod dovecot;
pub mod mariadb;
pub mod python;
pub mod slapd;
pub mod swaks;

/// A port of the loopback address that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}
