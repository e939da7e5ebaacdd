//! What a client may say when, and what each of its lines leads to.
//!
//! ```text
//!   New ── greeting ──▶ Proving ── proof ──▶ Second ──▶ questions with ids
//!    │         └─ no secret is demanded ───────┘
//!    └── anything else ──▶ First ──▶ one request after the other
//! ```

use std::pin::Pin;
use std::sync::Arc;

use dmail_core::framing::LineFault;

use super::super::{Client, Server};
use super::first;
use super::second;
use crate::wire::{Greeting, Prover, Push, Side, Welcome};

/// An answer in bytes, under way.
pub(super) type Answer = Pin<Box<dyn Future<Output = Vec<u8>> + Send>>;

/// What a client may say now.
pub(super) enum Phase {
    /// Anything: it has not spoken yet.
    New,
    /// Its proof.
    Proving(Prover, Greeting),
    /// Requests of the first version.
    First,
    /// Questions of the second; the highest id so far.
    Second(u64),
    /// Nothing any more: it is closed when it has read what is sent.
    Over,
}

/// What a line leads to.
pub(super) enum Next {
    Ask(Answer),
    /// The second version has begun.
    Begin(Greeting),
    /// All that there is to say has been written.
    Said,
}

/// Reads one line as the phase demands; what can be said at once goes to `out`.
pub(super) fn read(
    server: &Arc<Server>,
    client: &Client,
    phase: &mut Phase,
    line: Result<&[u8], LineFault>,
    out: &mut Vec<u8>,
) -> Next {
    match (&*phase, line) {
        (Phase::New, Ok(line)) if Greeting::is_one(line) => greet(server, client, phase, line, out),
        (Phase::New | Phase::First, line) => first::request(server, client, phase, line, out),
        (Phase::Proving(prover, greeting), Ok(line)) => {
            let proof = line.strip_prefix(b"prove ").unwrap_or_default();
            if prover.accepts(Side::Client, proof) {
                say(out, &format!("+OK {}\n", prover.proof(Side::Server)));
                Next::Begin(greeting.clone())
            } else {
                tracing::warn!(client = %client, "wrong shared secret");
                *phase = Phase::Over;
                say(out, "-DEAD wrong shared secret\n")
            }
        }
        (Phase::Second(last), Ok(line)) => match second::line(server, client, *last, line, out) {
            Ok((last, next)) => {
                *phase = Phase::Second(last);
                next
            }
            Err(fault) => say_fault(client, phase, fault.0, out),
        },
        (Phase::Second(_), Err(_)) => {
            say_fault(client, phase, "a line too long, or with control characters", out)
        }
        (Phase::Proving(..), Err(_)) | (Phase::Over, _) => {
            *phase = Phase::Over;
            Next::Said
        }
    }
}

/// Says a line that needs no answer.
pub(super) fn say(out: &mut Vec<u8>, line: &str) -> Next {
    out.extend_from_slice(line.as_bytes());
    Next::Said
}

/// After this, nothing that the client says can be trusted.
fn say_fault(client: &Client, phase: &mut Phase, why: &'static str, out: &mut Vec<u8>) -> Next {
    tracing::warn!(client = %client, why, "the client breaks the protocol");
    *phase = Phase::Over;
    Push::Fault(why.into()).write(out);
    Next::Said
}

fn greet(
    server: &Server,
    client: &Client,
    phase: &mut Phase,
    line: &[u8],
    out: &mut Vec<u8>,
) -> Next {
    let greeting = match Greeting::parse(line) {
        Ok(greeting) => greeting,
        Err(fault) => {
            *phase = Phase::Over;
            return say(out, &format!("-DEAD {fault}\n"));
        }
    };
    let secret = server.config.secret.as_ref().filter(|_| !client.is_local());
    let (prove, by_address) = (secret.is_some(), server.gateway.sees_address());
    let proofs = server.gateway.proofs();
    let welcome = Welcome { nonce: rand::random(), prove, by_address, proofs };
    say(out, &welcome.line());
    match secret {
        Some(secret) => {
            let prover = Prover::new(secret, greeting.nonce, welcome.nonce);
            *phase = Phase::Proving(prover, greeting);
            Next::Said
        }
        None => Next::Begin(greeting),
    }
}
