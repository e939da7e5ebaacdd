//! What the fuzz targets feed: parsers of foreign bytes that are no part of
//! this crate's interface.

use dmail_core::Username;

use crate::{courier, dovecot};

/// A line of Dovecot's auth service, on either of its sockets.
pub fn dovecot_line(bytes: &[u8]) {
    dovecot::read_line(&bob(), bytes);
}

/// An answer of Courier's authdaemond.
pub fn courier_answer(bytes: &[u8]) {
    courier::read_answer(bytes);
}

fn bob() -> Username {
    Username::parse(b"bob").expect("a name")
}
