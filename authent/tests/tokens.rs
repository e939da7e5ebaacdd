//! Whose a token is, through the whole gateway: the issuer's name for a user is
//! mapped as a login is.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dmail_authent::access::AccessConfig;
use dmail_authent::cache::CacheConfig;
use dmail_authent::gateway::{Gateway, GatewayConfig};
use dmail_authent::mapping::Domains;
use dmail_authent::throttle::ThrottleConfig;
use dmail_core::config::{Selector, VirtualDomain};
use dmail_core::{
    Account, AuthRequest, Authenticator, Domain, Evidence, HashSpool, Origin, Proof, Proofs,
    Purpose, Rejection, Secret, Service, TokenIssuer, Unavailable, Username, Verdict,
};

/// Whatever a token says is the name of its user.
struct Issuer;

#[async_trait]
impl Authenticator for Issuer {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let Purpose::Prove(proof) = &request.purpose else { panic!("it is asked of tokens") };
        let named = Username::parse(proof.guess()).expect("a name");
        Ok(match proof.is_about(&named, user) {
            true => Verdict::accepted(Account::named(user.clone())),
            false => Verdict::Rejected(Rejection::not_verified(user)),
        })
    }

    fn proofs(&self) -> Proofs {
        Proofs::TOKENS
    }

    fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        Some(Arc::new(TokenIssuer { scope: Some("mail".into()), ..TokenIssuer::default() }))
    }
}

fn gateway(with_domain: bool) -> Gateway {
    let domain = |name| Domain::parse(name).expect("a domain");
    let vdomain = |prefix: &str, selector, name| VirtualDomain {
        prefix: prefix.into(),
        selector,
        domain: domain(name),
        drop_path: Path::new("/mail").join(prefix),
    };
    let config = GatewayConfig {
        domains: Domains {
            host_domains: vec![domain("main.example"), domain("also.example")],
            vdomains: vec![
                vdomain("abc", Selector::Suffix("/abc".into()), "abc.example"),
                vdomain("ip", Selector::Address([192, 0, 2, 1].into()), "ip.example"),
            ],
            separator: '_',
            with_domain,
            drop_path: "/mail".into(),
            drop_prefix: false,
            hash_spool: HashSpool::Flat,
            drop_roots: Vec::new(),
            utf8: false,
        },
        access: AccessConfig::default(),
        throttle: ThrottleConfig::default(),
        cache: CacheConfig::default(),
    };
    Gateway::new(Arc::new(Issuer), config)
}

/// Whether the token of `named` lets `login` in, at that address of ours.
async fn lets_in(gateway: &Gateway, login: &str, named: &str, local: &str) -> bool {
    let user = Username::parse(login.as_bytes()).expect("a name");
    let evidence = Evidence::Token(Secret::new(named.as_bytes()));
    let purpose = Purpose::Prove(Proof::new(evidence));
    let origin = Origin { local: local.parse().ok(), ..Origin::local(Service::Imap) };
    let request = AuthRequest { purpose, ..AuthRequest::lookup(user, origin) };
    let verdict = gateway.authenticate(&request).await.expect("an answer");
    matches!(verdict, Verdict::Accepted(_))
}

#[tokio::test]
async fn a_token_is_for_the_logins_that_its_name_would_be() {
    // The login, the name in the token, the address, and whether it is he.
    let rows = [
        ("ann", "ann@main.example", "", true),
        ("Ann@also.example", "ANN@main.example", "", true),
        ("ann", "ann", "", true),
        ("ann", "bob@main.example", "", false),
        ("ann", "ann@abc.example", "", false),
        ("ann", "ann@elsewhere.example", "", false),
        ("ann@abc.example", "ann@abc.example", "", true),
        ("ann/abc", "ann@abc.example", "", true),
        ("abc_ann", "ann@abc.example", "", true),
        ("ann@abc.example", "ann@main.example", "", false),
        ("ann@abc.example", "ann", "", false),
        // A name that reads like another domain's user is not one of ours.
        ("ann@abc.example", "abc_ann@main.example", "", false),
        // A name without a domain is the main domain's wherever it is shown.
        ("ann", "ann@ip.example", "192.0.2.1", true),
        ("ann", "ann", "192.0.2.1", false),
        ("ann", "ann@main.example", "192.0.2.1", false),
        ("ann@main.example", "ann", "192.0.2.1", true),
    ];
    for with_domain in [false, true] {
        let gateway = gateway(with_domain);
        for (login, named, local, expected) in rows {
            let found = lets_in(&gateway, login, named, local).await;
            assert_eq!(found, expected, "{login}, token of {named}, {local:?}, {with_domain}");
        }
    }
}

#[tokio::test]
async fn where_tokens_come_from_is_known_at_the_top() {
    let gateway = gateway(false);
    assert_eq!(gateway.proofs(), Proofs::TOKENS);
    let scope = gateway.token_issuer().and_then(|issuer| issuer.scope.clone());
    assert_eq!(scope.as_deref(), Some("mail"));
}
