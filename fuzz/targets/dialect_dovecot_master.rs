//! What a client says in the dialect: Dovecot's master socket.
#![no_main]

mod dialect;

use dialect::Dialect;
use dmail_dialects::dovecot::userdb::{Config, UserdbSession};
use libfuzzer_sys::fuzz_target;

fn session() -> UserdbSession {
    UserdbSession::new(Config {
        tells_drop_file: true,
        pid: 7,
        home: Some("/home/%d/%n".into()),
        uid: Some(8),
        gid: None,
        master: Some(Default::default()),
    })
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 8_200, at_once: 1_000, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
