//! A request of nginx's `auth_http`: its headers, and the escapes in them.
#![no_main]

use dmail_core::Purpose;
use dmail_http::auth_http::{Entry, read, unescape};
use dmail_http::message::{Progress, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|headers: &[u8]| {
    let mut request = b"GET /auth HTTP/1.0\r\n".to_vec();
    request.extend_from_slice(headers);
    request.extend_from_slice(b"\r\n\r\n");
    let Ok(Progress::Whole(request, _)) = parse(&request, 0) else { return };
    let Ok(login) = read(&request.headers) else { return };
    let Entry::Password(asked) = login.entry else { return };
    let value = |name| request.headers.one(name).expect("once").expect("it was read");
    let user = unescape(value("Auth-User")).expect("it was read");
    assert_eq!(asked.user.as_str().as_bytes(), &user[..]);
    let Purpose::Check(secret) = asked.purpose else { panic!("a check") };
    assert_eq!(secret.expose(), &unescape(value("Auth-Pass")).expect("it was read")[..]);
});
