//! The three ways to prove a password, and what entries say.

use dmail_core::{DropPath, RejectionKind, Uid, UnavailableKind};
use dmail_tests::peer::slapd::{self, LdapOptions, Slapd};

use crate::kit::{self, BY_DN, BY_UID, Came};

const NOT_VERIFIED: Came = Came::No(RejectionKind::NotVerified);
const UNKNOWN: Came = Came::No(RejectionKind::UnknownUser);

#[tokio::test]
async fn every_mode_takes_the_right_password_only_among_10_000_users() {
    let slapd = Slapd::with_users(10_000);
    let urls = [slapd.url()];
    let compare = format!("{BY_UID}ldap_mode compare\n");
    // A directory that is bound to directly does not say who exists.
    for (settings, nobody) in
        [(BY_UID, UNKNOWN), (BY_DN, NOT_VERIFIED), (compare.as_str(), UNKNOWN)]
    {
        let source = kit::writer(&urls, settings).await;
        for number in [0, 1, 4711, 9_999] {
            let (name, password) = (format!("user{number}"), format!("secret{number}"));
            assert_eq!(source.check(&name, &password).await, Came::Yes, "{settings}{name}");
            assert_eq!(source.check(&name, "guess").await, NOT_VERIFIED, "{settings}{name}");
            let upper = name.to_uppercase();
            assert_eq!(source.check(&upper, &password).await, Came::Yes, "{settings}{upper}");
            assert_eq!(source.lookup(&name).await, Came::Yes, "{settings}{name}");
        }
        assert_eq!(source.check("nobody", "secret0").await, nobody, "{settings}");
        assert_eq!(source.lookup("nobody").await, UNKNOWN, "{settings}");
        assert_eq!(source.check("user0", "").await, NOT_VERIFIED, "{settings}");
    }
    let usual = kit::reader(&urls, "").await;
    assert_eq!(usual.check("user7@corp.example", "secret7").await, Came::Yes);
    assert_eq!(usual.check("user7", "secret7").await, UNKNOWN, "the name is the whole address");
    let domain = kit::reader(&urls, "ldap_domain corp.example\n").await;
    assert_eq!(domain.check("user7", "secret7").await, Came::Yes);
    assert_eq!(domain.check("user7@far.example", "secret7").await, UNKNOWN);
    let own = kit::reader(&urls, "ldap_filter (|(mail=%u)(uid=%n))\n").await;
    assert_eq!(own.check("user7@far.example", "secret7").await, Came::Yes);
}

/// RFC 4513 section 5.1.2: such a bind succeeds and proves nothing.
#[tokio::test]
async fn an_empty_password_is_refused_even_where_the_directory_takes_it() {
    let global = "allow bind_anon_cred bind_anon_dn".to_owned();
    let slapd = Slapd::start(&LdapOptions { users: 1, global, ..LdapOptions::default() });
    assert!(slapd.lets_in(&slapd::dn("user0"), ""), "this directory has the trap");
    for settings in [BY_DN, BY_UID, "ldap_search_name uid\nldap_mode compare\n"] {
        let source = kit::writer(&[slapd.url()], settings).await;
        assert_eq!(source.check("user0", "").await, NOT_VERIFIED, "{settings}");
        assert_eq!(source.check("nobody", "").await, NOT_VERIFIED, "{settings}");
    }
}

#[tokio::test]
async fn a_name_cannot_change_the_question() {
    let strange = r"a\2cou\3dpeople";
    let entries = format!(
        "dn: uid={strange},ou=people,{suffix}\nobjectClass: inetOrgPerson\nuid: a,ou=people\n\
         cn: a\nsn: a\nuserPassword: strange\n\n",
        suffix = slapd::SUFFIX
    );
    let slapd = Slapd::start(&LdapOptions { users: 10, entries, ..LdapOptions::default() });
    for settings in [BY_UID, BY_DN] {
        let source = kit::reader(&[slapd.url()], settings).await;
        for name in [
            "*",
            "user*",
            "*)(uid=*",
            "user0)(objectClass=*",
            "user0)",
            "(user0",
            r"user\30",
            r"user0\",
            r"user0\00",
            "user0,ou=people",
            "user0+cn=user0",
            "user0,ou=people,dc=corp,dc=example",
            "#757365723",
            "\"user0\"",
            "user0;x",
            "<user0>",
            "\u{ff55}ser0",
            "user\u{0660}",
            "user0\u{200b}",
        ] {
            let came = source.check(name, "secret0").await;
            assert!(matches!(came, Came::No(_)), "{settings}{name}: {came:?}");
            let came = source.lookup(name).await;
            assert!(matches!(came, Came::No(_)), "{settings}{name}: {came:?}");
        }
        assert_eq!(source.check("a,ou=people", "strange").await, Came::Yes, "{settings}");
    }
}

