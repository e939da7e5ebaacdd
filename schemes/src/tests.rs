//! Known answers, made with libxcrypt 4.4.33, the argon2 reference code and
//! OpenSSL; the wrong password beside each right one.

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

/// Stored texts of the password "geheim".
const GEHEIM: &[&str] = &[
    "abOkmxXhjDb.Y",
    "_J9..K0AyF4yuzjIG.mE",
    "$1$saltsalt$wTLsTBb/.H7e4VHujepbF0",
    "$5$saltsalt$cKRA0A5uaKu0/NNi2WMrB.mMOAVMowckrDNQ4fKUJ06",
    "$5$rounds=5000$saltstring$QsawHNtIZWMgWWdYBHMuOJyvK4.GlQU8CrPUBLOT2ZA",
    "$6$saltsalt$sfZR6YSW/Dp0uCiyF9fDipa6ORr5LVLOwXNgtzRlXXhkC7xA3w4zy97VIC3vL14AUXGJp3yBjZVztkdiBzJnX1",
    "$6$rounds=1000$roundzoronly$fujjfzwd6UqxwOWfGUCPRuCMtTICYcrNPS62VmZh36PB8RAzWCKWlSUiBwQ7GqmeX8K5HKH0jlH2ga6MObvaT.",
    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.45cQhYr8.c/La2HgSVKoyKztMyAG9DO",
    "$2b$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu",
    "$2x$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu",
    "$2y$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu",
    "$7$6/..../....saltsalt$jbi7G/BhlCBTcILpJABTK3zM0uqjUMlPHEZYWYF0aH2",
    "$gy$j75$saltsaltsalt$wWyG6zXvzWqfSMbbRKcLmqorZs0nOMdmWfXdIP1UK7B",
    "$y$j75$saltsaltsalt$.EPCimX/wjA0k6RVvKBX49FEXoHZBLN27bSsmqAyEb7",
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$iLMagHjBvrahXhlULvb9yW5faxBRfc3sREKM24WCe2C",
    "{CRYPT}abOkmxXhjDb.Y",
    "{crypt}$y$j75$saltsaltsalt$.EPCimX/wjA0k6RVvKBX49FEXoHZBLN27bSsmqAyEb7",
    "{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuVWu8RjbNovPZWAMRdd7iqaaG0mI53Uu",
    "{MD5}$1$saltsalt$wTLsTBb/.H7e4VHujepbF0",
    "{MD5}6GNuoBPmgvr2H1bOHLGrXA==",
    "{MD5}6GNuoBPmgvr2H1bOHLGrXA",
    "{SMD5}7s6dtQIWV9c1lTKNgYZe+k5hQ2xOYUNs",
    "{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=",
    "{SSHA}UiJ6QTlnw2kzSwiM+tcipCsElhVOYUNsTmFDbA==",
    "{ssha}UiJ6QTlnw2kzSwiM+tcipCsElhVOYUNsTmFDbA==",
    "{SHA256}rdsPXngmyFfXN20b2bwzwMVEeQourJYUSoryKxKYyUA=",
    "{SSHA256}am6iHr2j76DCpYJB16OhLElkh73iVxrmXG3AMWw3QJBOYUNsTmFDbA==",
    "{SHA512}jYR+AdIrqpafcfo2K03iHJ4Tx4grzqE7pcaorg1x/IyXAMguAIemXIs3vSn1NnR/KMlnK+wcrndi0snza2AT8g==",
    "{SSHA512}UDJ7Vpp7de8u9AOTdJ8TT5vV7doS2uy6rXlO89w3FimF35TBRDrps7Xc+FcQNnEZMNHst5wCPdGcEvN4q13mYk5hQ2xOYUNs",
    "{PLAIN}geheim",
    "{cleartext}geheim",
    "*geheim",
];

#[test]
fn every_known_form_accepts_its_password_and_no_other() {
    for stored in GEHEIM {
        assert_eq!(verify(stored, &secret("geheim")), Ok(true), "{stored}");
        for wrong in ["Geheim", "geheim\0", "gehei", "", &"geheim".repeat(100)] {
            assert_eq!(verify(stored, &secret(wrong)), Ok(false), "{stored} {wrong}");
        }
    }
}

#[test]
fn argon2_texts_of_the_reference_code_are_read() {
    let rows = [
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        // Without v= it is version 1.0.
        "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "{ARGON2}$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
    ];
    for stored in rows {
        assert_eq!(verify(stored, &secret("password")), Ok(true), "{stored}");
        assert_eq!(verify(stored, &secret("passwore")), Ok(false), "{stored}");
    }
}

