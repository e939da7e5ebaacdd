//! The bodies of the JSON API and of Dovecot's auth policy: each is answered,
//! whatever it is.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use dmail_core::{Advice, AuthRequest, Authenticator, Guess, Guesses, Service as Through};
use dmail_core::{Unavailable, UnavailableKind, Verdict};
use dmail_http::check::{Api, Options};
use dmail_http::message::{Progress, parse};
use dmail_http::policy::AuthPolicy;
use dmail_http::{Asker, Service};
use libfuzzer_sys::fuzz_target;

struct Nobody;

#[async_trait::async_trait]
impl Authenticator for Nobody {
    async fn authenticate(&self, _: &AuthRequest) -> Result<Verdict, Unavailable> {
        Err(Unavailable::new(UnavailableKind::Dead, "nobody is here"))
    }
}

impl Guesses for Nobody {
    fn weigh(&self, _: &Guess) -> Advice {
        Advice::Allow
    }

    fn note(&self, _: &Guess, _: bool) {}
}

fn read<S: Service>(service: &S, target: &str, body: &[u8]) {
    let length = body.len();
    let mut request = format!(
        "POST {target} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    match parse(&request, length) {
        Ok(Progress::Whole(request, _)) => drop(service.read(&request)),
        other => panic!("{other:?}"),
    }
}

// Its description of itself takes a hundred times as long as a request.
static API: LazyLock<Api> = LazyLock::new(|| {
    let asker = Asker::new(Arc::new(Nobody), Duration::from_secs(1));
    Api::new(asker, Options { key: None, service: Through::Web })
});

fuzz_target!(|body: &[u8]| {
    read(&*API, "/v1/check", body);
    read(&*API, "/v1/lookup", body);
    let policy = AuthPolicy::new(Arc::new(Nobody), None);
    read(&policy, "/?command=allow", body);
    read(&policy, "/?command=report", body);
});
