//! What a client says in the dialect: Postfix' tcp tables.
#![no_main]

mod dialect;

use std::sync::Arc;

use dialect::Dialect;
use dmail_core::Domain;
use dmail_dialects::table::Tables;
use dmail_dialects::tcp_table::TcpTableSession;
use libfuzzer_sys::fuzz_target;

fn session() -> TcpTableSession {
    let domains = vec![Domain::parse("corp.example").expect("a domain")];
    let tables = Arc::new(Tables { domains, transport: Some("smtp:x".into()) });
    TcpTableSession::new(tables, "valias")
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 4_100, at_once: 1, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