#[tokio::test]
async fn two_entries_are_nobody() {
    let both = slapd::user("twin1", "secret1", "mail: twin@corp.example\n")
        + &slapd::user("twin2", "secret2", "mail: twin@corp.example\n");
    let slapd = Slapd::start(&LdapOptions { users: 3, entries: both, ..LdapOptions::default() });
    let source = kit::reader(&[slapd.url()], "").await;
    for password in ["secret1", "secret2"] {
        assert_eq!(source.check("twin@corp.example", password).await, NOT_VERIFIED);
    }
    assert_eq!(source.lookup("twin@corp.example").await, NOT_VERIFIED);
    assert_eq!(source.check("twin1@corp.example", "secret1").await, Came::Yes);
    let all = kit::reader(&[slapd.url()], "ldap_filter (|(uid=%n)(uid=user*))\n").await;
    assert_eq!(all.check("user0", "secret0").await, NOT_VERIFIED, "three fit");
}

#[tokio::test]
async fn a_referral_is_no_entry_and_is_not_followed() {
    let suffix = slapd::SUFFIX;
    let entries = format!(
        "dn: ou=far,{suffix}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\n\
         ref: ldap://192.0.2.1/ou=far,{suffix}\n\n"
    );
    let slapd = Slapd::start(&LdapOptions { users: 2, entries, ..LdapOptions::default() });
    let urls = [slapd.url()];
    let source = kit::reader(&urls, BY_UID).await;
    assert_eq!(source.check("user1", "secret1").await, Came::Yes, "beside a referral");
    assert_eq!(source.check("nobody", "secret1").await, UNKNOWN);
    let far = "ldap_mode bind_dn\nldap_user_dn uid=%n,ou=far,dc=corp,dc=example\n";
    let source = kit::reader(&urls, far).await;
    let trouble = source.lookup("user1").await;
    assert_eq!(trouble, Came::Nothing(UnavailableKind::Fault));
    let came = source.check("user1", "secret1").await;
    assert!(matches!(came, Came::Nothing(UnavailableKind::Fault) | NOT_VERIFIED), "{came:?}");
}

#[tokio::test]
async fn entries_describe_accounts() {
    let ann = "objectClass: posixAccount\nuidNumber: 1000\ngidNumber: 1000\n\
               homeDirectory: /var/mail/ann\ndescription: a@far.example\n\
               departmentNumber: 5M\nemployeeType: suspended\ndisplayName: Ann Lee\n";
    let entries = slapd::user("ann", "secret", ann) + &slapd::user("bob", "secret", "");
    let slapd = Slapd::start(&LdapOptions { entries, ..LdapOptions::default() });
    let map = "ldap_attr_drop homeDirectory\nldap_attr_uid uidNumber\n\
               ldap_attr_forward description\nldap_attr_quota departmentNumber\n\
               ldap_attr_status employeeType\nldap_info displayName name\n";
    for mode in [BY_UID, BY_DN, "ldap_search_name uid\nldap_mode compare\n"] {
        let source = kit::writer(&[slapd.url()], &format!("{mode}{map}")).await;
        let ann = source.account("ann", "secret").await;
        assert_eq!(ann.drop, DropPath::File("/var/mail/ann".into()), "{mode}");
        assert_eq!(ann.uid, Some(Uid::Number(1000)), "{mode}");
        let info = r#"fwd="a@far.example" quota="5M" mailstatus="suspended" name="Ann Lee""#;
        assert_eq!(ann.info.to_string(), info, "{mode}");
        let bob = source.account("bob", "secret").await;
        assert_eq!((&bob.drop, &bob.uid), (&DropPath::Config, &None), "{mode}");
        assert!(bob.info.is_empty(), "{mode}");
    }
}

