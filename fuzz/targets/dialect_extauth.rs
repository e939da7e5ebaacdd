//! What a client says in the dialect: ejabberd's external authentication.
#![no_main]

mod dialect;

use dialect::Dialect;
use dmail_dialects::extauth::ExtauthSession;
use libfuzzer_sys::fuzz_target;

fn session() -> ExtauthSession {
    ExtauthSession::new()
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 65_537, at_once: 1, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
