//! Passwords that are shown without being told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dmail_core::{Evidence, Proof, Proofs, Purpose, SaltQuestion, ScramHash, Secret};

use super::super::*;
use super::base::{Base, ask, check, lookup, member};

fn prove(user: &str, guess: &str) -> AuthRequest {
    let (said, proof) = (Box::default(), guess.as_bytes().into());
    let evidence = Evidence::Scram { hash: ScramHash::Sha256, said, proof };
    AuthRequest { purpose: Purpose::Prove(Proof::new(evidence)), ..lookup(user) }
}

fn token(user: &str, token: &str) -> AuthRequest {
    let evidence = Evidence::Token(Secret::new(token.as_bytes()));
    AuthRequest { purpose: Purpose::Prove(Proof::new(evidence)), ..lookup(user) }
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

#[tokio::test]
async fn whether_there_is_a_salt_costs_the_same_questions() {
    let base = Base::with(&[("bob", "b1", "")]);
    let chain = Chain::new(vec![member("1", &base)]);
    for (user, asked) in [("bob", "salt:bob lookup:bob"), ("eve", "salt:eve lookup:eve")] {
        salt(&chain, user).await;
        assert_eq!(base.asked(), asked);
    }
}

/// Accounts in one source, and another one that judges their tokens; in either
/// order.
fn with_tokens(tokens_first: bool) -> (Arc<Base>, Arc<Base>, Chain) {
    let accounts = Base::with(&[("ann", "a1", "quota=\"9\""), ("bob", "b1", "")]);
    let issuer = Base::with(&[("ann", "ta", ""), ("eve", "te", "")]);
    issuer.tokens_only.store(true, Ordering::SeqCst);
    let mut verifying = Member { role: Role::Verify, ..member("tokens", &issuer) };
    verifying.verbs.lookup = None;
    let answering = member("accounts", &accounts);
    let members = match tokens_first {
        true => vec![verifying, answering],
        false => vec![answering, verifying],
    };
    (accounts, issuer, Chain::new(members))
}

#[tokio::test]
async fn tokens_are_judged_by_one_source_and_the_account_is_that_of_another() {
    for tokens_first in [true, false] {
        let (accounts, issuer, chain) = with_tokens(tokens_first);
        assert_eq!(chain.proofs(), Proofs { token: true, ..Proofs::STORED });
        let rows = [
            (token("ann", "ta"), "yes ann quota=\"9\"", "lookup:ann", "prove:ann"),
            (token("ann", "a1"), "no not-verified", "", "prove:ann"),
            // The token is right, and nobody has the account.
            (token("eve", "te"), "no unknown-user", "lookup:eve", "prove:eve"),
            // An account without tokens.
            (token("bob", "b1"), "no not-verified", "", "prove:bob"),
            (check("ann", "a1"), "yes ann quota=\"9\"", "check:ann", ""),
            (check("ann", "ta"), "no not-verified", "check:ann lookup:ann", ""),
            (prove("ann", "a1"), "yes ann quota=\"9\"", "prove:ann", ""),
            (lookup("eve"), "no unknown-user", "lookup:eve", ""),
        ];
        for (request, expected, by_accounts, by_issuer) in rows {
            let what = format!("{} {:?}", request.user, request.purpose);
            assert_eq!(ask(&chain, request).await, expected, "{what}");
            let asked = (accounts.asked(), issuer.asked());
            assert_eq!(asked, (by_accounts.to_owned(), by_issuer.to_owned()), "{what}");
        }
    }
}

#[tokio::test]
async fn neither_an_issuer_nor_a_user_base_that_is_down_is_a_wrong_token() {
    for tokens_first in [true, false] {
        let (accounts, issuer, chain) = with_tokens(tokens_first);
        issuer.down.store(true, Ordering::SeqCst);
        assert_eq!(ask(&chain, token("ann", "ta")).await, "later");
        assert_eq!(ask(&chain, check("ann", "a1")).await, "yes ann quota=\"9\"");
        issuer.down.store(false, Ordering::SeqCst);
        accounts.down.store(true, Ordering::SeqCst);
        assert_eq!(ask(&chain, token("ann", "ta")).await, "later");
        assert_eq!(ask(&chain, token("ann", "wrong")).await, "no not-verified");
    }
}
