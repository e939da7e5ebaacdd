//! What a client says in the dialect: Postfix' socketmap tables.
#![no_main]

mod dialect;

use std::sync::Arc;

use dialect::Dialect;
use dmail_core::Domain;
use dmail_dialects::socketmap::SocketmapSession;
use dmail_dialects::table::Tables;
use libfuzzer_sys::fuzz_target;

fn session() -> SocketmapSession {
    let domains = vec![Domain::parse("corp.example").expect("a domain")];
    let tables = Arc::new(Tables { domains, transport: Some("smtp:x".into()) });
    SocketmapSession::new(tables)
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 10_010, at_once: 1, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
