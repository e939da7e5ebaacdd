//! What the whole gateway answers from memory alone, and what it must not.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use dmail_authent::access::AccessConfig;
use dmail_authent::cache::CacheConfig;
use dmail_authent::gateway::{Gateway, GatewayConfig};
use dmail_authent::mapping::Domains;
use dmail_authent::throttle::ThrottleConfig;
use dmail_core::pattern::AddressList;
use dmail_core::{
    Account, Action, AuthRequest, Authenticator, Change, Domain, HashSpool, Origin, Outcome,
    Rejection, Secret, Service, Trace, Transport, Unavailable, Username, Verdict,
};

/// Everybody's password is "right"; `closed` is suspended.
struct Base;

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        match &request.purpose {
            dmail_core::Purpose::Check(secret) if secret.expose() != b"right" => {
                Ok(Verdict::Rejected(Rejection::not_verified(&request.user)))
            }
            _ => {
                let mut account = Account::named(request.user.clone());
                if request.user.as_str() == "closed" {
                    account.info.set("mailstatus", "suspended").expect("a field");
                }
                Ok(Verdict::accepted(account))
            }
        }
    }

    async fn change(&self, _: &Change) -> Result<Outcome, Unavailable> {
        Ok(Outcome::Done("changed".into()))
    }
}

fn gateway() -> Gateway {
    let domains = Domains {
        host_domains: vec![Domain::parse("example.com").expect("a domain")],
        vdomains: Vec::new(),
        separator: '_',
        with_domain: false,
        drop_path: PathBuf::from("/mail"),
        drop_prefix: false,
        hash_spool: HashSpool::Flat,
        drop_roots: Vec::new(),
        utf8: false,
    };
    let config = GatewayConfig {
        domains,
        access: AccessConfig {
            plaintext: Some(AddressList::parse("127.0.0.1").expect("a list")),
            ..AccessConfig::default()
        },
        throttle: ThrottleConfig { refuse_after: 8, ..ThrottleConfig::default() },
        cache: CacheConfig::default(),
    };
    Gateway::new(Arc::new(Base), config)
}

fn name(user: &str) -> Username {
    Username::parse(user.as_bytes()).expect("a name")
}

fn from(client: &str) -> Origin {
    let client = Some(client.parse().expect("an address"));
    Origin { client, ..Origin::local(Service::Pop3) }
}

fn check(user: &str, password: &str, client: &str) -> AuthRequest {
    AuthRequest::check(name(user), Secret::new(password.as_bytes()), from(client))
}

#[tokio::test(start_paused = true)]
async fn memory_accepts_what_was_verified_and_says_nothing_else() {
    let gateway = gateway();
    let login = check("bob", "right", "192.0.2.1");
    assert!(gateway.recall(&login).is_none(), "nobody has been asked yet");
    gateway.authenticate(&login).await.expect("the base is there");
    gateway.authenticate(&check("closed", "right", "192.0.2.1")).await.expect("the base is there");

    let account = gateway.recall(&login).expect("it was verified");
    assert_eq!(account.drop, dmail_core::DropPath::File("/mail/bob".into()));
    for same in ["BOB", "bob@example.com"] {
        let account = gateway.recall(&check(same, "right", "192.0.2.1")).expect(same);
        assert_eq!(account.name.as_str(), "bob");
    }
    let explained = AuthRequest { trace: Some(Arc::new(Trace::default())), ..login.clone() };
    let in_clear = Origin { transport: Transport::Insecure, ..login.origin };
    let in_clear = AuthRequest { origin: in_clear, ..login.clone() };
    for (request, why) in [
        (in_clear, "a password in clear text"),
        (check("bob", "wrong", "192.0.2.1"), "a wrong password"),
        (check("bob", "", "192.0.2.1"), "an empty password"),
        (check("ann", "right", "192.0.2.1"), "a user who was not asked about"),
        (check("bob@elsewhere.example", "right", "192.0.2.1"), "another domain"),
        (check("closed", "right", "192.0.2.1"), "a suspended account"),
        (explained, "an explained request"),
    ] {
        assert!(gateway.recall(&request).is_none(), "{why}");
    }

    let action = Action::Set { secret: Some(Secret::new(*b"new")), info: None };
    let change = Change { user: name("bob"), action, origin: Origin::local(Service::Admin) };
    gateway.change(&change).await.expect("the base is there");
    assert!(gateway.recall(&login).is_none(), "after a change the base is asked");
}

#[tokio::test(start_paused = true)]
async fn memory_counts_no_guess_and_lets_nobody_past_the_limit() {
    let gateway = gateway();
    gateway.authenticate(&check("bob", "right", "203.0.113.7")).await.expect("the base is there");
    let before = gateway.throttle().list().len();
    for guess in 0..100 {
        assert!(gateway.recall(&check("bob", &format!("guess{guess}"), "192.0.2.9")).is_none());
    }
    assert_eq!(gateway.throttle().list().len(), before, "what was not asked is no guess");
    let stale = check("ann", "old", "192.0.2.10");
    gateway.authenticate(&stale).await.expect("the base is there");
    let counted = gateway.throttle().list();
    assert!(gateway.recall(&stale).is_none());
    assert_eq!(gateway.throttle().list().len(), counted.len(), "what was asked stays one");

    for guess in 0..8 {
        let client = format!("198.51.{guess}.1");
        let guess = check("bob", &format!("guess{guess}"), &client);
        gateway.authenticate(&guess).await.expect("the base is there");
    }
    assert!(gateway.recall(&check("bob", "right", "192.0.2.9")).is_none(), "over the limit");
    assert!(gateway.recall(&check("bob", "right", "203.0.113.7")).is_some(), "the owner's place");
}

#[tokio::test(start_paused = true)]
async fn a_login_from_memory_makes_a_place_known() {
    let gateway = gateway();
    gateway.authenticate(&check("bob", "right", "192.0.2.1")).await.expect("the base is there");
    assert!(gateway.recall(&check("bob", "right", "203.0.113.7")).is_some());
    for guess in 0..8 {
        let client = format!("198.51.{guess}.1");
        let guess = check("bob", &format!("guess{guess}"), &client);
        gateway.authenticate(&guess).await.expect("the base is there");
    }
    let login = check("bob", "right", "203.0.113.7");
    assert!(matches!(gateway.authenticate(&login).await, Ok(Verdict::Accepted(_))));
}
