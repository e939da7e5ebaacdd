//! Good tokens whose issuer was asked, for a short while: a mail program opens
//! five connections with one token.
//!
//! What is remembered is whose a token is, under a keyed hash of it. The account
//! and its state are asked for at each login, and refused tokens are not
//! remembered at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use dmail_core::pattern::wildcard_match;
use dmail_core::{Secret, Username};
use moka::sync::Cache;

use crate::claims::Claimed;

/// How many tokens are remembered.
const REMEMBERED: u64 = 100_000;

type Tag = [u8; 32];

/// The memory of good tokens.
pub(crate) struct Memory {
    tokens: Cache<Tag, Remembered>,
    /// Under a key that lives as long as the process.
    key: hmac::Key,
    /// How often users were forgotten.
    forgotten: AtomicU64,
}

/// A time in the life of a memory: between two times that users were forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(u64);

#[derive(Clone)]
struct Remembered {
    claimed: Claimed,
    /// Who logged in with it, as the gateway calls him.
    asker: Username,
}

impl Memory {
    /// One in which nothing is older than `age`.
    pub(crate) fn new(age: Duration) -> Self {
        let tokens = Cache::builder().max_capacity(REMEMBERED).time_to_live(age).build();
        let key: [u8; 32] = rand::random();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        Self { tokens, key, forgotten: AtomicU64::new(0) }
    }

    /// The present.
    pub(crate) fn age(&self) -> Age {
        Age(self.forgotten.load(Ordering::SeqCst))
    }

    /// Whose a token is that has not expired at the time `now`.
    pub(crate) fn recall(&self, token: &Secret, now: u64) -> Option<Claimed> {
        let known = self.tokens.get(&self.tag(token))?;
        let counts = known.claimed.expires.is_none_or(|expires| now < expires);
        counts.then_some(known.claimed)
    }

    /// Remembers a token that was good at an age, and who logged in with it:
    /// not if users were forgotten since then, for he may be one of them.
    pub(crate) fn keep(&self, token: &Secret, claimed: &Claimed, asker: &Username, age: Age) {
        let known = Remembered { claimed: claimed.clone(), asker: asker.to_lowercase() };
        let tag = self.tag(token);
        self.tokens.insert(tag, known);
        // Whoever forgets counts first and looks then.
        if self.age() != age {
            self.tokens.invalidate(&tag);
        }
    }

    /// Forgets the tokens of the users that a mask is about, and says of how
    /// many.
    pub(crate) fn forget(&self, mask: &str) -> usize {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        let mask = mask.to_ascii_lowercase();
        let fits =
            |known: &Remembered| wildcard_match(mask.as_bytes(), known.asker.as_str().as_bytes());
        let known = self.tokens.iter().filter(|(_, known)| fits(known));
        let tags: Vec<Tag> = known.map(|(tag, _)| *tag).collect();
        tags.iter().for_each(|tag| self.tokens.invalidate(tag));
        tags.len()
    }

    fn tag(&self, token: &Secret) -> Tag {
        let tag = hmac::sign(&self.key, token.expose());
        tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text.as_bytes()).expect("a name")
    }

    fn token(text: &str) -> Secret {
        Secret::new(text.as_bytes())
    }

    #[test]
    fn a_token_is_remembered_until_it_expires_or_its_user_is_forgotten() {
        let memory = Memory::new(Duration::from_secs(60));
        let ann = Claimed { user: name("ann@corp.example"), expires: Some(100) };
        let bob = Claimed { user: name("bob@corp.example"), expires: None };
        memory.keep(&token("a"), &ann, &name("Ann"), memory.age());
        memory.keep(&token("b"), &bob, &name("bob"), memory.age());
        assert_eq!(memory.recall(&token("a"), 99), Some(ann.clone()));
        assert_eq!(memory.recall(&token("a"), 100), None);
        assert_eq!(memory.recall(&token("b"), u64::MAX), Some(bob.clone()));
        assert_eq!(memory.recall(&token("c"), 0), None);
        assert_eq!(memory.forget("ann"), 1);
        assert_eq!(memory.recall(&token("a"), 99), None);
        assert_eq!(memory.recall(&token("b"), 0), Some(bob));
        let before = memory.age();
        assert_eq!(memory.forget("*"), 1);
        assert_eq!(memory.recall(&token("b"), 0), None);
        // An answer that was under way meanwhile may be out of date.
        memory.keep(&token("b"), &ann, &name("ann"), before);
        assert_eq!(memory.recall(&token("b"), 0), None);
    }

    #[test]
    fn nothing_is_remembered_for_longer_than_it_may_be() {
        let memory = Memory::new(Duration::from_millis(1));
        let bob = Claimed { user: name("bob"), expires: None };
        memory.keep(&token("b"), &bob, &name("bob"), memory.age());
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while memory.recall(&token("b"), 0).is_some() {
            assert!(std::time::Instant::now() < deadline, "it is still there");
            std::thread::yield_now();
        }
    }
}
