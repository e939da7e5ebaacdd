use super::*;

const PASSWORD: &str = "*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4";

fn passwords(kind: Kind) -> Passwords {
    Passwords::new(kind, Scheme::Ssha256, false).expect("a scheme")
}

#[tokio::test]
async fn the_setting_decides_what_a_text_means() {
    use Kind::{MySql, Plain, Schemes, Unix};
    let ssha = dmail_schemes::hash(Scheme::Ssha, &Secret::new(*b"mypass")).expect("a hash");
    let rows: &[(Kind, Option<&str>, Option<bool>)] = &[
        (MySql, Some(PASSWORD), Some(true)),
        (MySql, Some(&ssha), Some(true)),
        (MySql, Some("*"), Some(false)),
        (MySql, Some("*mypass"), None),
        (MySql, Some("6f8c114b58f2ce9e"), None),
        (MySql, None, Some(false)),
        (Schemes, Some(PASSWORD), None),
        (Schemes, Some("*mypass"), Some(true)),
        (Schemes, Some(&ssha), Some(true)),
        (Schemes, Some("{FOO}bar"), None),
        (Schemes, Some(""), Some(false)),
        (Unix, Some("*mypass"), Some(false)),
        (Unix, Some("!mypass"), Some(false)),
        (Unix, Some(&ssha), Some(true)),
        (Plain, Some("mypass"), Some(true)),
        (Plain, Some("*mypass"), Some(false)),
        (Plain, Some(""), Some(false)),
        (Plain, None, Some(false)),
    ];
    for (kind, stored, expected) in rows {
        let stored_text = stored.map(|text| Zeroizing::new(text.to_owned()));
        let secret = Secret::new(*b"mypass");
        let right = passwords(*kind).verify("bob", stored_text, &secret).await;
        assert_eq!(right.as_ref().ok(), expected.as_ref(), "{kind:?} {stored:?}");
        if let Err(unavailable) = right {
            assert_eq!(unavailable.kind, UnavailableKind::Record);
            assert!(unavailable.detail.contains("user bob"), "{unavailable}");
            assert!(!unavailable.detail.contains("mypass"), "{unavailable}");
        }
    }
}

#[tokio::test]
async fn what_is_stored_now_is_right_afterwards() {
    for kind in [Kind::MySql, Kind::Plain, Kind::Schemes, Kind::Unix] {
        let passwords = passwords(kind);
        let secret = Secret::new("m\u{fc}ller 1".as_bytes());
        let stored = passwords.hash(&secret).await.expect("a core").expect("a hash");
        assert_eq!(passwords.verify("bob", Some(stored.clone()), &secret).await, Ok(true));
        let exported = passwords.exported(stored);
        assert_eq!(exported.is_none(), kind == Kind::MySql, "{kind:?}");
    }
}

#[test]
fn an_import_never_changes_what_a_text_means() {
    use Kind::{MySql, Plain, Schemes, Unix};
    let rows: &[(Kind, &str, Result<&str, ()>)] = &[
        (MySql, "*mypass", Ok(PASSWORD)),
        (MySql, "{PLAIN}mypass", Ok(PASSWORD)),
        (MySql, "{SSHA}x", Ok("{SSHA}x")),
        (Plain, "{PLAIN}mypass", Ok("mypass")),
        (Plain, "{SSHA}x", Err(())),
        (Schemes, "*mypass", Ok("*mypass")),
        (Unix, "*mypass", Ok("{PLAIN}mypass")),
    ];
    for (kind, stored, expected) in rows {
        let imported = passwords(*kind).imported(stored);
        let imported = imported.as_ref().map(|text| text.as_str()).map_err(|_| ());
        assert_eq!(imported, *expected, "{kind:?} {stored}");
    }
}

#[test]
fn a_column_says_what_a_proof_is_judged_by() {
    use Kind::{MySql, Plain, Schemes, Unix};
    let rows = [
        (Plain, "mypass", Some("{PLAIN}mypass")),
        (Plain, "", Some("{PLAIN}")),
        (Schemes, "{SCRAM-SHA-256}1,x,y,z", Some("{SCRAM-SHA-256}1,x,y,z")),
        (Schemes, "*mypass", Some("*mypass")),
        (Schemes, PASSWORD, None),
        (Unix, "*mypass", Some("!")),
        (MySql, PASSWORD, Some("!")),
        (MySql, "{SCRAM-SHA-1}1,x,y,z", Some("{SCRAM-SHA-1}1,x,y,z")),
    ];
    for (kind, stored, expected) in rows {
        let text = passwords(kind).provable("bob", Zeroizing::new(stored.to_owned()));
        assert_eq!(text.as_deref().map(String::as_str).ok(), expected, "{kind:?} {stored}");
    }
}
