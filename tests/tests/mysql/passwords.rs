//! All ways in which a table may hold passwords.

use dmail_core::{
    AuthRequest, Authenticator, Evidence, Origin, Proof, Proofs, Purpose, RejectionKind, Salt,
    SaltQuestion, ScramHash, Secret, Service, UnavailableKind, Username, Verdict,
};
use dmail_schemes::Scheme;

use super::{SETTINGS, check, is_accepted, is_done, open, original, rejection, set};
use dmail_tests::wait;

#[tokio::test]
async fn every_scheme_is_verified_here() {
    let Some(server) = original(&[]) else { return };
    let store = |name: &str, stored: &str| {
        server
            .sql(&format!("REPLACE maildb.maildb (username, passwd) VALUES ('{name}','{stored}')"));
    };
    for scheme in Scheme::ALL {
        let stored = dmail_schemes::hash(scheme, &Secret::new(*b"geheim")).expect("a hash");
        store(scheme.name(), &stored);
    }
    let fixed = [
        ("md5crypt", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "password"),
        ("ldap-md5", "{MD5}X03MO1qnZdYdgyfeuILPmQ==", "password"),
        ("clear", "*geheim", "geheim"),
        ("tagged", "{CLEARTEXT}geheim", "geheim"),
    ];
    for (name, stored, _) in fixed {
        store(name, stored);
    }
    let base = open(&server, "").await;
    let own = Scheme::ALL.map(|scheme| (scheme.name(), "geheim"));
    for (name, password) in own.into_iter().chain(fixed.map(|(name, _, password)| (name, password)))
    {
        assert!(is_accepted(&check(&base, name, password).await), "{name}");
        assert_eq!(rejection(check(&base, name, "Geheim").await), RejectionKind::NotVerified);
    }
    // What cannot be judged is not "wrong", and names the user, not the hash.
    store("odd", "{ROT13}trurvz");
    store("locked", "!");
    for name in ["odd", "u1"] {
        let unavailable = check(&base, name, "geheim").await.expect_err(name);
        assert_eq!(unavailable.kind, UnavailableKind::Record);
        assert!(unavailable.detail.contains(&format!("user {name}")), "{unavailable}");
        assert!(!unavailable.detail.contains("trurvz"), "{unavailable}");
    }
    assert_eq!(rejection(check(&base, "locked", "!").await), RejectionKind::NotVerified);
}

#[tokio::test]
async fn each_kind_of_the_original_is_read_and_written() {
    let Some(server) = original(&[]) else { return };
    let stored = |name: &str| {
        server.sql(&format!("SELECT passwd FROM maildb.maildb WHERE username='{name}'"))
    };
    let rows = [
        ("mysql_pwd_set true", "*"),
        ("unix_password true", "$6$"),
        ("plain_password true", "geheim"),
        ("password_scheme ssha256", "{SSHA256}"),
        ("", "$argon2id$"),
    ];
    for (n, (settings, prefix)) in rows.into_iter().enumerate() {
        let base = open(&server, settings).await;
        let name = format!("kind{n}");
        assert!(is_done(&set(&base, &name, "geheim", "").await), "{settings}");
        assert!(stored(&name).starts_with(prefix), "{settings}: {}", stored(&name));
        assert!(is_accepted(&check(&base, &name, "geheim").await), "{settings}");
        assert_eq!(rejection(check(&base, &name, "wrong").await), RejectionKind::NotVerified);
    }
    assert_eq!(stored("kind0"), server.sql("SELECT PASSWORD('geheim')"));
    server.sql("REPLACE maildb.maildb (username, passwd) VALUES ('old', OLD_PASSWORD('geheim'))");
    let base = open(&server, SETTINGS).await;
    let refused = check(&base, "old", "geheim").await.expect_err("nobody can tell");
    assert!(refused.detail.contains("OLD_PASSWORD()"), "{refused}");
    assert_eq!(rejection(check(&base, "u1", "").await), RejectionKind::NotVerified);
}

