//! Who may log in where, and whose mail is taken.

use std::net::IpAddr;

use dmail_core::config::{LoginPolicy, MailPolicy};
use dmail_core::{
    Evidence, Info, Origin, Proof, RejectionKind, ScramHash, Secret, Transport, Username,
};

use super::*;

/// Knows everybody, with the password "right" and these info fields.
struct Base(Info);

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        Ok(match &request.purpose {
            Purpose::Check(secret) if secret.expose() != b"right" => {
                Verdict::Rejected(Rejection::not_verified(&request.user))
            }
            _ => Verdict::accepted(Account {
                info: self.0.clone(),
                ..Account::named(request.user.clone())
            }),
        })
    }
}

fn access(info: &str, config: AccessConfig) -> Access {
    Access::new(Arc::new(Base(info.parse().expect("info"))), config)
}

fn config() -> AccessConfig {
    let group = |name: &str, services: &str, addresses: &str| AccessGroup {
        name: name.into(),
        rule: dmail_core::config::AccessRule::parse(services, addresses).expect("a rule"),
    };
    AccessConfig {
        states: vec![StateRule {
            state: "holiday".into(),
            login: LoginPolicy::Allow,
            mail: MailPolicy::Later,
            text: "on holiday".into(),
        }],
        groups: vec![
            group("webonly", "web", "*"),
            group("webonly", "pop3,smtp", "192.0.2.20"),
            group("office", "*", "192.0.2.0/24,2001:db8::/32"),
        ],
        default_groups: None,
        plaintext: None,
    }
}

fn origin(service: Service, client: &str) -> Origin {
    Origin { client: client.parse::<IpAddr>().ok(), ..Origin::local(service) }
}

/// What came of it, and what the client may be told.
type Judged = Result<(), (RejectionKind, Option<String>)>;

async fn judged(access: &Access, request: &AuthRequest) -> Judged {
    match access.authenticate(request).await.expect("the base is there") {
        Verdict::Accepted(_) => Ok(()),
        Verdict::Rejected(rejection) => {
            Err((rejection.kind, rejection.told.as_deref().map(str::to_owned)))
        }
    }
}

async fn login(access: &Access, password: &str, origin: Origin) -> Judged {
    let user = Username::parse(b"bob").expect("a name");
    judged(access, &AuthRequest::check(user, Secret::new(password.as_bytes()), origin)).await
}

async fn mail(access: &Access, service: Service) -> Judged {
    let user = Username::parse(b"bob").expect("a name");
    judged(access, &AuthRequest::lookup(user, origin(service, "203.0.113.9"))).await
}

#[tokio::test]
async fn a_state_says_who_may_log_in_and_whose_mail_is_taken() {
    use RejectionKind::{Disabled, OnHold};
    let rows: &[(&str, Option<&str>, Option<RejectionKind>)] = &[
        ("", None, None),
        ("ok", None, None),
        ("Good", None, None),
        ("paydue", None, None),
        ("payup", Some("this account is locked until it is paid for"), None),
        ("SUSPENDED", Some("this account is suspended"), None),
        ("cancelled", Some("this account has been cancelled"), Some(Disabled)),
        ("banned", Some("this account has been banned"), Some(Disabled)),
        ("closed", Some("this account is closed"), Some(Disabled)),
        ("holiday", None, Some(OnHold)),
        ("closd", Some("this account cannot be used, please ask the postmaster"), None),
    ];
    for (state, refused, mail_refused) in rows {
        let access = access(&format!("mailstatus=\"{state}\""), config());
        let expected = refused.map_or(Ok(()), |text| Err((Disabled, Some(text.to_owned()))));
        let from = origin(Service::Pop3, "192.0.2.1");
        assert_eq!(login(&access, "right", from).await, expected, "{state}");
        let expected = mail_refused.map_or(Ok(()), |kind| Err((kind, None)));
        assert_eq!(mail(&access, Service::Smtp).await, expected, "{state}: mail");
        assert_eq!(mail(&access, Service::Imap).await, Ok(()), "{state}: no mail is meant");
        // Nobody learns of the state by guessing, and the administrator sees
        // every account.
        let wrong = Err((RejectionKind::NotVerified, None));
        assert_eq!(login(&access, "wrong", from).await, wrong, "{state}");
        assert_eq!(login(&access, "right", Origin::local(Service::Admin)).await, Ok(()));
        assert_eq!(mail(&access, Service::Admin).await, Ok(()));
    }
}

