//! Passwords that are shown without being told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dmail_core::{Evidence, Proof, Proofs, Purpose, SaltQuestion, ScramHash, Secret};

use super::super::*;
use super::base::{Base, ask, lookup, member};

fn prove(user: &str, guess: &str) -> AuthRequest {
    let purpose = Purpose::Prove(Proof::new(Evidence::Token(Secret::new(guess.as_bytes()))));
    AuthRequest { purpose, ..lookup(user) }
}

/// The salt that a chain tells of the user, as text.
async fn salt(chain: &Chain, user: &str) -> Option<String> {
    let question = SaltQuestion::new(ScramHash::Sha256);
    let purpose = Purpose::Salt(question.clone());
    let _ = chain.authenticate(&AuthRequest { purpose, ..lookup(user) }).await;
    question.told().map(|salt| String::from_utf8_lossy(&salt.bytes).into_owned())
}

/// The first source knows passwords only, the second one has keys.
fn chain() -> (Arc<Base>, Chain) {
    let first = Base::with(&[("ann", "a1", ""), ("both", "b1", "")]);
    first.passwords_only.store(true, Ordering::SeqCst);
    let second = Base::with(&[("bob", "b2", ""), ("both", "b2", "")]);
    let chain = Chain::new(vec![member("1", &first), member("2", &second)]);
    (first, chain)
}

#[tokio::test]
async fn a_proof_goes_to_the_source_that_has_the_user() {
    let (first, chain) = chain();
    let rows = [
        ("bob", "b2", "yes bob"),
        ("bob", "b1", "no not-verified"),
        // The first one has them, and can judge nothing but a password.
        ("ann", "a1", "no unsupported"),
        ("both", "b2", "no unsupported"),
        ("nobody", "x", "no unknown-user"),
    ];
    for (user, guess, expected) in rows {
        assert_eq!(ask(&chain, prove(user, guess)).await, expected, "{user} {guess}");
    }
    assert_eq!(chain.proofs(), Proofs::STORED);
    first.passwords_only.store(false, Ordering::SeqCst);
    assert_eq!(ask(&chain, prove("both", "b1")).await, "yes both");
}

#[tokio::test]
async fn a_salt_is_that_of_the_source_that_will_judge() {
    let (first, chain) = chain();
    for (user, expected) in [("bob", Some("b2")), ("ann", None), ("both", None), ("nobody", None)] {
        assert_eq!(salt(&chain, user).await.as_deref(), expected, "{user}");
    }
    first.passwords_only.store(false, Ordering::SeqCst);
    assert_eq!(salt(&chain, "both").await.as_deref(), Some("b1"));
}
