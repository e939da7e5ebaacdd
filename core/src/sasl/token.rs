//! The one message of OAUTHBEARER (RFC 7628 section 3.1) and of XOAUTH2: a
//! user's name and a token.
//!
//! ```text
//!   OAUTHBEARER   n,a=bob@corp.example,^Ahost=h^Aport=p^Aauth=Bearer TOKEN^A^A
//!   XOAUTH2       user=bob@corp.example^Aauth=Bearer TOKEN^A^A
//! ```

use super::{Credentials, Malformed, UnusableLogin, login_name};
use crate::{NameError, Secret, TokenIssuer};

/// What a client of OAUTHBEARER reads whose token was refused (RFC 7628 section
/// 3.2.2). It answers, and then the exchange has failed.
pub(super) fn bearer_refused(issuer: Option<&TokenIssuer>) -> Vec<u8> {
    let mut text = String::from(r#"{"status":"invalid_token""#);
    tell(&mut text, "scope", issuer.and_then(|issuer| issuer.scope.as_deref()));
    tell(&mut text, "openid-configuration", issuer.and_then(|i| i.configuration.as_deref()));
    text.push('}');
    text.into_bytes()
}

/// The same for XOAUTH2, which has its status from HTTP.
pub(super) fn xoauth2_refused(issuer: Option<&TokenIssuer>) -> Vec<u8> {
    let mut text = String::from(r#"{"status":"401","schemes":"bearer""#);
    tell(&mut text, "scope", issuer.and_then(|issuer| issuer.scope.as_deref()));
    text.push('}');
    text.into_bytes()
}

/// Appends a member of a JSON object, if there is a value that needs no escape.
fn tell(text: &mut String, name: &str, value: Option<&str>) {
    let plain = |value: &&str| {
        value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
    };
    if let Some(value) = value.filter(plain) {
        text.push_str(&format!(r#","{name}":"{value}""#));
    }
}

/// Between the fields, and twice at the end.
const SEPARATOR: u8 = 1;

/// Parses a message of OAUTHBEARER. A message without a name has an empty one,
/// and is the login of whomever the token names.
pub(super) fn bearer(message: &[u8], max_name: usize) -> Result<Credentials, Malformed> {
    let fields = fields(message)?;
    let (header, fields) = fields.split_first().ok_or(Malformed::Message)?;
    let header = std::str::from_utf8(header).map_err(|_| Malformed::Message)?;
    // No binding is defined for it: n or y.
    let identity = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"));
    let identity = identity.and_then(|rest| rest.strip_suffix(',')).ok_or(Malformed::Message)?;
    let name = match identity.strip_prefix("a=") {
        Some(name) => name.replace("=2C", ",").replace("=3D", "="),
        None if identity.is_empty() => String::new(),
        None => return Err(Malformed::Message),
    };
    credentials(name.as_bytes(), token(fields)?, max_name)
}

/// Parses a message of XOAUTH2.
pub(super) fn xoauth2(message: &[u8], max_name: usize) -> Result<Credentials, Malformed> {
    let fields = fields(message)?;
    let name = value(&fields, b"user=").ok_or(Malformed::Message)?;
    credentials(name, token(&fields)?, max_name)
}

fn credentials(name: &[u8], token: &[u8], max_name: usize) -> Result<Credentials, Malformed> {
    let user = match name.is_empty() {
        true => Err(UnusableLogin::Name(NameError::Empty)),
        false => login_name(name, max_name),
    };
    Ok(Credentials { user, secret: Secret::new(token) })
}

/// The fields of a message, which ends in two separators.
fn fields(message: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let body = message.strip_suffix(&[SEPARATOR, SEPARATOR]).ok_or(Malformed::Message)?;
    Ok(body.split(|byte| *byte == SEPARATOR).collect())
}

fn token<'a>(fields: &[&'a [u8]]) -> Result<&'a [u8], Malformed> {
    const SCHEME: &[u8] = b"bearer ";
    let auth = value(fields, b"auth=").ok_or(Malformed::Message)?;
    let (scheme, token) = auth.split_at_checked(SCHEME.len()).ok_or(Malformed::Message)?;
    let is_token = !token.is_empty() && token.iter().all(u8::is_ascii_graphic);
    (scheme.eq_ignore_ascii_case(SCHEME) && is_token).then_some(token).ok_or(Malformed::Message)
}

fn value<'a>(fields: &[&'a [u8]], name: &[u8]) -> Option<&'a [u8]> {
    fields.iter().find_map(|field| field.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parse = fn(&[u8], usize) -> Result<Credentials, Malformed>;

    /// The user and the token, or why there are none.
    type Parsed = Result<(String, String), Malformed>;

    fn parsed(parse: Parse, message: &str) -> Parsed {
        parse(message.as_bytes(), 255).map(|Credentials { user, secret }| {
            let user = user.map_or_else(|error| error.to_string(), |name| name.to_string());
            (user, String::from_utf8_lossy(secret.expose()).into_owned())
        })
    }

    #[test]
    fn messages_are_parsed_exactly() {
        let is = |user: &str, token: &str| Ok((user.to_owned(), token.to_owned()));
        // The example of RFC 7628 section 4.1.
        let example = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
                       auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
        let nobody = "user name: the name is empty";
        let rows: &[(Parse, &str, Parsed)] = &[
            (bearer, example, is("user@example.com", token)),
            (bearer, "n,a=a=2Cb,\x01auth=bearer x\x01\x01", is("a,b", "x")),
            (bearer, "n,,\x01auth=Bearer x\x01\x01", is(nobody, "x")),
            (bearer, "n,a=bob,\x01auth=Bearer \x01\x01", Err(Malformed::Message)),
            (bearer, "n,a=bob,\x01auth=Basic abcd\x01\x01", Err(Malformed::Message)),
            (bearer, "n,a=bob,\x01auth=Bearer x\x01", Err(Malformed::Message)),
            (bearer, "p=tls-unique,a=bob,\x01auth=Bearer x\x01\x01", Err(Malformed::Message)),
            (bearer, "n,bob,\x01auth=Bearer x\x01\x01", Err(Malformed::Message)),
            (bearer, "n,a=bob,\x01host=x\x01\x01", Err(Malformed::Message)),
            (bearer, "", Err(Malformed::Message)),
            (xoauth2, "user=bob@corp.example\x01auth=Bearer ya29.v\x01\x01", {
                is("bob@corp.example", "ya29.v")
            }),
            (xoauth2, "user=\x01auth=Bearer x\x01\x01", is(nobody, "x")),
            (xoauth2, "auth=Bearer x\x01\x01", Err(Malformed::Message)),
            (xoauth2, "user=bob\x01\x01", Err(Malformed::Message)),
        ];
        for (parse, message, expected) in rows {
            assert_eq!(parsed(*parse, message), *expected, "{message}");
        }
    }

    #[test]
    fn a_refusal_says_where_a_better_token_is_had() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let issuer = TokenIssuer {
            scope: Some("mail openid".into()),
            configuration: Some("https://id.example/.well-known/openid-configuration".into()),
            named: None,
        };
        assert_eq!(
            text(bearer_refused(Some(&issuer))),
            "{\"status\":\"invalid_token\",\"scope\":\"mail openid\",\"openid-configuration\":\
             \"https://id.example/.well-known/openid-configuration\"}"
        );
        let expected = r#"{"status":"401","schemes":"bearer","scope":"mail openid"}"#;
        assert_eq!(text(xoauth2_refused(Some(&issuer))), expected);
        let odd = TokenIssuer { scope: Some("a\"b".into()), ..TokenIssuer::default() };
        for issuer in [None, Some(&odd)] {
            assert_eq!(text(bearer_refused(issuer)), r#"{"status":"invalid_token"}"#);
            assert_eq!(text(xoauth2_refused(issuer)), r#"{"status":"401","schemes":"bearer"}"#);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let _ = (bearer(&bytes, 255), xoauth2(&bytes, 255));
        }
    }
}
