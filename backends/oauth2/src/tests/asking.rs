//! Asking the issuer about tokens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{Secret, Unavailable, UnavailableKind, Username};

use super::issuer::{Does, Issuer, manners};
use crate::claims::{Claimed, Refusal, Rules};
use crate::config::{Asking, Identity, Introspect};
use crate::introspection::{Introspection, Shown};
use crate::web::Url;

const BOB: &str = r#"{"active": true, "username": "bob", "exp": 5000}"#;

fn rules() -> Rules {
    Rules {
        issuers: vec!["https://id.example".into()],
        audiences: Vec::new(),
        scopes: Vec::new(),
        user_claim: "username".into(),
        domain: None,
        leeway: 0,
    }
}

fn asking(issuer: &Issuer, remember: u64) -> Introspection {
    asking_at(issuer.url(), remember)
}

fn asking_at(url: Url, remember: u64) -> Introspection {
    let identity = Identity::Client("us".into(), Secret::new(*b"s3cret"));
    let remember = Duration::from_secs(remember);
    let asking = Asking { url, identity, which: Introspect::Opaque, remember };
    Introspection::new(asking, manners(Duration::from_millis(500)))
}

/// Whose the token is at the time `now`.
async fn judge(
    asking: &Introspection,
    token: &str,
    now: u64,
) -> Result<Result<String, Refusal>, Unavailable> {
    let bob = Username::parse(b"bob").expect("a name");
    let token = Secret::new(token.as_bytes());
    let shown = Shown { token: &token, asker: &bob, is_asker: &|_| true, signed: None };
    let judged = asking.judge(shown, &rules(), now).await?;
    Ok(judged.map(|claimed| claimed.user.to_string()))
}

#[tokio::test]
async fn the_issuer_is_asked_in_a_form_and_over_one_connection() {
    let issuer = Issuer::start(Does::Answers(200, BOB.into())).await;
    let asking = asking(&issuer, 0);
    for _ in 0..3 {
        assert_eq!(judge(&asking, "a+b/c&d==", 0).await, Ok(Ok("bob".into())));
    }
    let heard = issuer.heard();
    assert_eq!((heard.len(), issuer.connections()), (3, 1));
    let basic = format!("\r\nAuthorization: Basic {}\r\n", STANDARD.encode("us:s3cret"));
    for part in [
        "POST /at?x=1 HTTP/1.1\r\nHost: 127.0.0.1:",
        "\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        &basic,
        "\r\n\r\ntoken=a%2Bb%2Fc%26d%3D%3D&token_type_hint=access_token",
    ] {
        assert!(heard[2].contains(part), "{part}: {}", heard[2]);
    }
}

