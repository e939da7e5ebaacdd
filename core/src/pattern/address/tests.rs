use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn every_item_of_a_restrictive_list_must_pass() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("*", &["161.29.5.1", "2001:db8::1"], &[]),
        ("*,!161.29.5.*", &["161.29.4.255", "161.29.50.1", "::1"], &["161.29.5.0", "161.29.5.255"]),
        ("*,!161.29.*.24", &["161.29.1.25", "161.30.1.24"], &["161.29.1.24", "161.29.255.24"]),
        (
            "*,!161.29.20?.24",
            &["161.29.199.24", "161.29.20.24", "161.29.210.24"],
            &["161.29.200.24", "161.29.209.24"],
        ),
        (
            "161.29.3-5.0-255",
            &["161.29.3.0", "161.29.5.255", "161.29.4.7"],
            &["161.29.2.255", "161.29.6.0", "161.30.4.7", "::1"],
        ),
        ("*,161.29.3-5.24", &["161.29.3.24", "161.29.5.24"], &["161.29.3.25", "10.0.0.1"]),
        ("161.29.3-5.*", &["161.29.3.0", "161.29.5.255"], &["161.29.6.1"]),
        ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], &["11.0.0.0", "::1"]),
        ("10.0.0.0/8,!10.9.0.0/16", &["10.8.0.1"], &["10.9.0.1", "11.0.0.1"]),
        ("::ffff:10.0.0.0/104", &["10.1.2.3"], &["11.0.0.0"]),
        ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::1", "32.1.13.184"]),
        ("::/0", &["::1"], &["127.0.0.1", "::ffff:127.0.0.1"]),
        ("!2001:db8::1", &["2001:db8::2", "10.0.0.1"], &["2001:DB8:0::1"]),
        ("161.29.*", &["161.29.1.2"], &["161.2.9.1", "16.129.1.1"]),
        ("*.24", &["1.2.3.24"], &["1.2.3.240"]),
        ("10.0.0.1, !10.0.0.2", &["10.0.0.1"], &["10.0.0.2", "10.0.0.3"]),
        ("10.0.0.1,10.0.0.2", &[], &["10.0.0.1", "10.0.0.2"]),
    ];
    for (list, inside, outside) in rows {
        let parsed = AddressList::parse(list).expect(list);
        for text in *inside {
            assert!(parsed.passes_every(address(text)), "{list} lets {text} in");
        }
        for text in *outside {
            assert!(!parsed.passes_every(address(text)), "{list} keeps {text} out");
        }
    }
}

#[test]
fn a_list_of_the_banned_names_them_one_by_one() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("10.0.0.1,10.0.0.2", &["10.0.0.1", "10.0.0.2"], &["10.0.0.3"]),
        ("*,!10.0.0.0/8", &["192.0.2.1", "::1"], &["10.1.1.1"]),
        ("!10.0.0.0/8", &["192.0.2.1"], &["10.1.1.1"]),
        ("10.0.0.0/8,!10.9.*", &["10.8.0.1"], &["10.9.0.1", "192.0.2.1"]),
    ];
    for (list, inside, outside) in rows {
        let parsed = AddressList::parse(list).expect(list);
        for text in *inside {
            assert!(parsed.includes(address(text)), "{list} includes {text}");
        }
        for text in *outside {
            assert!(!parsed.includes(address(text)), "{list} leaves {text} out");
        }
    }
}

#[test]
fn networks_that_exclude_each_other_are_noticed() {
    for (list, nobody) in [
        ("10.0.0.0/8,192.168.0.0/16", true),
        ("10.0.0.1,10.0.0.2", true),
        ("10.0.0.0/8,10.1.0.0/16", false),
        ("*,10.0.0.0/8", false),
        ("10.0.0.0/8,!192.168.0.0/16", false),
    ] {
        let parsed = AddressList::parse(list).expect(list);
        assert_eq!(parsed.passes_nobody(), nobody, "{list}");
    }
}

#[test]
fn what_could_never_match_is_an_error_at_the_right_place() {
    let rows: &[(&str, std::ops::Range<usize>)] = &[
        ("", 0..0),
        ("*,", 2..2),
        ("*,!", 3..3),
        ("!!10.0.0.1", 1..10),
        ("10.0.0.1,bob", 9..12),
        ("10.0.0.1/8", 0..10),
        ("*,10.0.0.0/33", 2..13),
        ("161.29.300.*", 7..10),
        ("161.029.*", 4..7),
        ("1.2.3.4.*", 0..9),
        ("1.2.3?", 0..6),
        ("161.29.5-3.1", 7..10),
        ("161.29.3-5", 0..10),
        ("161.29.3-5.2?", 11..13),
        ("161.29.3-x.1", 7..10),
        ("161.a*.1.1", 4..6),
        ("161..*.1", 4..4),
        ("2001:db8:*", 0..10),
        ("+1.2.3-4.5", 0..2),
        ("fe80::1%eth0", 0..12),
    ];
    for (text, at) in rows {
        let error = AddressList::parse(text).expect_err(text);
        assert_eq!(error.at, *at, "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _ = AddressList::parse(&text);
    }

    #[test]
    fn a_list_prints_as_it_was_written(text in "[!0-9a-f:.*?,/ -]{1,24}") {
        if let Ok(list) = AddressList::parse(&text) {
            prop_assert_eq!(AddressList::parse(&list.to_string()), Ok(list));
        }
    }

    #[test]
    fn a_range_prints_as_it_was_written(
        ranges in prop::array::uniform4((0u8..=255, 0u8..=255)),
        negated: bool,
    ) {
        let parts = ranges.map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)));
        let text = format!("{}{}", if negated { "!" } else { "" }, parts.join("."));
        let pattern = AddressPattern::parse(&text).expect("a range");
        prop_assert_eq!(AddressPattern::parse(&pattern.to_string()), Ok(pattern));
    }

    #[test]
    fn a_range_agrees_with_arithmetic(
        first: u8, last: u8, octets: [u8; 4],
    ) {
        let (first, last) = (first.min(last), first.max(last));
        let pattern = AddressPattern::parse(&format!("*.{first}-{last}.*.*")).expect("a range");
        let expected = first <= octets[1] && octets[1] <= last;
        prop_assert_eq!(pattern.matches(IpAddr::from(octets)), expected);
    }
}
