//! The list of keys that is fetched.

use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::time::{Instant, sleep};

use super::issuer::{Does, Issuer, Signer, list, manners};
use crate::claims::Refusal;
use crate::jws::Jws;
use crate::keys::Algorithm;
use crate::remote::{RemoteKeys, Rests};

const SHORT: Rests = Rests {
    min_age: Duration::from_millis(20),
    after_failure: Duration::from_millis(10),
    longest: Duration::from_millis(40),
};
const HOUR: Duration = Duration::from_secs(3600);

fn keys(issuer: &Issuer, refresh: Duration, rests: Rests) -> RemoteKeys {
    RemoteKeys::start(issuer.url(), refresh, manners(Duration::from_millis(500)), rests)
}

/// Whether there is a key of this name.
async fn has(keys: &RemoteKeys, name: &str) -> Result<bool, Unavailable> {
    keys.keys_for(Some(name)).await.map(|keys| keys.has(Some(name)))
}

/// Waits until there is such a key, or none.
async fn until(keys: &RemoteKeys, name: &str, expected: Option<bool>) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while has(keys, name).await.ok() != expected {
        assert!(Instant::now() < deadline, "{name}: not {expected:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_login_waits_for_the_first_list_and_for_no_other() {
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let issuer = Issuer::start(Does::Answers(200, list(&[&a]))).await;
    let keys = keys(&issuer, HOUR, Rests::USUAL);
    assert_eq!(has(&keys, "a").await, Ok(true));
    assert_eq!(issuer.heard().len(), 1);
    // The issuer was just asked: its word counts, and it is left alone.
    issuer.does(Does::Answers(200, list(&[&b])));
    for _ in 0..100 {
        assert_eq!(has(&keys, "b").await, Ok(false));
        assert_eq!(has(&keys, "a").await, Ok(true));
    }
    assert!(issuer.heard().is_empty());
}

#[tokio::test]
async fn a_key_that_is_new_is_found_and_one_that_is_gone_is_not() {
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let issuer = Issuer::start(Does::Answers(200, list(&[&a]))).await;
    let keys = keys(&issuer, HOUR, SHORT);
    assert_eq!(has(&keys, "a").await, Ok(true));
    issuer.does(Does::Answers(200, list(&[&b])));
    until(&keys, "b", Some(true)).await;
    assert_eq!(has(&keys, "a").await, Ok(false));
}

#[tokio::test]
async fn a_list_without_names_is_fetched_anew_before_a_token_is_refused() {
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let nameless =
        |signer: &Signer, name: &str| list(&[signer]).replace(&format!(r#""kid": "{name}", "#), "");
    let issuer = Issuer::start(Does::Answers(200, nameless(&a, "a"))).await;
    let keys = keys(&issuer, HOUR, SHORT);
    let (old, new) = (a.token(r#""sub": "bob""#), b.token(r#""sub": "bob""#));
    let [old, new] = [&old, &new].map(|token| Jws::parse(token.as_bytes()).expect("a token"));
    let signed = async |token| keys.have_signed(token, Algorithm::Es256).await;
    assert_eq!(signed(&old).await, Ok(Ok(())));
    issuer.does(Does::Answers(200, nameless(&b, "b")));
    let deadline = Instant::now() + Duration::from_secs(20);
    while signed(&new).await != Ok(Ok(())) {
        assert!(Instant::now() < deadline, "the new key is not found");
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(signed(&old).await, Ok(Err(Refusal::Signature)));
}

#[tokio::test]
async fn the_list_is_fetched_anew_from_time_to_time() {
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let issuer = Issuer::start(Does::Answers(200, list(&[&a, &b]))).await;
    let keys = keys(&issuer, Duration::from_millis(30), SHORT);
    assert_eq!(has(&keys, "a").await, Ok(true));
    issuer.does(Does::Answers(200, list(&[&b])));
    // Nobody asks for another key meanwhile.
    until(&keys, "a", Some(false)).await;
}

#[tokio::test]
async fn known_keys_go_on_and_unknown_ones_are_no_verdict_while_the_issuer_is_in_trouble() {
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let issuer = Issuer::start(Does::Answers(200, list(&[&a]))).await;
    let keys = keys(&issuer, Duration::from_millis(30), SHORT);
    assert_eq!(has(&keys, "a").await, Ok(true));
    let troubles = [
        Does::Answers(500, list(&[&b])),
        Does::Answers(302, String::new()),
        Does::Answers(200, "<html>".into()),
        Does::Answers(200, r#"{"keys": []}"#.into()),
        Does::Answers(200, " ".repeat(300_000)),
        Does::Sends(b"SSH-2.0-x\r\n".to_vec()),
        Does::Sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec()),
        Does::Sends(Vec::new()),
        Does::Hangs,
    ];
    for trouble in troubles {
        let what = format!("{:.40}", format!("{trouble:?}"));
        issuer.does(trouble);
        until(&keys, "b", None).await;
        for _ in 0..5 {
            assert_eq!(has(&keys, "a").await, Ok(true), "{what}");
            assert!(has(&keys, "b").await.is_err(), "{what}");
        }
        issuer.does(Does::Answers(200, list(&[&a])));
        until(&keys, "b", Some(false)).await;
    }
    let url = issuer.url();
    drop(issuer);
    until(&keys, "b", None).await;
    assert_eq!(has(&keys, "a").await, Ok(true));
    let error = has(&keys, "b").await.expect_err("nobody is there");
    assert!(error.detail.contains(&url.to_string()), "{error}");
}

#[tokio::test]
async fn an_issuer_that_is_not_there_at_the_start_is_found_later() {
    let a = Signer::new("a");
    let issuer = Issuer::start(Does::Sends(Vec::new())).await;
    let keys = keys(&issuer, HOUR, SHORT);
    let error = has(&keys, "a").await.expect_err("no list");
    assert_eq!(error.kind, UnavailableKind::Fault);
    issuer.does(Does::Answers(200, list(&[&a])));
    until(&keys, "a", Some(true)).await;
}

#[tokio::test]
async fn an_issuer_that_hangs_holds_nobody_longer_than_the_timeout() {
    let issuer = Issuer::start(Does::Hangs).await;
    let keys = keys(&issuer, HOUR, Rests::USUAL);
    let error = has(&keys, "a").await.expect_err("no answer");
    assert_eq!(error.kind, UnavailableKind::Timeout);
    // And those behind him not at all.
    let before = Instant::now();
    assert!(has(&keys, "a").await.is_err());
    assert!(before.elapsed() < Duration::from_millis(400));
}

#[tokio::test]
async fn a_new_source_knows_the_keys_of_the_old_one_until_it_has_its_own() {
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let issuer = Issuer::start(Does::Answers(200, list(&[&a]))).await;
    let old = keys(&issuer, HOUR, SHORT);
    assert_eq!(has(&old, "a").await, Ok(true));
    issuer.does(Does::Hangs);
    old.close();
    let new = keys(&issuer, HOUR, SHORT);
    assert_eq!(has(&new, "a").await, Ok(true), "at once");
    assert!(has(&new, "b").await.is_err(), "nobody can say");
    issuer.does(Does::Answers(200, list(&[&b])));
    until(&new, "a", Some(false)).await;
}

#[tokio::test]
async fn when_it_is_closed_nobody_waits() {
    let issuer = Issuer::start(Does::Hangs).await;
    let keys = keys(&issuer, HOUR, Rests::USUAL);
    keys.close();
    drop(issuer);
    let waiting = tokio::time::timeout(Duration::from_secs(10), has(&keys, "a"));
    assert!(waiting.await.expect("an end").is_err());
}
