//! Passwords that are shown without being told, through the whole gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use dmail_authent::access::AccessConfig;
use dmail_authent::cache::CacheConfig;
use dmail_authent::gateway::{Gateway, GatewayConfig};
use dmail_authent::mapping::Domains;
use dmail_authent::throttle::ThrottleConfig;
use dmail_core::{
    Account, AuthRequest, Authenticator, Domain, Evidence, HashSpool, Origin, Proof, Proofs,
    Purpose, Rejection, RejectionKind, Salt, SaltQuestion, ScramHash, Secret, Service, Unavailable,
    UnavailableKind, Username, Verdict,
};

/// Knows bob, who has keys, and sue, who is suspended; "down" is not decided, and
/// of "mute" it says yes and no more.
/// A proof is right if it is "right".
#[derive(Default)]
struct Base {
    proofs: AtomicUsize,
    salts: AtomicUsize,
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let known = match user.as_str() {
            "bob" | "mute" | "sue" => true,
            "down" => return Err(Unavailable::new(UnavailableKind::Dead, "down")),
            _ => false,
        };
        let right = match &request.purpose {
            Purpose::Check(secret) => secret.expose() == b"right",
            Purpose::Lookup => true,
            Purpose::Prove(proof) => {
                self.proofs.fetch_add(1, Ordering::SeqCst);
                if proof.guess() == b"right" && user.as_str() != "mute" {
                    proof.sign(*b"signature");
                }
                proof.guess() == b"right"
            }
            Purpose::Salt(question) => {
                self.salts.fetch_add(1, Ordering::SeqCst);
                if known && user.as_str() != "mute" {
                    question.tell(Salt { bytes: (*b"salt of bob's ok").into(), iterations: 4096 });
                }
                true
            }
        };
        if !known || !right {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        }
        let mut account = Account::named(user.clone());
        if user.as_str() == "sue" {
            account.info.set("mailstatus", "suspended").expect("a field");
        }
        Ok(Verdict::accepted(account))
    }

    fn proofs(&self) -> Proofs {
        Proofs::STORED
    }
}

fn gateway(refuse_after: usize) -> (Arc<Base>, Gateway) {
    let base = Arc::new(Base::default());
    let config = GatewayConfig {
        domains: Domains {
            host_domains: vec![Domain::parse("main.example").expect("a domain")],
            vdomains: Vec::new(),
            separator: '_',
            with_domain: false,
            drop_path: "/mail".into(),
            drop_prefix: false,
            hash_spool: HashSpool::Flat,
            drop_roots: Vec::new(),
            utf8: false,
        },
        access: AccessConfig::default(),
        throttle: ThrottleConfig { refuse_after, ..ThrottleConfig::default() },
        cache: CacheConfig::default(),
    };
    let source = Arc::clone(&base) as Arc<dyn Authenticator>;
    (base, Gateway::new(source, config))
}

fn request(user: &str, purpose: Purpose) -> AuthRequest {
    let user = Username::parse(user.as_bytes()).expect("a name");
    let client = "192.0.2.7".parse().ok();
    let origin = Origin { client, ..Origin::local(Service::Imap) };
    AuthRequest { user, purpose, origin, trace: None }
}

fn proof(text: &str) -> Purpose {
    Purpose::Prove(Proof::new(Evidence::Scram {
        hash: ScramHash::Sha256,
        said: (*b"said").into(),
        proof: text.as_bytes().into(),
    }))
}

async fn salt(gateway: &Gateway, user: &str) -> Result<Salt, Unavailable> {
    let question = SaltQuestion::new(ScramHash::Sha256);
    let request = request(user, Purpose::Salt(question.clone()));
    assert!(gateway.recall(&request).is_none());
    let verdict = gateway.authenticate(&request).await?;
    assert!(matches!(verdict, Verdict::Accepted(_)), "{user}: {verdict:?}");
    Ok(question.told().expect("a salt").clone())
}

/// The kind of "no", if it is one.
async fn judged(gateway: &Gateway, user: &str, purpose: Purpose) -> Option<RejectionKind> {
    let verdict = gateway.authenticate(&request(user, purpose)).await;
    match verdict.expect("the base is there") {
        Verdict::Accepted(_) => None,
        Verdict::Rejected(rejection) => Some(rejection.kind),
    }
}

