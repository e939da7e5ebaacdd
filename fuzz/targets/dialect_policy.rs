//! What a client says in the dialect: Postfix' policy delegation.
#![no_main]

mod dialect;

use std::sync::Arc;

use dialect::Dialect;
use dmail_core::config::SenderRule;
use dmail_dialects::policy::{Limits, Policy, PolicySession, Rules};
use libfuzzer_sys::fuzz_target;

fn session() -> PolicySession {
    let rate = |text: &str| vec![text.parse().expect("a rate")];
    let limits = Limits { messages: rate("3/1h"), recipients: rate("9/1h") };
    let rules = Rules { limits, sender: SenderRule::Own, domains: Vec::new() };
    PolicySession::new(Arc::new(Policy::new(rules, Box::new(|_, _| Ok(())))))
}

fuzz_target!(|input: (u64, &[u8])| {
    let (seed, bytes) = input;
    let dialect = Dialect { session, unread: 8_200, at_once: 1, is_stream: true };
    dialect::talk(&dialect, seed, bytes);
});