#[tokio::test]
async fn a_weak_password_is_stored_anew_after_a_login() {
    let Some(server) = original(&[]) else { return };
    let base = open(&server, &format!("{SETTINGS}\nrehash true\npassword_scheme ssha512")).await;
    let stored = || server.sql("SELECT passwd FROM maildb.maildb WHERE username='u1'");
    assert_eq!(rejection(check(&base, "u1", "wrong").await), RejectionKind::NotVerified);
    assert!(stored().starts_with('*'));
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    wait::until_async("the password is stored anew", || stored().starts_with("{SSHA512}")).await;
    assert!(is_accepted(&check(&base, "u1", "p1").await));
    // A table that cannot be written lets in all the same.
    server.sql("SET GLOBAL read_only = 1; REVOKE UPDATE ON *.* FROM dmail@'%'");
    for _ in 0..3 {
        assert!(is_accepted(&check(&base, "u2", "p2").await));
    }
    server.sql("SET GLOBAL read_only = 0");
}

/// The user of RFC 7677 section 3, as Dovecot stores him, and one whose keys
/// `set` has made.
#[tokio::test]
async fn keys_in_the_table_judge_proofs() {
    let Some(server) = original(&[]) else { return };
    // Dovecot's salts are longer than ours.
    server.sql("ALTER TABLE maildb.maildb MODIFY passwd CHAR(160) DEFAULT '*' NOT NULL");
    server.sql(
        "REPLACE maildb.maildb (username, passwd) VALUES ('user', '{SCRAM-SHA-256}4096,\
         W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,\
         wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='), ('ann', '{PLAIN}pencil')",
    );
    let base = open(&server, &format!("{SETTINGS}\npassword_scheme scram-sha-256")).await;
    assert_eq!(base.proofs(), Proofs::STORED);
    let ask = async |user: &str, purpose: Purpose| {
        let user = Username::parse(user.as_bytes()).expect("a name");
        let origin = Origin::local(Service::Imap);
        base.authenticate(&AuthRequest { user, purpose, origin, trace: None }).await
    };
    let salt = async |user: &str| {
        let question = SaltQuestion::new(ScramHash::Sha256);
        let _ = ask(user, Purpose::Salt(question.clone())).await.expect("an answer");
        question.told().map(|salt| (salt.bytes.len(), salt.iterations))
    };
    assert!(is_done(&set(&base, "bob", "geheim", "").await));
    assert!(is_accepted(&check(&base, "bob", "geheim").await));
    assert_eq!(salt("bob").await, Some((Salt::BYTES, Salt::ITERATIONS)));
    assert_eq!(salt("user").await, Some((16, 4096)));
    assert_eq!((salt("ann").await, salt("nobody").await), (None, None));

    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let said = format!(
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    );
    let shown = [
        0x74, 0x7c, 0xdb, 0x65, 0xaa, 0x56, 0x22, 0x4e, 0x23, 0x52, 0x13, 0x7e, 0x52, 0xd7, 0xbd,
        0xca, 0xd6, 0xa0, 0xf7, 0x38, 0xdf, 0x30, 0x78, 0x2c, 0xaa, 0x69, 0xa2, 0xcf, 0xb0, 0x27,
        0x75, 0x54,
    ];
    let prove = async |user: &str, said: &str| {
        let (hash, said) = (ScramHash::Sha256, said.as_bytes().into());
        let proof = Proof::new(Evidence::Scram { hash, said, proof: shown.into() });
        (ask(user, Purpose::Prove(proof.clone())).await, proof.signature().is_some())
    };
    let (verdict, signed) = prove("user", &said).await;
    assert!(is_accepted(&verdict) && signed, "{verdict:?}");
    for (user, said) in [("user", "another"), ("bob", &said), ("ann", &said), ("nobody", &said)] {
        let (verdict, signed) = prove(user, said).await;
        assert!(matches!(verdict, Ok(Verdict::Rejected(_))) && !signed, "{user}: {verdict:?}");
    }
}