#[tokio::test]
async fn everybody_has_a_salt_and_always_the_same() {
    let (base, gateway) = gateway(30);
    let bobs = salt(&gateway, "bob").await.expect("a salt");
    assert_eq!((&*bobs.bytes, bobs.iterations), (&b"salt of bob's ok"[..], 4096));
    assert_eq!(salt(&gateway, "BOB@main.example").await, Ok(bobs));
    let eves = salt(&gateway, "eve").await.expect("a salt");
    assert_eq!(salt(&gateway, "Eve@main.example").await, Ok(eves.clone()));
    // Nobody is asked about a foreign domain.
    let foreign = salt(&gateway, "eve@elsewhere.example").await.expect("a salt");
    assert_eq!(salt(&gateway, "eve@elsewhere.example").await, Ok(foreign.clone()));
    assert!(foreign != eves);
    assert_eq!(base.salts.load(Ordering::SeqCst), 4);
    let down = salt(&gateway, "down").await.map_err(|error| error.kind);
    assert_eq!(down, Err(UnavailableKind::Dead));
    assert_eq!(gateway.proofs(), Proofs::STORED);
}

#[tokio::test]
async fn another_server_learns_which_salt_is_made_up_and_instead_of_what() {
    let (_, gateway) = gateway(30);
    let rows = [
        ("bob", None),
        ("eve", Some(RejectionKind::NotVerified)),
        ("eve@elsewhere.example", Some(RejectionKind::UnknownUser)),
    ];
    for (user, expected) in rows {
        let question = SaltQuestion::new(ScramHash::Sha256);
        let request = request(user, Purpose::Salt(question.clone()));
        assert!(gateway.authenticate(&request).await.is_ok(), "{user}");
        assert_eq!(question.made_up().map(|no| no.kind), expected, "{user}");
    }
}

#[tokio::test]
async fn nothing_that_is_remembered_lets_a_proof_in() {
    let (base, gateway) = gateway(30);
    let right = || Purpose::Check(Secret::new(*b"right"));
    for purpose in [right(), Purpose::Lookup] {
        assert_eq!(judged(&gateway, "bob", purpose).await, None);
    }
    assert!(gateway.recall(&request("bob", right())).is_some(), "the password is remembered");
    for text in ["right", "wrong"] {
        assert!(gateway.recall(&request("bob", proof(text))).is_none(), "{text}");
    }
    for (at, text) in ["right", "wrong", "right"].into_iter().enumerate() {
        let expected = (text == "wrong").then_some(RejectionKind::NotVerified);
        assert_eq!(judged(&gateway, "bob", proof(text)).await, expected);
        assert_eq!(base.proofs.load(Ordering::SeqCst), at + 1, "it was asked");
    }
    // A wrong proof takes nothing from memory, either.
    assert!(gateway.recall(&request("bob", right())).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_proof_is_a_guess_and_a_right_one_a_login() {
    let (base, gateway) = gateway(3);
    for guess in ["a", "b", "c"] {
        assert_eq!(judged(&gateway, "bob", proof(guess)).await, Some(RejectionKind::NotVerified));
    }
    assert_eq!(judged(&gateway, "bob", proof("d")).await, Some(RejectionKind::Throttled));
    let password = Purpose::Check(Secret::new(*b"right"));
    assert_eq!(judged(&gateway, "bob", password).await, Some(RejectionKind::Throttled));
    assert_eq!(base.proofs.load(Ordering::SeqCst), 3, "the last ones were not asked");
    // Salts are no guesses: whoever is refused learns nothing from them.
    assert!(salt(&gateway, "bob").await.is_ok());

    let (_, gateway) = self::gateway(3);
    assert_eq!(judged(&gateway, "bob", proof("right")).await, None);
    for guess in ["a", "b"] {
        assert_eq!(judged(&gateway, "bob", proof(guess)).await, Some(RejectionKind::NotVerified));
    }
    assert_eq!(judged(&gateway, "bob", proof("right")).await, None, "the place is known");
}

#[tokio::test]
async fn a_yes_without_a_salt_or_a_signature_is_a_fault() {
    let (_, gateway) = gateway(30);
    let question = Purpose::Salt(SaltQuestion::new(ScramHash::Sha256));
    for purpose in [question, proof("right")] {
        let answer = gateway.authenticate(&request("mute", purpose)).await;
        assert_eq!(answer.map_err(|error| error.kind), Err(UnavailableKind::Fault));
    }
    assert_eq!(judged(&gateway, "mute", proof("wrong")).await, Some(RejectionKind::NotVerified));
}

#[tokio::test]
async fn a_state_speaks_after_the_proof() {
    let (_, gateway) = gateway(30);
    assert!(salt(&gateway, "sue").await.is_ok());
    assert_eq!(judged(&gateway, "sue", proof("wrong")).await, Some(RejectionKind::NotVerified));
    let kind = judged(&gateway, "sue", proof("right")).await.expect("a no");
    assert!(matches!(kind, RejectionKind::OnHold | RejectionKind::Disabled), "{kind:?}");
}
