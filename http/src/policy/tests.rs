//! Requests of Dovecot, and what it is told.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::testing::ask;

/// Says what its user's name says, and writes down what it is told.
#[derive(Default)]
struct Book(Mutex<Vec<String>>);

impl Guesses for Book {
    fn weigh(&self, guess: &Guess) -> Advice {
        match guess.user.as_str() {
            "refused" => Advice::Refuse,
            "delayed" => Advice::Delay(Duration::from_millis(1500)),
            _ => Advice::Allow,
        }
    }

    fn note(&self, guess: &Guess, right: bool) {
        let Origin { client, service, .. } = guess.origin;
        let tag = String::from_utf8_lossy(&guess.tag);
        let line = format!("{} {client:?} {service} {tag} {right}", guess.user);
        self.0.lock().expect("no panic").push(line);
    }
}

fn service(key: Option<&str>) -> (Arc<Book>, AuthPolicy) {
    let book = Arc::new(Book::default());
    let key = key.and_then(|key| Key::from_file(key.as_bytes()));
    (Arc::clone(&book), AuthPolicy::new(book, key))
}

async fn post(service: &AuthPolicy, command: &str, body: &str) -> String {
    let head = format!("POST /?command={command} HTTP/1.1\nContent-Type: application/json");
    let response = ask(service, &head, body).await;
    let body = String::from_utf8(response.body().to_vec()).expect("JSON");
    format!("{} {body}", response.status().code())
}

#[tokio::test]
async fn dovecot_is_told_to_go_on_to_wait_or_to_refuse() {
    let (_, service) = service(None);
    let rows = [("bob", 0), ("delayed", 2), ("refused", -1), ("", 0), ("a b", 0)];
    for (login, status) in rows {
        let body = format!(
            "{{\"device_id\":\"\",\"login\":\"{login}\",\"protocol\":\"imap\",\
             \"pwhash\":\"0c3f\",\"remote\":\"192.0.2.7\"}}"
        );
        let expected = format!("200 {{\"status\":{status},\"msg\":\"\"}}");
        assert_eq!(post(&service, "allow", &body).await, expected, "{login}");
    }
}

#[test]
fn a_request_says_where_the_login_comes_from() {
    let rows = [
        ("", Transport::Unknown, None),
        (
            r#","tls":true,"session_id":"c3czgQcVdMKsEQAB""#,
            Transport::Tls,
            Some("c3czgQcVdMKsEQAB"),
        ),
        (r#","tls":false,"session_id":"""#, Transport::Unknown, None),
        (r#","tls":"TLSv1.3","session_id":"a b""#, Transport::Unknown, None),
    ];
    for (more, transport, session) in rows {
        let body = format!(r#"{{"login":"bob","remote":"192.0.2.7","protocol":"imap"{more}}}"#);
        let body: Body = json::object(body.as_bytes()).expect("policy JSON");
        let origin = body.guess().expect("a name").origin;
        assert_eq!(origin.transport, transport, "{more}");
        assert_eq!(origin.session.map(|name| name.to_string()).as_deref(), session, "{more}");
        assert_eq!((origin.service, origin.dialect), (Through::Imap, Some("auth-policy")));
    }
}

#[tokio::test]
async fn only_what_says_something_of_the_password_is_counted() {
    let (book, service) = service(None);
    let rows = [
        ("\"success\":true,\"policy_reject\":false", Some(true)),
        ("\"success\":false,\"policy_reject\":false", Some(false)),
        ("\"success\":false,\"policy_reject\":true", None),
        ("\"success\":false,\"fail_type\":\"credentials\"", Some(false)),
        ("\"success\":false,\"fail_type\":\"account\"", Some(false)),
        ("\"success\":false,\"fail_type\":\"internal\"", None),
        ("\"success\":false,\"fail_type\":\"disabled\"", None),
        ("\"success\":false,\"fail_type\":\"expired\"", None),
    ];
    for (end, counted) in rows {
        let body = format!(
            "{{\"login\":\"bob\",\"protocol\":\"pop3\",\"pwhash\":\"0c3f\",\
             \"remote\":\"::ffff:192.0.2.7\",\"tls\":true,\"attrs\":{{\"x\":1}},{end}}}"
        );
        assert_eq!(post(&service, "report", &body).await, "200 {\"status\":0,\"msg\":\"\"}");
        let noted = std::mem::take(&mut *book.0.lock().expect("no panic"));
        let expected: Vec<_> = counted
            .map(|right| format!("bob Some(192.0.2.7) pop3 0c3f {right}"))
            .into_iter()
            .collect();
        assert_eq!(noted, expected, "{end}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_dovecots_is_refused_and_counts_nothing() {
    let (book, service) = service(None);
    for (command, body) in
        [("allow", ""), ("allow", "{\"login\":1}"), ("report", "[]"), ("x", "{}")]
    {
        let answer = post(&service, command, body).await;
        assert!(answer.starts_with("400 {\"msg\":"), "{answer}");
    }
    let get = ask(&service, "GET /?command=allow HTTP/1.1", "").await;
    assert_eq!((get.status(), get.header("Allow")), (Status::MethodNotAllowed, Some("POST")));
    let ping = ask(&service, "GET /?x=y&command=ping HTTP/1.1", "").await;
    assert_eq!(ping.body(), b"{\"status\":\"ok\"}");
    assert_eq!(*book.0.lock().expect("no panic"), Vec::<String>::new());
}

#[tokio::test]
async fn the_secret_is_shown_in_either_header() {
    let (_, service) = service(Some("opensesame"));
    let rows = [
        ("Authorization: Bearer opensesame", Status::Ok),
        ("X-API-Key: opensesame", Status::Ok),
        ("Authorization: Bearer opensesam", Status::Unauthorized),
        ("X-API-Key:", Status::Unauthorized),
        ("X-Other: opensesame", Status::Unauthorized),
    ];
    for (header, status) in rows {
        let head = format!("POST /?command=allow HTTP/1.1\n{header}");
        let response = ask(&service, &head, "{\"login\":\"bob\"}").await;
        assert_eq!(response.status(), status, "{header}");
    }
}
