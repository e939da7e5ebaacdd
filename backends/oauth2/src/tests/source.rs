//! The source as the gateway asks it.

use std::fs;

use dmail_core::{
    AuthRequest, Authenticator, Evidence, Origin, Proof, Proofs, Purpose, SaltQuestion, ScramHash,
    Secret, Service, Username, Verdict,
};
use tempfile::TempDir;

use super::issuer::{Does, Issuer, Signer, list};

fn name(text: &str) -> Username {
    Username::parse(text.as_bytes()).expect("a name")
}

fn token(token: &str) -> Proof {
    Proof::new(Evidence::Token(Secret::new(token.as_bytes())))
}

fn request(user: &str, purpose: Purpose) -> AuthRequest {
    AuthRequest { purpose, ..AuthRequest::lookup(name(user), Origin::local(Service::Imap)) }
}

/// The answer: `yes NAME`, `no KIND`, or `later KIND`.
async fn ask(source: &dyn Authenticator, request: AuthRequest) -> String {
    match source.authenticate(&request).await {
        Ok(Verdict::Accepted(account)) => format!("yes {}", account.name),
        Ok(Verdict::Rejected(no)) => format!("no {}", no.kind.id()),
        Err(error) => format!("later {}", error.kind.id()),
    }
}

/// A source with these lines, beside a list of this signer's keys.
fn source(signer: &Signer, lines: &str) -> (TempDir, std::sync::Arc<dyn Authenticator>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("jwks"), list(&[signer])).expect("room");
    let file = folder.path().join("oauth2.ini");
    let common = "issuer https://id.example\naudience mail\n";
    fs::write(&file, format!("{common}{lines}")).expect("room");
    let source = crate::open(&file).expect("sound lines");
    (folder, source)
}

const BOB: &str = r#""iss": "https://id.example", "aud": "mail", "email": "Bob@corp.example""#;

#[tokio::test]
async fn a_token_lets_its_own_user_in() {
    let signer = Signer::new("a");
    let (_folder, source) = source(&signer, "jwks_file jwks\n");
    let bobs = signer.token(BOB);
    let prove = |user: &str, proof| request(user, Purpose::Prove(proof));
    assert_eq!(
        ask(&*source, prove("bob@corp.example", token(&bobs))).await,
        "yes bob@corp.example"
    );
    assert_eq!(ask(&*source, prove("ann@corp.example", token(&bobs))).await, "no not-verified");
    assert_eq!(ask(&*source, prove("bob", token(&bobs))).await, "no not-verified");
    // As the mapping knows him.
    let mapped = token(&bobs);
    mapped.know_asker(|named| named.as_str().eq_ignore_ascii_case("bob@corp.example"));
    assert_eq!(ask(&*source, prove("abc_bob", mapped)).await, "yes abc_bob");
    let forged = Signer::new("a").token(BOB);
    let bob = "bob@corp.example";
    assert_eq!(ask(&*source, prove(bob, token(&forged))).await, "no not-verified");
    let foreign = signer.token(&BOB.replace("id.example", "else.example"));
    assert_eq!(ask(&*source, prove(bob, token(&foreign))).await, "no unknown-user");
    assert_eq!(ask(&*source, prove(bob, token("opaque"))).await, "no not-verified");
}

#[tokio::test]
async fn it_knows_tokens_and_nothing_else() {
    let signer = Signer::new("a");
    let (_folder, source) = source(&signer, "jwks_file jwks\nscope mail imap\n");
    assert_eq!(source.proofs(), Proofs::TOKENS);
    let issuer = source.token_issuer().expect("one");
    assert_eq!(issuer.scope.as_deref(), Some("mail imap"));
    let scram =
        Evidence::Scram { hash: ScramHash::Sha256, said: Box::default(), proof: Box::default() };
    for purpose in [
        Purpose::Check(Secret::new(signer.token(BOB).into_bytes())),
        Purpose::Lookup,
        Purpose::Salt(SaltQuestion::new(ScramHash::Sha256)),
        Purpose::Prove(Proof::new(scram)),
    ] {
        let what = format!("{purpose:?}");
        assert_eq!(ask(&*source, request("bob", purpose)).await, "no unsupported", "{what}");
    }
}

#[tokio::test]
async fn the_name_in_a_signed_token_can_be_read() {
    let signer = Signer::new("a");
    let (_folder, source) = source(&signer, "jwks_file jwks\n");
    let issuer = source.token_issuer().expect("one");
    let named = issuer.named.as_ref().expect("a reader");
    let read = |token: &str| named(&Secret::new(token.as_bytes())).map(|name| name.to_string());
    assert_eq!(read(&signer.token(BOB)).as_deref(), Some("Bob@corp.example"));
    assert_eq!(read(&signer.token(&BOB.replace("id.example", "else.example"))), None);
    assert_eq!(read("opaque"), None);
}

#[tokio::test]
async fn keys_from_everywhere_are_tried_before_anybody_is_refused() {
    let (here, there) = (Signer::new("a"), Signer::new("b"));
    let issuer = Issuer::start(Does::Answers(200, list(&[&there]))).await;
    let lines = format!("jwks_file jwks\njwks_url {}\n", issuer.url());
    let (_folder, source) = source(&here, &lines);
    let bob =
        |signer: &Signer| request("bob@corp.example", Purpose::Prove(token(&signer.token(BOB))));
    assert_eq!(ask(&*source, bob(&here)).await, "yes bob@corp.example");
    assert_eq!(ask(&*source, bob(&there)).await, "yes bob@corp.example");
    assert_eq!(ask(&*source, bob(&Signer::new("c"))).await, "no not-verified");
    source.close().await;
}

#[tokio::test]
async fn which_tokens_the_issuer_is_asked_about_is_a_setting() {
    let signer = Signer::new("a");
    let active = r#"{"active": true, "email": "bob@corp.example", "aud": "mail"}"#;
    let issuer = Issuer::start(Does::Answers(200, active.into())).await;
    let lines = format!("jwks_file jwks\nintrospection_url {}\nremember 0\n", issuer.url());
    let (_one, by_keys) = source(&signer, &lines);
    let (_other, both) = source(&signer, &format!("{lines}introspect all\n"));
    let bob = |shown: &str| request("bob@corp.example", Purpose::Prove(token(shown)));
    let signed = signer.token(BOB);
    // The source, the token, the answer, and how often the issuer was asked.
    let rows = [
        (&by_keys, "opaque", "yes bob@corp.example", 1),
        (&by_keys, &signed, "yes bob@corp.example", 0),
        (&both, &signed, "yes bob@corp.example", 1),
        (&both, &Signer::new("a").token(BOB), "no not-verified", 0),
    ];
    for (source, shown, expected, asked) in rows {
        assert_eq!(ask(&**source, bob(shown)).await, expected);
        assert_eq!(issuer.heard().len(), asked);
    }
    issuer.does(Does::Answers(200, r#"{"active": false}"#.into()));
    assert_eq!(ask(&*both, bob(&signed)).await, "no not-verified", "it was revoked");
    drop(issuer);
    tokio::task::yield_now().await;
    assert_eq!(ask(&*by_keys, bob(&signed)).await, "yes bob@corp.example");
    assert!(ask(&*both, bob(&signed)).await.starts_with("later"));
}
