//! What a client says in the dialect: saslauthd's socket.
#![no_main]

mod dialect;

use dialect::Dialect;
use dmail_dialects::saslauthd::SaslauthdSession;
use libfuzzer_sys::fuzz_target;

fn session() -> SaslauthdSession {
    SaslauthdSession::new()
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 262_148, at_once: 1, is_stream: false };
    dialect::talk(&dialect, seed, bytes);
});
