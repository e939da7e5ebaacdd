//! What names become, and which drop paths are believed.

use std::path::Path;

use dmail_core::config::Selector;
use dmail_core::{Secret, Service};

use super::*;

fn domain(name: &str) -> Domain {
    Domain::parse(name).expect("a domain")
}

fn name(text: &str) -> Username {
    Username::parse(text.as_bytes()).expect("a name")
}

fn domains() -> Domains {
    let vdomain = |prefix: &str, selector, name: &str| VirtualDomain {
        prefix: prefix.into(),
        selector,
        domain: domain(name),
        drop_path: Path::new("/mail").join(prefix),
    };
    let suffix = |text: &str| Selector::Suffix(text.into());
    let address = |text: &str| Selector::Address(text.parse().expect("an address"));
    Domains {
        host_domains: vec![domain("main.example"), domain("old.example")],
        vdomains: vec![
            vdomain("abc", address("192.0.2.10"), "abc.example"),
            vdomain("johns", suffix("/jds"), "johns.example"),
            vdomain("jds", suffix("/x/jds"), "xjds.example"),
        ],
        separator: '_',
        with_domain: false,
        drop_path: "/mail/main".into(),
        drop_prefix: true,
        hash_spool: HashSpool::Flat,
        drop_roots: vec!["/extra".into()],
        utf8: false,
    }
}

/// What `login` becomes: the source's name and the drop file.
fn mapped(domains: &Domains, login: &str, local: &str) -> Result<(String, String), MappingError> {
    let directory = Directory::new(domains.clone());
    let mapped = directory.map(&name(login), local.parse().ok())?;
    let canonical = directory.canonical(&mapped)?;
    Ok((canonical.to_string(), directory.config_path(&mapped).display().to_string()))
}

#[test]
fn every_spelling_of_a_user_becomes_one_name_and_one_drop_file() {
    let rows = [
        ("fred", "", Ok(("fred", "/mail/main/fred"))),
        ("Fred", "", Ok(("fred", "/mail/main/fred"))),
        ("fred@main.example", "", Ok(("fred", "/mail/main/fred"))),
        ("FRED@Old.Example", "192.0.2.10", Ok(("fred", "/mail/main/fred"))),
        ("fred", "192.0.2.11", Ok(("fred", "/mail/main/fred"))),
        ("fred", "192.0.2.10", Ok(("abc_fred", "/mail/abc/abc_fred"))),
        ("fred", "::ffff:192.0.2.10", Ok(("abc_fred", "/mail/abc/abc_fred"))),
        ("fred@abc.example", "", Ok(("abc_fred", "/mail/abc/abc_fred"))),
        ("abc_fred", "", Ok(("abc_fred", "/mail/abc/abc_fred"))),
        ("fred/jds", "", Ok(("johns_fred", "/mail/johns/johns_fred"))),
        ("fred/x/jds", "", Ok(("jds_fred", "/mail/jds/jds_fred"))),
        ("fred/JDS", "192.0.2.10", Ok(("johns_fred", "/mail/johns/johns_fred"))),
        ("abc_fred@main.example", "", Err(MappingError::Prefixed)),
        ("ABC_fred@old.example", "192.0.2.10", Err(MappingError::Prefixed)),
        ("xyz_fred@main.example", "", Ok(("xyz_fred", "/mail/main/xyz_fred"))),
        ("xyz_fred", "", Ok(("xyz_fred", "/mail/main/xyz_fred"))),
        ("fred@elsewhere.example", "", Err(MappingError::ForeignDomain)),
        ("a@b@main.example", "", Ok(("a@b", "/mail/main/a@b"))),
        ("fred/other", "", Err(MappingError::BadName)),
        ("/jds", "", Err(MappingError::BadName)),
        ("../../etc/passwd", "", Err(MappingError::BadName)),
        ("-fred", "", Err(MappingError::BadName)),
        ("a:b", "", Err(MappingError::BadName)),
        ("@main.example", "", Err(MappingError::BadName)),
        ("jos\u{e9}", "", Err(MappingError::BadName)),
    ];
    for (login, local, expected) in rows {
        let expected = expected.map(|(user, path)| (user.to_owned(), path.to_owned()));
        assert_eq!(mapped(&domains(), login, local), expected, "{login} at {local:?}");
    }
}

#[test]
fn the_settings_decide_the_form_of_names_and_files() {
    let full = Domains { with_domain: true, ..domains() };
    let expected = ("fred@abc.example".into(), "/mail/abc/abc_fred".into());
    assert_eq!(mapped(&full, "abc_fred", ""), Ok(expected));
    let expected = ("fred@main.example".into(), "/mail/main/fred".into());
    assert_eq!(mapped(&full, "fred@old.example", ""), Ok(expected));

    let bare = Domains { drop_prefix: false, ..domains() };
    let expected = ("abc_fred".into(), "/mail/abc/fred".into());
    assert_eq!(mapped(&bare, "fred@abc.example", ""), Ok(expected));

    let hashed = Domains { hash_spool: HashSpool::TwoLetters, ..domains() };
    let expected = ("abc_fred".into(), "/mail/abc/f/r/abc_fred".into());
    assert_eq!(mapped(&hashed, "fred@abc.example", ""), Ok(expected));
}

/// Answers with a fixed drop path.
struct At(DropPath);

#[async_trait]
impl Authenticator for At {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let named = Account::named(request.user.clone());
        Ok(Verdict::accepted(Account { drop: self.0.clone(), ..named }))
    }
}

#[tokio::test]
async fn a_module_may_send_mail_only_below_the_mail_roots() {
    let rows = [
        ("/mail/main/x/fred", true),
        ("/extra/fred", true),
        ("/mail/johns/j/johns_fred", true),
        ("/mail/main/../../etc/cron.d/x", false),
        ("/mail/johns/../x", false),
        ("/mail/mainfred", false),
        ("/etc/cron.d/x", false),
    ];
    for (path, allowed) in rows {
        let mapping = Mapping::new(Arc::new(At(DropPath::File(path.into()))), domains());
        let request = AuthRequest::lookup(name("fred"), Origin::local(Service::Smtp));
        let verdict = mapping.authenticate(&request).await;
        assert_eq!(verdict.is_ok(), allowed, "{path}: {verdict:?}");
    }
}

#[tokio::test]
async fn an_empty_password_reaches_no_source() {
    let mapping = Mapping::new(Arc::new(At(DropPath::Config)), domains());
    let empty = Secret::new(*b"");
    let request = AuthRequest::check(name("fred"), empty, Origin::local(Service::Pop3));
    assert!(matches!(mapping.authenticate(&request).await, Ok(Verdict::Rejected(_))));
}
