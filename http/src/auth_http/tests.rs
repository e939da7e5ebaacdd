//! Requests of nginx, and what it is told.

use super::*;
use crate::testing::{ask, asker};

const SECRET: &str = "opensesame";

fn service() -> AuthHttp {
    let backends = Backends {
        imap: "192.0.2.1:1143".parse().ok(),
        pop3: "192.0.2.1:1110".parse().ok(),
        ..Backends::default()
    };
    let options = Options {
        backends,
        key: None,
        wait: Duration::from_secs(1),
        attempts: 3,
        account_name: false,
    };
    AuthHttp::new(asker(), options)
}

async fn log_in(service: &AuthHttp, protocol: &str, user: &str, password: &str) -> Response {
    let head = format!(
        "GET /auth HTTP/1.0\nAuth-Method: plain\nAuth-User: {user}\nAuth-Pass: {password}\n\
         Auth-Protocol: {protocol}\nAuth-Login-Attempt: 1\nClient-IP: 192.0.2.7\n"
    );
    ask(service, &head, "").await
}

/// Status, server, port.
fn told(response: &Response) -> [&str; 3] {
    ["Auth-Status", "Auth-Server", "Auth-Port"].map(|name| response.header(name).unwrap_or("-"))
}

#[tokio::test]
async fn a_right_login_goes_to_its_server() {
    let service = service();
    let rows = [
        ("imap", "bob", ["OK", "192.0.2.1", "1143"]),
        ("pop3", "bob", ["OK", "192.0.2.1", "1110"]),
        ("imap", "moved", ["OK", "192.0.2.5", "1143"]),
        ("smtp", "moved", ["OK", "192.0.2.5", "25"]),
    ];
    for (protocol, user, expected) in rows {
        let response = log_in(&service, protocol, user, "right").await;
        assert_eq!(told(&response), expected, "{protocol} {user}");
        assert_eq!(response.header("Auth-User"), None);
    }
    let mut service = service;
    service.options.account_name = true;
    let response = log_in(&service, "imap", "bob", "right").await;
    assert_eq!(response.header("Auth-User"), Some("bob"));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_decided_is_never_a_wrong_password() {
    let service = service();
    let wrong = "[AUTH] wrong user name or password";
    let later = "[SYS/TEMP] a login is not possible now, please try again later";
    let rows = [
        ("bob", "wrong", wrong),
        ("nobody", "right", wrong),
        // Nobody can have such a name, or no password.
        ("bob%20x", "right", wrong),
        ("bob", "", wrong),
        ("closed", "wrong", wrong),
        ("closed", "right", "[AUTH] this account is closed"),
        ("down", "right", later),
        ("slow", "right", later),
        // The login is right, but nobody knows where to.
        ("lost", "right", later),
    ];
    for (user, password, expected) in rows {
        let response = log_in(&service, "pop3", user, password).await;
        assert_eq!(told(&response), [expected, "-", "-"], "{user} {password}");
        assert_eq!(response.header("Auth-Wait"), Some("1"));
    }
    // SMTP has no server here.
    let response = log_in(&service, "smtp", "bob", "right").await;
    assert_eq!(response.header("Auth-Error-Code"), Some("454 4.7.0"));
}

#[tokio::test]
async fn after_some_attempts_nginx_closes_the_connection() {
    let service = service();
    for (attempt, wait) in [(1, Some("1")), (2, Some("1")), (3, None), (4, None)] {
        let head = format!(
            "GET / HTTP/1.0\nAuth-Method: plain\nAuth-User: bob\nAuth-Pass: wrong\n\
             Auth-Protocol: smtp\nAuth-Login-Attempt: {attempt}\nClient-IP: 192.0.2.7\n"
        );
        let response = ask(&service, &head, "").await;
        assert_eq!(response.header("Auth-Error-Code"), Some("535 5.7.8"));
        assert_eq!(response.header("Auth-Wait"), wait, "{attempt}");
    }
}

#[tokio::test]
async fn smtp_without_a_login_needs_a_server_for_it() {
    let mut service = service();
    let head = "GET / HTTP/1.0\nAuth-Method: none\nAuth-User: \nAuth-Pass: \n\
                Auth-Protocol: smtp\nAuth-Login-Attempt: 1\nClient-IP: 192.0.2.7\n\
                Auth-SMTP-Helo: x\nAuth-SMTP-From: MAIL FROM:<>\nAuth-SMTP-To: RCPT TO:<a@b>\n";
    let response = ask(&service, head, "").await;
    assert_eq!(response.header("Auth-Error-Code"), Some("530 5.7.0"));
    service.options.backends.mx = "192.0.2.25".parse().ok();
    service.options.backends.mx.as_mut().expect("a server").port = Some(25);
    let response = ask(&service, head, "").await;
    assert_eq!(told(&response), ["OK", "192.0.2.25", "25"]);
    for method in ["apop", "cram-md5", "external"] {
        let response = ask(&service, &head.replace("none", method), "").await;
        assert_eq!(response.header("Auth-Error-Code"), Some("504 5.5.4"), "{method}");
    }
}

#[tokio::test]
async fn a_request_that_is_not_understood_says_nothing_of_a_password() {
    let mut service = service();
    service.options.key = Key::from_file(SECRET.as_bytes());
    let good = "GET / HTTP/1.0\nAuth-Method: plain\nAuth-User: bob\nAuth-Pass: right\n\
                Auth-Protocol: imap\nClient-IP: 192.0.2.7\nX-Auth-Key: opensesame\n";
    let rows = [
        (good.to_owned(), Status::Ok),
        (good.replace("GET", "POST"), Status::MethodNotAllowed),
        (good.replace("opensesame", "opensesam"), Status::Forbidden),
        (good.replace("X-Auth-Key", "X-Other"), Status::Forbidden),
        (format!("{good}X-Auth-Key: opensesame\n"), Status::Forbidden),
        (format!("{good}Auth-User: ann\n"), Status::BadRequest),
        (good.replace("right", "%r"), Status::BadRequest),
    ];
    for (head, status) in rows {
        let response = ask(&service, &head, "").await;
        assert_eq!(response.status(), status, "{head}");
        assert_eq!(response.header("Auth-Status").is_some(), status == Status::Ok);
        let body = String::from_utf8_lossy(response.body());
        assert!(!body.contains("right") && !body.contains(SECRET), "{body}");
    }
}
