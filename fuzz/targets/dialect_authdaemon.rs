//! What a client says in the dialect: Courier's authdaemon, as on a pipe.
#![no_main]

mod dialect;

use dialect::Dialect;
use dmail_dialects::UnixAccount;
use dmail_dialects::authdaemon::AuthdaemonSession;
use libfuzzer_sys::fuzz_target;

fn session() -> AuthdaemonSession {
    AuthdaemonSession::new(UnixAccount { uid: 8, gid: 9, home: "/home".into() }, false)
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 20_000, at_once: 1, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