#[tokio::test]
async fn a_good_token_is_remembered_until_it_expires_and_a_bad_one_never() {
    let issuer = Issuer::start(Does::Answers(200, BOB.into())).await;
    let asking = asking(&issuer, 600);
    assert_eq!(judge(&asking, "t", 0).await, Ok(Ok("bob".into())));
    issuer.does(Does::Answers(200, r#"{"active": false}"#.into()));
    assert_eq!(judge(&asking, "t", 4999).await, Ok(Ok("bob".into())));
    assert_eq!(issuer.heard().len(), 1);
    assert_eq!(judge(&asking, "t", 5000).await, Ok(Err(Refusal::Inactive)));
    for _ in 0..3 {
        assert_eq!(judge(&asking, "other", 0).await, Ok(Err(Refusal::Inactive)));
    }
    assert_eq!(issuer.heard().len(), 4);
    assert_eq!(asking.forget("b?b"), 1);
    assert_eq!(judge(&asking, "t", 0).await, Ok(Err(Refusal::Inactive)));
}

#[tokio::test]
async fn a_token_that_somebody_else_shows_is_not_remembered() {
    let issuer = Issuer::start(Does::Answers(200, BOB.into())).await;
    let asking = asking(&issuer, 600);
    let (thief, token) = (Username::parse(b"zzz").expect("a name"), Secret::new(*b"t"));
    let is_asker = |named: &Username| *named == thief;
    let shown = Shown { token: &token, asker: &thief, is_asker: &is_asker, signed: None };
    assert!(asking.judge(shown, &rules(), 0).await.expect("an answer").is_ok());
    assert_eq!(asking.forget("*"), 0);
    assert_eq!(judge(&asking, "t", 0).await, Ok(Ok("bob".into())));
    assert_eq!((issuer.heard().len(), asking.forget("bob")), (2, 1));
}

#[tokio::test]
async fn of_a_signed_token_the_issuer_says_whether_it_counts() {
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 0);
    let (bob, token) = (Username::parse(b"bob").expect("a name"), Secret::new(*b"t"));
    let signed = Claimed { user: bob.clone(), expires: Some(5000) };
    let rows = [
        // All that RFC 7662 demands.
        (r#"{"active": true}"#, Ok(signed.clone())),
        (r#"{"active": true, "username": "bob"}"#, Ok(signed.clone())),
        (r#"{"active": true, "username": "ann"}"#, Err(Refusal::Somebody)),
        (r#"{"active": false}"#, Err(Refusal::Inactive)),
    ];
    for (body, expected) in rows {
        issuer.does(Does::Answers(200, body.into()));
        let shown =
            Shown { token: &token, asker: &bob, is_asker: &|_| true, signed: Some(&signed) };
        assert_eq!(asking.judge(shown, &rules(), 9).await, Ok(expected), "{body}");
    }
}

#[tokio::test]
async fn an_issuer_in_trouble_is_no_verdict() {
    use UnavailableKind::{Dead, Fault, Timeout};
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 600);
    let huge = format!(r#"{{"active": true, "x": "{}"}}"#, "x".repeat(70_000));
    let troubles = [
        (Does::Hangs, Timeout),
        (Does::Answers(500, BOB.into()), Dead),
        (Does::Answers(503, String::new()), Dead),
        (Does::Answers(429, String::new()), Dead),
        (Does::Answers(401, r#"{"active": false}"#.into()), Fault),
        (Does::Answers(302, String::new()), Fault),
        (Does::Answers(404, "no".into()), Fault),
        (Does::Answers(200, "<html>".into()), Fault),
        (Does::Answers(200, huge), Fault),
        (Does::Sends(b"\0\0\0".to_vec()), Fault),
        (Does::Sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec()), Fault),
        (Does::Sends([b"HTTP/1.1 200 OK\r\nX: ", &[b'x'; 99_999][..]].concat()), Fault),
    ];
    for (trouble, kind) in troubles {
        let what = format!("{:.40}", format!("{trouble:?}"));
        issuer.does(trouble);
        let error = judge(&asking, "sesame", 0).await.expect_err(&what);
        assert_eq!(error.kind, kind, "{what}: {error}");
        let url = issuer.url().to_string();
        assert!(error.detail.starts_with(&url), "{what}: {error}");
        assert!(!error.detail.contains("sesame") && !error.detail.contains("s3cret"), "{error}");
    }
    issuer.does(Does::Answers(200, BOB.into()));
    assert_eq!(judge(&asking, "t", 0).await, Ok(Ok("bob".into())));
    drop(issuer);
    // Who was here lately still is; the connection that was kept is of no use.
    assert_eq!(judge(&asking, "t", 0).await, Ok(Ok("bob".into())));
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_no_verdict() {
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 600);
    drop(issuer);
    tokio::task::yield_now().await;
    assert_eq!(judge(&asking, "t", 0).await.expect_err("nobody").kind, UnavailableKind::Dead);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_anew() {
    let issuer = Issuer::start(Does::AnswersAndLeaves(BOB.into())).await;
    let asking = asking(&issuer, 0);
    for _ in 0..5 {
        assert_eq!(judge(&asking, "t", 0).await, Ok(Ok("bob".into())));
    }
    assert_eq!(issuer.heard().len(), 5);
}

#[tokio::test]
async fn a_connection_on_which_nobody_listens_any_more_is_made_anew() {
    let issuer = Issuer::start(Does::AnswersOnce(BOB.into())).await;
    let asking = asking(&issuer, 0);
    for _ in 0..5 {
        assert_eq!(judge(&asking, "t", 0).await, Ok(Ok("bob".into())));
    }
    assert!(issuer.heard().len() > 5, "connections are used again");
}

#[tokio::test]
async fn an_answer_has_the_forms_of_http_and_no_other() {
    let good = [
        "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{BODY}",
        "HTTP/1.1 200 \r\nconnection: x, Close\r\ncontent-length: 48\r\n\r\n{BODY}",
        "HTTP/1.0 200 OK\r\n\r\n{BODY}",
        "HTTP/1.1 200 OK\r\n\r\n{BODY}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30;x=y\r\n{BODY}\r\n0\r\nA: b\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{BODY}",
        // Something follows that nobody asked for.
        "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{BODY}HTTP/1.1 500 Oh\r\n\r\n",
    ];
    let bad = [
        "HTTP/1.1 200 OK\r\nContent-Length: +48\r\n\r\n{BODY}",
        "HTTP/1.1 200 OK\r\nContent-Length: 48\r\nContent-Length: 49\r\n\r\n{BODY} ",
        "HTTP/1.1 200 OK\r\nContent-Length: 49\r\n\r\n{BODY}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{BODY}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n{BODY}x\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n{BODY}\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{BODY}{SPACE}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n111a0\r\n{BODY}{SPACE}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n{HEADERS}\r\n{BODY}",
        "HTTP/1.1 101 Up\r\n\r\n{BODY}",
        "HTTP/2.0 200 OK\r\nContent-Length: 48\r\n\r\n{BODY}",
        "{BODY}",
        "",
    ];
    let (space, headers) = (" ".repeat(70_000), "A: b\r\n".repeat(1_000));
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 0);
    for (form, is_good) in good.map(|form| (form, true)).into_iter().chain(bad.map(|f| (f, false)))
    {
        let said = form.replace("{BODY}", BOB).replace("{SPACE}", &space);
        issuer.does(Does::Sends(said.replace("{HEADERS}", &headers).into_bytes()));
        match judge(&asking, "t", 0).await {
            Ok(judged) => assert!(is_good && judged == Ok("bob".into()), "{form}"),
            Err(error) => {
                assert!(!is_good && error.kind == UnavailableKind::Fault, "{form}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_sent_on_to_somebody_else() {
    let other = Issuer::start(Does::Answers(200, BOB.into())).await;
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 0);
    for status in [301, 302, 303, 307, 308] {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: {}\r\n\r\n", other.url());
        issuer.does(Does::Sends(head.into_bytes()));
        let error = judge(&asking, "t", 0).await.expect_err("no answer");
        assert_eq!(error.kind, UnavailableKind::Fault, "{error}");
    }
    assert_eq!((issuer.heard().len(), other.connections()), (5, 0));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_no_verdict() {
    let issuer = Issuer::start(Does::Hangs).await;
    let hanging = asking_at(issuer.url_by("https"), 0);
    let error = judge(&hanging, "t", 0).await.expect_err("no answer");
    assert_eq!(error.kind, UnavailableKind::Timeout, "{error}");
    assert!(issuer.heard().is_empty());
}

#[tokio::test]
async fn there_are_no_more_connections_than_allowed_and_who_waits_has_a_deadline_too() {
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 0);
    let one = || judge(&asking, "t", 0);
    let all = tokio::join!(one(), one(), one(), one(), one());
    for judged in [all.0, all.1, all.2, all.3, all.4] {
        assert_eq!(judged.expect_err("no answer").kind, UnavailableKind::Timeout);
    }
    assert_eq!((issuer.connections(), issuer.heard().len()), (2, 2));
}

#[tokio::test]
async fn what_the_issuer_says_of_a_token_is_judged() {
    let issuer = Issuer::start(Does::Hangs).await;
    let asking = asking(&issuer, 0);
    let rows = [
        (r#"{"active": true, "username": "bob"}"#, Ok("bob".to_owned())),
        (r#"{"active": true, "sub": "bob"}"#, Err(Refusal::Nameless)),
        (r#"{"active": true, "username": "bob", "exp": 1}"#, Err(Refusal::Expired)),
        (r#"{"active": true, "username": "bob", "iss": "x"}"#, Err(Refusal::Foreign)),
        (r#"{"active": false, "username": "bob"}"#, Err(Refusal::Inactive)),
    ];
    for (body, expected) in rows {
        issuer.does(Does::Answers(200, body.into()));
        assert_eq!(judge(&asking, "t", 9).await, Ok(expected), "{body}");
    }
}
