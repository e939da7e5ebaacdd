//! What a client says in the dialect: logins of Dovecot's auth protocol.
#![no_main]

mod dialect;

use dialect::Dialect;
use dmail_dialects::dovecot::auth::{AuthSession, Config, PASSWORDS, Tempfail};
use libfuzzer_sys::fuzz_target;

fn session() -> AuthSession {
    AuthSession::new(Config {
        tempfail: Tempfail::Code,
        mechanisms: PASSWORDS.into(),
        issuer: None,
        pid: 7,
        connection: 3,
        cookie: [7; 16],
        logins: Some(Default::default()),
    })
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 16_400, at_once: 1_000, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
