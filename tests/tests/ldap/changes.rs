//! `set`, `del` and `search`.

use dmail_core::RejectionKind;
use dmail_tests::peer::slapd::{self, LdapOptions, Slapd};

use crate::kit::{self, BY_DN, BY_UID, Came};

const WRITES: &str = "ldap_readonly false\nldap_connections 1\nldap_new_dn uid=%n,ou=people,dc=corp,dc=example\n\
                      ldap_new_attr cn %n\nldap_new_attr sn Mr %n\nldap_info displayName name\n\
                      ldap_attr_forward description\n";

#[tokio::test]
async fn users_are_added_changed_and_deleted() {
    let slapd = Slapd::with_users(3);
    let urls = [slapd.url()];
    for (mode, method) in [
        (BY_UID, "ldap_set_method exop\n"),
        (BY_DN, "ldap_set_method exop\n"),
        (BY_UID, "ldap_set_method replace\nldap_scheme ssha\n"),
        (BY_DN, "ldap_set_method replace\nldap_scheme sha512-crypt\n"),
    ] {
        let source = kit::writer(&urls, &format!("{mode}{method}{WRITES}")).await;
        source.set("new", Some("first"), Some(r#"name="New One""#)).await.expect("added");
        assert!(slapd.lets_in(&slapd::dn("new"), "first"), "{mode}{method}");
        let account = source.account("new", "first").await;
        assert_eq!(account.info.to_string(), r#"name="New One""#);

        source.set("new", Some("sec\u{f6}nd p,w"), None).await.expect("a new password");
        assert_eq!(source.check("new", "first").await, Came::No(RejectionKind::NotVerified));
        let account = source.account("new", "sec\u{f6}nd p,w").await;
        assert_eq!(account.info.to_string(), r#"name="New One""#, "info is kept");

        source.set("new", None, Some(r#"fwd="a@far.example""#)).await.expect("new info");
        let account = source.account("new", "sec\u{f6}nd p,w").await;
        assert_eq!(account.info.to_string(), r#"fwd="a@far.example""#, "info is replaced");

        let stored = slapd.search("(uid=new)", "userPassword");
        assert!(stored.contains("userPassword:: "), "{stored}");
        source.del("new").await.expect("deleted");
        assert_eq!(source.lookup("new").await, Came::No(RejectionKind::UnknownUser));
        let again = source.del("new").await.expect_err("nobody");
        assert_eq!(again.kind, RejectionKind::UnknownUser);
        let keep = source.set("new", None, Some("")).await.expect_err("nobody");
        assert_eq!(keep.kind, RejectionKind::UnknownUser);
    }
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused_with_the_reason() {
    let slapd = Slapd::with_users(2);
    let urls = [slapd.url()];
    let refused = async |source: kit::Source, name: &str, password, info| {
        source.set(name, password, info).await.expect_err("refused")
    };

    let readonly = kit::writer(&urls, BY_UID).await;
    assert!(readonly.del("user0").await.expect_err("refused").text.contains("ldap_readonly"));

    let writes = format!("{BY_UID}ldap_readonly false\n");
    let source = kit::reader(&urls, &writes).await;
    let rejection = refused(source, "user0", Some("x"), None).await;
    assert_eq!(rejection.kind, RejectionKind::NotAllowed, "{}", rejection.text);
    assert!(rejection.text.contains("ldap_bind_dn"), "{}", rejection.text);

    let source = kit::writer(&urls, &writes).await;
    let rejection = refused(source, "new", Some("x"), None).await;
    assert!(rejection.text.contains("ldap_new_dn"), "{}", rejection.text);

    let source = kit::writer(&urls, &writes).await;
    let rejection = refused(source, "user0", None, Some(r#"colour="red""#)).await;
    assert!(rejection.text.contains("ldap_info"), "{}", rejection.text);

    let source = kit::writer(&urls, &format!("{writes}ldap_info shoeSize shoe\n")).await;
    assert_eq!(source.check("user0", "secret0").await, Came::Yes, "reading goes on without it");
    let rejection = refused(source, "user0", None, Some(r#"shoe="42""#)).await;
    assert!(rejection.text.contains("knows no attribute shoeSize"), "{}", rejection.text);

    // Without the attributes that inetOrgPerson asks for.
    let lacks = format!("{writes}ldap_new_dn uid=%n,ou=people,dc=corp,dc=example\n");
    let source = kit::writer(&urls, &lacks).await;
    let rejection = refused(source, "new", Some("x"), None).await;
    assert_eq!(rejection.kind, RejectionKind::BadInput);
    assert!(rejection.text.contains("code 65"), "{}", rejection.text);
}

#[tokio::test]
async fn a_list_is_paged_and_its_pattern_is_no_syntax() {
    let entries = slapd::user("ann", "x", "displayName: Ann\n");
    let slapd = Slapd::start(&LdapOptions { users: 2_000, entries, ..LdapOptions::default() });
    let source =
        kit::reader(&[slapd.url()], &format!("{BY_UID}ldap_info displayName name\n")).await;
    for (pattern, hits) in [
        ("*", 2_001),
        ("user", 2_000),
        ("user199*", 11),
        ("USER199?", 10),
        ("ann", 1),
        ("nn", 1),
        ("*)(uid=*", 0),
        ("an*)", 0),
        (r"\61nn", 0),
    ] {
        let found = source.search(pattern, 0, None).await;
        assert_eq!(found.hits.len(), hits, "{pattern}");
    }
    let ann = source.search("ann", 0, None).await;
    assert_eq!(ann.hits[0].info.to_string(), r#"name="Ann""#);
    let all = source.search("user*", 0, None).await;
    let part = source.search("user*", 600, Some(50)).await;
    assert_eq!(part.hits, all.hits[600..650]);
    assert!(source.search("user*", 5_000, Some(50)).await.hits.is_empty());

    let domain = kit::reader(&[slapd.url()], "ldap_domain corp.example\n").await;
    let found = domain.search("*99", 0, None).await;
    assert!(found.hits.iter().any(|hit| hit.user.as_str() == "user1999"), "{:?}", found.hits);
    assert_eq!(found.hits.len(), 20);
}
