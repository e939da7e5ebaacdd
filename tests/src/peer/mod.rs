//! Real mail clients and servers, one file each. They must be installed.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

pub mod auth_client;
pub mod authdaemond;
pub mod courier;
pub mod curl;
pub mod cyrus;
pub mod dovecot;
pub mod exim;
pub mod fd3;
pub mod gsasl;
pub mod issuer;
pub mod mariadb;
pub mod nginx;
pub mod postfix;
pub mod python;
pub mod slapd;
pub mod swaks;

/// A port of the loopback address that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

/// A loopback address that no other peer has. A server that opens several
/// ports itself has them all there, and nobody takes one of them meanwhile.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed))
}
