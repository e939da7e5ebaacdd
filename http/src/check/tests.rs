//! Requests and answers, and the description against the real thing.

mod described;

use dmail_core::{Origin, Transport};
use serde_json::{Value, json};

use super::*;
use crate::testing::{ask, asker};

const POST: &str = "HTTP/1.1\nContent-Type: application/json";

fn api(key: Option<&str>) -> Api {
    let key = key.and_then(|key| Key::from_file(key.as_bytes()));
    Api::new(asker(), Options { key, service: Through::Web })
}

async fn post(api: &Api, path: &str, body: &Value) -> (u16, Value) {
    let response = ask(api, &format!("POST {path} {POST}"), &body.to_string()).await;
    assert_eq!(response.header("Retry-After").is_some(), response.status().code() == 503);
    (response.status().code(), serde_json::from_slice(response.body()).expect("JSON"))
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_a_200_and_no_decision_is_a_503() {
    let api = api(None);
    let account = |name: &str| json!({"name": name, "info": {"name": "Ann Lee"}});
    let accepted = |name: &str| json!({"result": "accepted", "account": account(name)});
    let rejected = |reason: &str, message: &str| json!({"result": "rejected", "reason": reason, "message": message});
    let unavailable = |reason: &str| {
        let message = "nobody could decide; ask again later";
        json!({"result": "unavailable", "reason": reason, "message": message})
    };
    let wrong = || rejected("not-verified", "wrong user name or password");
    let rows = [
        ("bob", "right", (200, accepted("bob"))),
        ("bob", "wrong", (200, wrong())),
        ("bob", "", (200, wrong())),
        ("nobody", "right", (200, wrong())),
        ("a b", "right", (200, wrong())),
        ("", "right", (200, wrong())),
        ("closed", "wrong", (200, wrong())),
        ("closed", "right", (200, rejected("account-disabled", "this account is closed"))),
        ("down", "right", (503, unavailable("source-down"))),
        ("slow", "right", (503, unavailable("timeout"))),
    ];
    for (user, password, expected) in rows {
        let body = json!({"user": user, "password": password, "client": "192.0.2.7"});
        assert_eq!(post(&api, "/v1/check", &body).await, expected, "{user} {password}");
    }
    let unknown = || rejected("unknown-user", "there is no such user");
    let rows = [
        ("bob", (200, accepted("bob"))),
        ("nobody", (200, unknown())),
        ("a b", (200, unknown())),
        ("down", (503, unavailable("source-down"))),
    ];
    for (user, expected) in rows {
        let body = json!({"user": user, "service": "smtp", "local": "::1"});
        assert_eq!(post(&api, "/v1/lookup", &body).await, expected, "{user}");
    }
}

#[test]
fn a_question_says_where_it_comes_from() {
    let origin = |more: &str| {
        let body: message::LookupBody =
            serde_json::from_str(&format!(r#"{{"user":"bob"{more}}}"#)).expect(more);
        body.origin(Through::Web)
    };
    let plain = Origin { dialect: Some("http"), ..Origin::local(Through::Web) };
    let session = dmail_core::SessionId::parse(b"7f-1");
    let rows = [
        ("", plain),
        (r#","client":null,"service":null,"transport":null,"session":null"#, plain),
        (r#","client":"::ffff:192.0.2.7""#, Origin { client: "192.0.2.7".parse().ok(), ..plain }),
        (r#","transport":"insecure""#, Origin { transport: Transport::Insecure, ..plain }),
        (r#","transport":"secured""#, Origin { transport: Transport::Secured, ..plain }),
        (r#","transport":"tls""#, Origin { transport: Transport::Tls, ..plain }),
        (
            r#","transport":"tls-client-cert""#,
            Origin { transport: Transport::TlsClientCert, ..plain },
        ),
        (r#","session":"7f-1""#, Origin { session, ..plain }),
        (r#","session":"7f 1""#, plain),
    ];
    for (more, expected) in rows {
        assert_eq!(origin(more), expected, "{more}");
    }
}

#[tokio::test]
async fn what_is_no_question_is_told_what_it_lacks() {
    let api = api(None);
    let rows = [
        ("POST /v1/check HTTP/1.1", "{}", 415, "the body has to be JSON"),
        ("POST /v1/check HTTP/1.1\nContent-Type: text/plain", "{}", 415, "JSON"),
        ("GET /v1/check HTTP/1.1", "", 405, "another way"),
        ("POST /v1/openapi.json HTTP/1.1", "", 405, "another way"),
        ("POST /v2/check HTTP/1.1", "", 404, "openapi"),
        (&format!("POST /v1/check {POST}"), "", 400, "JSON object"),
        (&format!("POST /v1/check {POST}; charset=utf-8"), "{}", 400, "missing field `user`"),
        (&format!("POST /v1/check {POST}"), r#"{"user":"bob"}"#, 400, "`password`"),
        (&format!("POST /v1/check {POST}"), r#"{"user":1}"#, 400, "expected a string"),
        (&format!("POST /v1/check {POST}"), r#"{"username":1}"#, 400, "unknown field `username`"),
        (&format!("POST /v1/check {POST}"), r#"{"user":"a","user":"b"}"#, 400, "duplicate"),
        (&format!("POST /v1/lookup {POST}"), r#"{"user":"a","client":"x"}"#, 400, "IP address"),
        (&format!("POST /v1/lookup {POST}"), r#"{"user":"a","service":"admin"}"#, 400, "variant"),
        (&format!("POST /v1/lookup {POST}"), r#"{"user":"a","transport":"x"}"#, 400, "variant"),
        (&format!("POST /v1/check {POST}"), r#"["bob","right"]"#, 400, "JSON object"),
        (&format!("POST /v1/check {POST}"), "{", 400, "EOF"),
        (&format!("POST /v1/lookup {POST}"), r#"{"user":"a"} x"#, 400, "trailing"),
    ];
    for (head, body, status, message) in rows {
        let response = ask(&api, head, body).await;
        assert_eq!(response.status().code(), status, "{head} {body}");
        let answer: Value = serde_json::from_slice(response.body()).expect("JSON");
        assert_eq!(answer["error"], message::error_id(response.status()));
        let found = answer["message"].as_str().expect("a text");
        assert!(found.contains(message), "{found:?} for {body}");
    }
}

#[tokio::test]
async fn the_secret_is_asked_for_before_anything_is_read() {
    let api = api(Some("opensesame"));
    let rows = [
        ("Authorization: Bearer opensesame", 400),
        ("authorization: bearer opensesame", 400),
        ("Authorization: Bearer opensesam", 401),
        ("Authorization: opensesame", 401),
        ("X-Other: opensesame", 401),
        ("Authorization: Bearer opensesame\nAuthorization: Bearer opensesame", 401),
    ];
    for (header, status) in rows {
        let response = ask(&api, &format!("POST /v1/check {POST}\n{header}"), "{").await;
        assert_eq!(response.status().code(), status, "{header}");
        assert_eq!(response.header("WWW-Authenticate").is_some(), status == 401);
    }
    let description = ask(&api, "GET /v1/openapi.json HTTP/1.1", "").await;
    assert_eq!(description.status(), Status::Ok);
}

#[test]
fn the_description_is_that_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let made = format!("{:#}\n", openapi::document());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).expect("docs/ can be written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == made, "run UPDATE_DOCS=1 cargo test -p dmail-http description");
}
