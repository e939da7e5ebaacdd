//! The examples of the RFCs, and what must not pass for them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::claims::Refusal;
use crate::jws::Jws;

/// RFC 7515 appendix A.1: HS256.
const SHARED_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const HS256: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Appendix A.2: RS256.
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
/// Appendix A.3: ES256.
const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// Appendix A.5: not signed.
const NONE: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
/// RFC 8037 appendix A.4: EdDSA, of a text that is no claim.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const ED_SIGNATURE: &str =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64")
}

fn set(keys: &str) -> Result<KeySet, Unreadable> {
    KeySet::parse(format!(r#"{{"keys": [{keys}]}}"#).as_bytes())
}

fn rsa(more: &str) -> String {
    format!(r#"{{"kty": "RSA", "n": "{RSA_N}", "e": "AQAB"{more}}}"#)
}

fn ec(more: &str) -> String {
    format!(r#"{{"kty": "EC", "crv": "P-256", "x": "{EC_X}", "y": "{EC_Y}"{more}}}"#)
}

fn shared() -> KeySet {
    KeySet::new(vec![Key::shared(None, &decoded(SHARED_KEY)).expect("a key")])
}

/// Whether one of the keys has signed the token, and it may.
fn judge(token: &str, keys: &KeySet) -> Result<(), Refusal> {
    let token = Jws::parse(token.as_bytes()).expect("a signed token");
    let all = Algorithm::ALL.map(|(_, algorithm)| algorithm);
    token.is_signed_by(keys, token.algorithm(&all)?)
}

#[test]
fn the_examples_of_the_rfcs_are_right() {
    let public = set(&format!("{}, {}", rsa(""), ec(""))).expect("keys");
    assert_eq!(judge(HS256, &shared()), Ok(()));
    assert_eq!(judge(RS256, &public), Ok(()));
    assert_eq!(judge(ES256, &public), Ok(()));
    let ed = set(&format!(r#"{{"kty": "OKP", "crv": "Ed25519", "x": "{ED_X}"}}"#)).expect("a key");
    let (signed, signature) = (ED_SIGNED.as_bytes(), decoded(ED_SIGNATURE));
    assert_eq!(ed.verify(None, Algorithm::EdDsa, signed, &signature), Ok(()));
    // And nothing is that differs by a bit.
    for (token, keys) in [(HS256, &shared()), (RS256, &public), (ES256, &public)] {
        let dot = token.rfind('.').expect("a signature");
        let mut changed = decoded(&token[dot + 1..]);
        for at in [0, changed.len() - 1] {
            changed[at] ^= 1;
            let token = format!("{}.{}", &token[..dot], URL_SAFE_NO_PAD.encode(&changed));
            assert_eq!(judge(&token, keys), Err(Refusal::Signature), "{token}");
            changed[at] ^= 1;
        }
        let cut = format!("{}.{}", &token[..dot], URL_SAFE_NO_PAD.encode(&changed[1..]));
        assert_eq!(judge(&cut, keys), Err(Refusal::Signature));
        assert_eq!(judge(&token[..=dot], keys), Err(Refusal::Signature), "no signature");
    }
}

/// A token with this header, its other parts from the example of HS256.
fn with_header(header: &str, key: &[u8]) -> String {
    let claims = HS256.split('.').nth(1).expect("claims");
    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn a_token_does_not_choose_what_a_key_is() {
    let public = set(&format!("{}, {}", rsa(""), ec(""))).expect("keys");
    // Not signed at all, in any spelling.
    for alg in ["none", "None", "NONE", "", "hs256", "RS1", "ES256K", "A128GCM"] {
        let token = with_header(&format!(r#"{{"alg": "{alg}"}}"#), b"x");
        assert_eq!(judge(&token, &public), Err(Refusal::Algorithm), "{alg}");
    }
    assert_eq!(judge(NONE, &public), Err(Refusal::Algorithm));
    // A public key in the place of a shared secret, as whoever reads it has it.
    let header = r#"{"alg": "HS256"}"#;
    let point = [vec![4], decoded(EC_X), decoded(EC_Y)].concat();
    for secret in [decoded(RSA_N), RSA_N.into(), rsa("").into_bytes(), point] {
        assert_eq!(judge(&with_header(header, &secret), &public), Err(Refusal::Algorithm));
    }
    // The key of one family with the algorithm of another.
    let elliptic = set(&ec("")).expect("a key");
    assert_eq!(judge(RS256, &elliptic), Err(Refusal::Algorithm));
    assert_eq!(judge(RS256, &shared()), Err(Refusal::Algorithm));
    // A key that its owner uses in another way.
    for more in [r#", "alg": "PS256""#, r#", "alg": "RS512""#] {
        let restricted = set(&rsa(more)).expect("a key");
        assert_eq!(judge(RS256, &restricted), Err(Refusal::Algorithm));
    }
    assert_eq!(
        judge(RS256, &set(&rsa(r#", "alg": "RS256", "use": "sig""#)).expect("a key")),
        Ok(())
    );
}

#[test]
fn a_key_of_another_name_is_not_tried() {
    let header = r#"{"alg": "HS256", "kid": "b"}"#;
    let secret = decoded(SHARED_KEY);
    let token = with_header(header, &secret);
    let named = |name: Option<&str>| {
        KeySet::new(vec![Key::shared(name.map(str::to_owned), &secret).expect("a key")])
    };
    assert_eq!(judge(&token, &named(Some("b"))), Ok(()));
    assert_eq!(judge(&token, &named(None)), Ok(()), "a key for all");
    assert_eq!(judge(&token, &named(Some("a"))), Err(Refusal::Key));
    assert_eq!(judge(HS256, &named(Some("a"))), Ok(()), "a token that names none");
    assert_eq!(judge(HS256, &KeySet::default()), Err(Refusal::Key));
}

#[test]
fn what_is_no_access_token_is_refused() {
    let secret = decoded(SHARED_KEY);
    let judge = |more: &str| {
        judge(&with_header(&format!(r#"{{"alg": "HS256"{more}}}"#), &secret), &shared())
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
        assert_eq!(judge(&format!(r#", "typ": "{typ}""#)), Ok(()), "{typ}");
    }
    for typ in ["logout+jwt", "secevent+jwt", "JOSE", ""] {
        assert_eq!(judge(&format!(r#", "typ": "{typ}""#)), Err(Refusal::Type), "{typ}");
    }
    assert_eq!(judge(r#", "crit": ["exp"]"#), Err(Refusal::Type));
    assert_eq!(judge(r#", "crit": ["b64"], "b64": false"#), Err(Refusal::Type));
}

#[test]
fn what_is_no_signed_token_is_none() {
    let claims = HS256.split('.').nth(1).expect("claims");
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for token in [
        "",
        "opaque",
        "a.b",
        "a.b.c.d.e",
        "..",
        &format!("{HS256}."),
        &format!("{HS256}="),
        &format!("{}.{claims}.", encode("[]")),
        &format!("{}.{claims}.", encode("{}")),
        &format!("{}.{}.", encode(r#"{"alg":"HS256"}"#), encode("7")),
        // Two of one: readers could see different ones.
        &format!("{}.{claims}.", encode(r#"{"alg":"HS256","alg":"none"}"#)),
    ] {
        assert!(Jws::parse(token.as_bytes()).is_none(), "{token}");
    }
}

#[test]
fn keys_that_are_of_no_use_here_are_passed_over() {
    let useless = [
        r#"{"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.to_owned(),
        rsa(r#", "use": "enc""#),
        rsa(r#", "alg": "RSA-OAEP""#),
        rsa(r#", "alg": "HS256""#),
        rsa(r#", "alg": "ES256""#),
        // 512 bits.
        format!(r#"{{"kty": "RSA", "n": "{}", "e": "AQAB"}}"#, &RSA_N[..86]),
        r#"{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}"#.to_owned(),
        ec("").replace("P-256", "P-384"),
        ec("").replace("f83O", "f83P"), // not on the curve
        ec("").replace("P-256", "secp256k1"),
        r#"{"kty": "OKP", "crv": "X25519", "x": "AAAA"}"#.to_owned(),
        r#"{"kty": 7}"#.to_owned(),
        "7".to_owned(),
    ];
    for key in &useless {
        assert_eq!(set(key).err(), Some(Unreadable::Empty), "{key}");
        assert_eq!(set(&format!("{key}, {}", ec(""))).expect("one key").len(), 1, "{key}");
    }
    for text in ["", "{}", "[]", r#"{"keys": {}}"#, "<html>"] {
        assert_eq!(KeySet::parse(text.as_bytes()).err(), Some(Unreadable::NotJson), "{text}");
    }
    assert_eq!(set("").err(), Some(Unreadable::Empty));
    let many = vec![ec(""); KeySet::MAX + 1].join(",");
    assert_eq!(set(&many).err(), Some(Unreadable::TooMany));
}

#[test]
fn a_shared_key_is_as_long_as_its_hash() {
    let algorithms = |bytes| {
        let key = Key::shared(None, &vec![7; bytes]);
        key.map(|key| key.verifiers.iter().map(|(algorithm, _)| *algorithm).collect::<Vec<_>>())
    };
    use Algorithm::{Hs256, Hs384, Hs512};
    assert_eq!(algorithms(31), Err(super::material::BadKey::Short));
    assert_eq!(algorithms(32), Ok(vec![Hs256]));
    assert_eq!(algorithms(48), Ok(vec![Hs256, Hs384]));
    assert_eq!(algorithms(64), Ok(vec![Hs256, Hs384, Hs512]));
    assert!(!format!("{:?}", shared()).contains("AyM1"));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(keys: Vec<u8>, token: Vec<u8>) {
        let _ = KeySet::parse(&keys);
        assert!(!crate::fuzzing::token(&keys, &token));
    }
}
