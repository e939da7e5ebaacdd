//! What a client says in the dialect: OpenSMTPD's tables.
#![no_main]

mod dialect;

use dialect::Dialect;
use dmail_dialects::UnixAccount;
use dmail_dialects::proc_exec::ProcExecSession;
use libfuzzer_sys::fuzz_target;

fn session() -> ProcExecSession {
    ProcExecSession::new(UnixAccount { uid: 8, gid: 9, home: "/home".into() })
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 8_200, at_once: 1_000_000, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