#[tokio::test]
async fn an_access_list_limits_services_and_networks() {
    let rows = [
        ("", Service::Pop3, "203.0.113.9", true),
        ("webonly", Service::Web, "203.0.113.9", true),
        ("webonly", Service::Pop3, "203.0.113.9", false),
        ("webonly", Service::Pop3, "192.0.2.20", true),
        ("WebOnly", Service::Imap, "192.0.2.20", false),
        ("webonly", Service::Line, "192.0.2.20", false),
        ("webonly,office", Service::Imap, "192.0.2.20", true),
        ("webonly office", Service::Imap, "2001:db8::7", true),
        ("webonly, office", Service::Imap, "2001:db9::7", false),
        ("office", Service::Pop3, "", false),
        ("nosuch", Service::Pop3, "192.0.2.20", false),
        ("nosuch office", Service::Pop3, "192.0.2.20", true),
        ("web:* pop3,smtp:192.0.2.20", Service::Web, "203.0.113.9", true),
        ("web:* pop3,smtp:192.0.2.20", Service::Smtp, "192.0.2.20", true),
        ("web:* pop3,smtp:192.0.2.20", Service::Smtp, "192.0.2.21", false),
        ("pop3:2001:db8::/32,10.0.0.0/8", Service::Pop3, "2001:db8::1", true),
        ("pop3:2001:db8::/32,10.0.0.0/8", Service::Pop3, "10.1.1.1", true),
        ("pop:*", Service::Pop3, "192.0.2.20", false),
        ("pop3:192.0.2.0/99", Service::Pop3, "192.0.2.20", false),
    ];
    for (list, service, client, allowed) in rows {
        let access = access(&format!("mailaccess=\"{list}\""), config());
        let told = "this account may not be used for this service from here".to_owned();
        let expected = if allowed { Ok(()) } else { Err((RejectionKind::NotAllowed, Some(told))) };
        let found = login(&access, "right", origin(service, client)).await;
        assert_eq!(found, expected, "{list:?} {service} {client}");
        assert_eq!(mail(&access, Service::Smtp).await, Ok(()), "mail is not limited");
    }
}

#[tokio::test]
async fn the_default_groups_are_those_of_users_without_a_list() {
    let config = AccessConfig { default_groups: Some(vec!["office".into()]), ..config() };
    for (info, client, allowed) in [
        ("", "192.0.2.1", true),
        ("", "203.0.113.9", false),
        ("mailaccess=\"pop3:*\"", "203.0.113.9", true),
    ] {
        let access = access(info, config.clone());
        let found = login(&access, "right", origin(Service::Pop3, client)).await;
        assert_eq!(found.is_ok(), allowed, "{info} {client}");
    }
}

#[tokio::test]
async fn a_password_in_clear_text_is_refused_before_anybody_looks_at_it() {
    let list = |text: &str| dmail_core::pattern::AddressList::parse(text).expect("a list");
    let config = AccessConfig { plaintext: Some(list("10.0.0.0/8,!10.9.0.0/16")), ..config() };
    let access = access("", config);
    let rows = [
        (Transport::Insecure, "203.0.113.9", false),
        (Transport::Insecure, "10.1.2.3", true),
        (Transport::Insecure, "10.9.2.3", false),
        (Transport::Insecure, "127.0.0.1", true),
        (Transport::Insecure, "::1", true),
        (Transport::Insecure, "", false),
        (Transport::Secured, "203.0.113.9", true),
        (Transport::Tls, "203.0.113.9", true),
        (Transport::TlsClientCert, "203.0.113.9", true),
        // Nobody said, so it is not held against the client.
        (Transport::Unknown, "203.0.113.9", true),
    ];
    let told = "this login needs an encrypted connection".to_owned();
    let refused = Err((RejectionKind::NotAllowed, Some(told)));
    for (transport, client, allowed) in rows {
        let from = Origin { transport, ..origin(Service::Imap, client) };
        // A wrong password reads the same: it was not looked at.
        for (password, verdict) in
            [("right", Ok(())), ("wrong", Err((RejectionKind::NotVerified, None)))]
        {
            let expected = if allowed { verdict } else { refused.clone() };
            let found = login(&access, password, from).await;
            assert_eq!(found, expected, "{password} from {client:?}, {transport:?}");
        }
        let admin = Origin { service: Service::Admin, ..from };
        assert_eq!(login(&access, "right", admin).await, Ok(()));
        // What tells nobody a password is no matter of the connection.
        let user = Username::parse(b"bob").expect("a name");
        let scram = Evidence::Scram {
            hash: ScramHash::Sha256,
            said: (*b"said").into(),
            proof: (*b"proof").into(),
        };
        // A token can be used by whoever reads it.
        let token = Evidence::Token(Secret::new(*b"token"));
        for (evidence, allowed) in [(scram, true), (token, allowed)] {
            let (user, purpose) = (user.clone(), Purpose::Prove(Proof::new(evidence)));
            let request = AuthRequest { user, purpose, origin: from, trace: None };
            let expected = if allowed { Ok(()) } else { refused.clone() };
            assert_eq!(judged(&access, &request).await, expected);
        }
    }
    let everybody =
        self::access("", AccessConfig { plaintext: Some(list("*")), ..AccessConfig::default() });
    let from = Origin { transport: Transport::Insecure, ..origin(Service::Imap, "") };
    assert_eq!(login(&everybody, "right", from).await, Ok(()));
}
