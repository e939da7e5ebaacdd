//! Addresses and paths, and the tricks that are played with them.

use proptest::prelude::*;

use super::*;

#[test]
fn an_address_is_split_once_and_at_the_last_unquoted_at() {
    // What the client wrote; the local part and the host that it means.
    let rows = [
        ("bob@corp.example", "bob", "corp.example"),
        ("Bob@CORP.Example", "Bob", "corp.example"),
        ("a.b+tag=x@corp.example", "a.b+tag=x", "corp.example"),
        ("a..b.@corp.example", "a..b.", "corp.example"),
        ("bob@[192.0.2.1]", "bob", "[192.0.2.1]"),
        ("bob@[IPv6:2001:db8::1]", "bob", "[IPv6:2001:db8::1]"),
        ("bob@[ipv6:2001:DB8::1]", "bob", "[IPv6:2001:db8::1]"),
        (r#""bob"@corp.example"#, "bob", "corp.example"),
        (r#""b ob"@corp.example"#, "b ob", "corp.example"),
        (r#""b\"o\\b"@corp.example"#, r#"b"o\b"#, "corp.example"),
        (r#""\b\o\b"@corp.example"#, "bob", "corp.example"),
        (r#""bob@evil.example"@corp.example"#, "bob@evil.example", "corp.example"),
        (r#""a>b"@corp.example"#, "a>b", "corp.example"),
        // Relay tricks are plain local parts.
        ("bob%evil.example@corp.example", "bob%evil.example", "corp.example"),
        ("evil.example!bob@corp.example", "evil.example!bob", "corp.example"),
        ("user/../root@corp.example", "user/../root", "corp.example"),
    ];
    for (text, local, host) in rows {
        let address = parse(text.as_bytes()).expect(text);
        assert_eq!((address.local_part(), &*address.host().to_string()), (local, host));
        assert_eq!(parse(address.to_string().as_bytes()), Ok(address), "{text} read back");
    }
}

#[test]
fn what_is_no_address_says_why() {
    use AddressError::{
        BadDomain, BadLiteral, BadLocalPart, NoDomain, NotAscii, SourceRoute, TooLong,
    };
    let long = format!("{}@corp.example", "a".repeat(400));
    let rows = [
        ("", NoDomain),
        ("bob", NoDomain),
        (r#""bob@corp.example"#, NoDomain),
        ("@corp.example", SourceRoute),
        ("@relay.example:bob@corp.example", SourceRoute),
        ("bob@", BadDomain(NameError::Empty)),
        ("bob@corp..example", BadDomain(NameError::ForbiddenByte { at: 5 })),
        ("bob@corp.example.", BadDomain(NameError::ForbiddenByte { at: 13 })),
        ("bob@corp example", BadDomain(NameError::ForbiddenByte { at: 4 })),
        ("bob@[192.0.2.1", BadLiteral),
        ("bob@[192.0.2.256]", BadLiteral),
        ("bob@[IPv6:x]", BadLiteral),
        ("bob@[corp.example]", BadLiteral),
        ("bob@[]", BadLiteral),
        ("a@b@corp.example", BadLocalPart),
        ("bob @corp.example", BadLocalPart),
        ("b(o)b@corp.example", BadLocalPart),
        (r#"""@corp.example"#, BadLocalPart),
        (r#""a"b"c"@corp.example"#, BadLocalPart),
        (r#"a"b"@corp.example"#, BadLocalPart),
        ("\"a\tb\"@corp.example", BadLocalPart),
        ("\"a\0b\"@corp.example", BadLocalPart),
        ("b\u{fc}b@corp.example", NotAscii),
        ("bob@b\u{fc}ro.example", NotAscii),
        (&long, TooLong),
    ];
    for (text, expected) in rows {
        assert_eq!(parse(text.as_bytes()), Err(expected), "{text}");
    }
}

#[test]
fn a_path_ends_at_the_first_bracket_outside_quotes() {
    let rows = [
        ("<a@b> SIZE=1", Some(5)),
        ("<>", Some(2)),
        (r#"<"a>b"@c>"#, Some(9)),
        (r#"<"a\">b"@c> x"#, Some(11)),
        ("<a@b", None),
        (r#"<"a>"#, None),
    ];
    for (text, expected) in rows {
        assert_eq!(path_length(text.as_bytes()), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
        let _ = (parse(&bytes), path_length(&bytes));
    }

    #[test]
    fn an_address_is_read_back_as_it_was_written(local in "[ -~]{1,40}") {
        let domain = Domain::parse("corp.example").expect("a domain");
        let address = Address::in_domain(&local, &domain);
        prop_assert_eq!(parse(address.to_string().as_bytes()), Ok(address));
    }
}