#[test]
fn what_is_written_is_read_back_and_fits_a_line() {
    for scheme in Scheme::ALL {
        let stored = hash(scheme, &secret("pass w\u{f6}rd:")).expect("a hash");
        assert!(!stored.contains([':', ' ', '\r', '\n']), "{stored}");
        assert_eq!(verify(&stored, &secret("pass w\u{f6}rd:")), Ok(true), "{stored}");
        assert_eq!(verify(&stored, &secret("pass word:")), Ok(false), "{stored}");
        let again = hash(scheme, &secret("pass w\u{f6}rd:")).expect("a hash");
        assert_ne!(stored, again, "{scheme} salts");
        assert_eq!(Scheme::parse(&scheme.name().to_uppercase()), Some(scheme));
        assert!(stored.len() <= 128, "it fits the original's table: {stored}");
    }
    assert_eq!(Scheme::parse("md5"), None);
}

#[test]
fn a_locked_account_accepts_nothing() {
    for stored in ["", "!", "!!", "!$1$saltsalt$wTLsTBb/.H7e4VHujepbF0", "*"] {
        assert_eq!(verify(stored, &secret("geheim")), Ok(false), "{stored}");
        assert_eq!(clear_text(stored), None, "{stored}");
    }
    for stored in ["", "!", "*", "{PLAIN}"] {
        assert_eq!(verify(stored, &secret("")), Ok(false), "{stored}");
    }
}

#[test]
fn what_cannot_be_judged_is_an_error_and_never_a_wrong_password() {
    let unknown = |prefix: &str| SchemeError::Unknown { prefix: prefix.to_owned() };
    let malformed = |scheme| SchemeError::Malformed { scheme };
    let rows = [
        ("qrQ\\Wd", SchemeError::OldNwauth),
        ("x", SchemeError::OldNwauth),
        ("geheim", SchemeError::OldNwauth),
        ("{oops", SchemeError::OldNwauth),
        ("{OTP}abc", unknown("{OTP}")),
        ("{SCRAM-SHA-512}abc", unknown("{SCRAM-SHA-512}")),
        ("{SCRAM-SHA-256}abc", malformed("SCRAM-SHA-256")),
        // A tag of its own is no scheme, but may well be a password.
        ("{hunter2}", SchemeError::OldNwauth),
        ("{two words}x", SchemeError::OldNwauth),
        ("{what somebody typed}", SchemeError::OldNwauth),
        ("{correcthorsebattery}x", SchemeError::OldNwauth),
        ("$9$abc$def", unknown("$9$")),
        ("$apr1$saltsalt$abc", unknown("$apr1$")),
        ("$2b$05$short", malformed("bcrypt")),
        ("$2x$zz$short", malformed("bcrypt 2x")),
        ("$6$saltsalt$cut", malformed("sha512-crypt")),
        ("$5$", malformed("sha256-crypt")),
        ("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ", malformed("argon2")),
        ("$argon2id$", malformed("argon2")),
        ("$y$", malformed("yescrypt")),
        ("$7$x", malformed("scrypt")),
        ("$1$", malformed("MD5-crypt")),
        ("{SSHA}!!", malformed("SSHA")),
        ("{SSHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=", malformed("SSHA")),
        ("{SHA}c2hvcnQ=", malformed("SSHA")),
    ];
    for (stored, expected) in rows {
        assert_eq!(verify(stored, &secret("geheim")), Err(expected), "{stored}");
    }
}

#[test]
fn hostile_costs_are_refused_before_they_are_paid() {
    let hash86 = "a".repeat(86);
    let rows = [
        format!("$6$rounds=5000001$salt${hash86}"),
        format!("$6$rounds=99999999999$salt${hash86}"),
        format!("$2b$17${}", ".".repeat(53)),
        format!("$2x$31${}", ".".repeat(53)),
        "$argon2id$v=19$m=262145,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
            .to_owned(),
        "$argon2id$v=19$m=64,t=21,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
            .to_owned(),
        "$y$jFT$saltsalt$hash".to_owned(),
        "$gy$jFT$saltsalt$hash".to_owned(),
        "$7$HU..../....salt$hash".to_owned(),
    ];
    for stored in rows {
        let verdict = verify(&stored, &secret("geheim"));
        assert!(matches!(verdict, Err(SchemeError::TooCostly { .. })), "{stored}: {verdict:?}");
    }
}

#[test]
fn a_secret_that_a_scheme_would_cut_is_refused() {
    for (scheme, text) in [
        (Scheme::Bcrypt, "x".repeat(72)),
        (Scheme::Bcrypt, "a\0b".to_owned()),
        (Scheme::Yescrypt, "x".repeat(512)),
        (Scheme::Yescrypt, "a\0b".to_owned()),
    ] {
        let outcome = hash(scheme, &secret(&text));
        assert!(matches!(outcome, Err(SchemeError::Secret { .. })), "{scheme}");
    }
}

#[test]
fn errors_never_repeat_the_stored_text() {
    for stored in ["qrQ\\Wd", "$2b$05$sensitive", "{SSHA}sensitive!", "$6$sensitive$x"] {
        let error = verify(stored, &secret("geheim")).expect_err("not to be judged");
        let line = error.unavailable("nwauth", "bob").to_string();
        assert!(!line.contains("sensitive") && !line.contains("qrQ"), "{line}");
        assert!(line.contains("bob"), "{line}");
    }
}
