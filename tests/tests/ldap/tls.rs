//! TLS in its forms, and what is refused.

use dmail_core::UnavailableKind;
use dmail_tests::authority::{Authority, Certificate};
use dmail_tests::peer::slapd::{LdapOptions, Slapd, has_ipv6};

use crate::kit::{self, BY_DN, BY_UID, Came};

const DEAD: Came = Came::Nothing(UnavailableKind::Dead);

fn directory(certificate: Certificate, client_authority: Option<&Authority>) -> Slapd {
    Slapd::start(&LdapOptions {
        users: 2,
        certificate: Some(certificate),
        client_authority: client_authority.map(|authority| authority.file().to_owned()),
        ..LdapOptions::default()
    })
}

#[tokio::test]
async fn a_certificate_of_our_authority_is_trusted_and_no_other() {
    let folder = tempfile::tempdir().expect("a directory");
    let ours = Authority::new(folder.path(), "ours");
    let foreign = Authority::new(folder.path(), "foreign");
    let slapd = directory(ours.issue("server", &["localhost"]), None);
    let elsewhere = directory(ours.issue("elsewhere", &["far.example"]), None);
    for mode in [BY_UID, BY_DN] {
        for (url, other_url, starttls) in [
            (slapd.url(), elsewhere.url(), "ldap_starttls true\n"),
            (slapd.tls_url(), elsewhere.tls_url(), ""),
        ] {
            let with = |authority: &Authority| {
                format!("{mode}{starttls}ldap_ca_file {}\n", authority.file().display())
            };
            let source = kit::reader(std::slice::from_ref(&url), &with(&ours)).await;
            assert_eq!(source.check("user0", "secret0").await, Came::Yes, "{url}{starttls}");
            assert_eq!(source.lookup("user1").await, Came::Yes, "{url}{starttls}");
            let source = kit::reader(std::slice::from_ref(&url), &with(&foreign)).await;
            assert_eq!(source.check("user0", "secret0").await, DEAD, "{url} another authority");
            let trouble = source.trouble("user0", "secret0").await;
            assert!(trouble.detail.contains("certificate"), "{trouble}");
            let source =
                kit::reader(std::slice::from_ref(&url), &format!("{mode}{starttls}")).await;
            assert_eq!(source.check("user0", "secret0").await, DEAD, "{url} the system's");
            let source = kit::reader(&[other_url], &with(&ours)).await;
            assert_eq!(source.check("user0", "secret0").await, DEAD, "another host's name");
        }
    }
}

#[tokio::test]
async fn an_address_of_ipv6_has_certificates_like_any_other_host() {
    if !has_ipv6() {
        eprintln!("skipped, for this machine has no IPv6");
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let ours = Authority::new(folder.path(), "ours");
    let foreign = Authority::new(folder.path(), "foreign");
    let slapd = directory(ours.issue("server", &["::1"]), None);
    let elsewhere =
        directory(ours.issue("elsewhere", &["::2", "localhost", "address.invalid"]), None);
    let at_address = |url: String| url.replace("localhost", "[::1]");
    for mode in [BY_UID, BY_DN] {
        for (url, other_url, starttls) in [
            (slapd.url(), elsewhere.url(), "ldap_starttls true\n"),
            (slapd.tls_url(), elsewhere.tls_url(), ""),
        ] {
            let with = |authority: &Authority| {
                format!("{mode}{starttls}ldap_ca_file {}\n", authority.file().display())
            };
            let (url, other_url) = (at_address(url), at_address(other_url));
            let source = kit::reader(std::slice::from_ref(&url), &with(&ours)).await;
            assert_eq!(source.check("user0", "secret0").await, Came::Yes, "{url} {mode}");
            assert_eq!(source.lookup("user1").await, Came::Yes, "{url} {mode}");
            for (url, authority) in [(&url, &foreign), (&other_url, &ours)] {
                let source = kit::reader(std::slice::from_ref(url), &with(authority)).await;
                assert_eq!(source.check("user0", "secret0").await, DEAD, "{url} {mode}");
                assert_eq!(source.lookup("user1").await, DEAD, "{url} {mode}");
                let trouble = source.trouble("user0", "secret0").await;
                assert!(trouble.detail.contains("certificate"), "{trouble}");
            }
        }
    }
}

#[tokio::test]
async fn without_tls_nothing_is_asked_if_tls_is_wanted() {
    let slapd = Slapd::with_users(1);
    for mode in [BY_UID, BY_DN] {
        let source = kit::reader(&[slapd.url()], &format!("{mode}ldap_starttls true\n")).await;
        assert_eq!(source.check("user0", "secret0").await, DEAD, "{mode}");
    }
    let source = kit::reader(&[slapd.url().replace("ldap:", "ldaps:")], BY_DN).await;
    assert_eq!(source.check("user0", "secret0").await, DEAD);
}

#[tokio::test]
async fn a_directory_that_asks_for_our_certificate_gets_it() {
    let folder = tempfile::tempdir().expect("a directory");
    let ours = Authority::new(folder.path(), "ours");
    let own = ours.issue("client", &["client.corp.example"]);
    let slapd = directory(ours.issue("server", &["localhost"]), Some(&ours));
    let trusting = format!("{BY_DN}ldap_ca_file {}\n", ours.file().display());
    let shown = format!(
        "{trusting}ldap_client_cert {}\nldap_client_key {}\n",
        own.certificate.display(),
        own.key.display()
    );
    let source = kit::reader(&[slapd.tls_url()], &shown).await;
    assert_eq!(source.check("user0", "secret0").await, Came::Yes);
    let source = kit::reader(&[slapd.tls_url()], &trusting).await;
    assert_eq!(source.check("user0", "secret0").await, DEAD, "we showed none");
}

#[tokio::test]
async fn a_unix_socket_is_a_server_too() {
    let slapd = Slapd::with_users(1);
    for mode in [BY_UID, BY_DN] {
        let source = kit::reader(&[slapd.socket_url()], mode).await;
        assert_eq!(source.check("user0", "secret0").await, Came::Yes, "{mode}");
        assert_eq!(source.lookup("user0").await, Came::Yes, "{mode}");
    }
}