#[tokio::test]
async fn compare_knows_the_hashes_of_directories_and_says_so_if_not() {
    let crypt = "{CRYPT}$6$saltsalt$x47njgcaCejXz9qoaPwzQZnP2.9v7iEGceB26JfQhgm\
                 .XAwiGduSla2L8XFJbvsfB2X4SR7CDnzzuPjiFQGWa.";
    let entries = [
        slapd::user("ssha", "{SSHA}jWqjVmTCewIfVSi+GdGb5SE8upP40E7U", ""),
        slapd::user("crypt", crypt, ""),
        slapd::user("clear", "*clear-secret", ""),
        slapd::user("strange", "{ROT13}frperg", ""),
        slapd::user("two", "{ROT13}frperg", "userPassword: second-secret\n"),
    ];
    let entries = entries.concat();
    let slapd = Slapd::start(&LdapOptions { entries, ..LdapOptions::default() });
    let settings = format!("{BY_UID}ldap_mode compare\nldap_scheme ssha256\n");
    let source = kit::writer(&[slapd.url()], &settings).await;
    for (name, password) in [
        ("ssha", "ssha-secret"),
        ("crypt", "crypt-secret"),
        ("clear", "*clear-secret"),
        ("two", "second-secret"),
    ] {
        assert_eq!(source.check(name, password).await, Came::Yes, "{name}");
    }
    for name in ["ssha", "crypt", "clear"] {
        assert_eq!(source.check(name, "guess").await, NOT_VERIFIED, "{name}");
    }
    assert_eq!(source.check("clear", "clear-secret").await, NOT_VERIFIED, "the * is a part of it");
    let trouble = source.trouble("strange", "secret").await;
    assert_eq!(trouble.kind, UnavailableKind::Record);
    let text = trouble.to_string();
    assert!(text.contains("strange") && text.contains("ldap_attr_password"), "{text}");
    assert!(!text.contains("frperg"), "{text}");
    let blind = kit::reader(&[slapd.url()], &settings).await;
    assert_eq!(blind.trouble("ssha", "ssha-secret").await.kind, UnavailableKind::Fault);
}

#[tokio::test]
async fn a_locked_account_is_told_from_a_wrong_password() {
    let suffix = slapd::SUFFIX;
    let policy = format!(
        "dn: cn=policy,{suffix}\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\n\
         cn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 3\n\n"
    );
    let entries = policy + &slapd::user("ann", "secret", "");
    let settings =
        format!("overlay ppolicy\nppolicy_default \"cn=policy,{suffix}\"\nppolicy_use_lockout\n");
    let slapd = Slapd::start(&LdapOptions { entries, settings, ..LdapOptions::default() });
    for mode in [BY_UID, BY_DN] {
        let source = kit::reader(&[slapd.url()], mode).await;
        source
            .until("the account is locked", "ann", "guess", Came::No(RejectionKind::NotAllowed))
            .await;
        assert_eq!(source.check("ann", "secret").await, Came::No(RejectionKind::NotAllowed));
        let unaware = kit::reader(&[slapd.url()], &format!("{mode}ldap_ppolicy false\n")).await;
        assert_eq!(unaware.check("ann", "secret").await, NOT_VERIFIED, "{mode}");
    }
}

#[tokio::test]
async fn the_decoy_lets_nobody_in() {
    let entries = slapd::user("decoy", "nobodys", "");
    let slapd = Slapd::start(&LdapOptions { users: 1, entries, ..LdapOptions::default() });
    let settings = format!("{BY_UID}ldap_decoy_dn {}\n", slapd::dn("decoy"));
    let source = kit::reader(&[slapd.url()], &settings).await;
    assert_eq!(source.check("nobody", "nobodys").await, UNKNOWN);
    assert_eq!(source.check("user0", "secret0").await, Came::Yes);
}
