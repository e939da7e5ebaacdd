//! Test aids of the original's command line: answers that come late, and
//! answers with a full drop path.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, DropName, DropPath, Outcome, Search, SearchOutcome,
    Unavailable, Verdict, drop_path,
};

use super::cli::DropLayout;

/// `-sleep x y`: sleeps before the first and then before every x-th answer.
#[derive(Debug)]
pub struct Sleepy<A> {
    inner: A,
    every: u64,
    pause: Duration,
    asked: AtomicU64,
}

impl<A> Sleepy<A> {
    /// Sleeps for `pause` before answer 1, 1 + `every`, 1 + 2 `every` …
    pub fn new(inner: A, every: u64, pause: Duration) -> Self {
        Self { inner, every: every.max(1), pause, asked: AtomicU64::new(0) }
    }

    async fn perhaps_sleep(&self) {
        let before = self.asked.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(self.every) {
            tokio::time::sleep(self.pause).await;
        }
    }
}

#[async_trait]
impl<A: Authenticator> Authenticator for Sleepy<A> {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.perhaps_sleep().await;
        self.inner.authenticate(request).await
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.perhaps_sleep().await;
        self.inner.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.perhaps_sleep().await;
        self.inner.search(search).await
    }
}

/// `drop_path hash base`: says where the drop file is instead of `config`.
#[derive(Debug)]
pub struct Placed<A> {
    inner: A,
    layout: DropLayout,
}

impl<A> Placed<A> {
    /// Answers with paths of this layout.
    pub fn new(inner: A, layout: DropLayout) -> Self {
        Self { inner, layout }
    }
}

#[async_trait]
impl<A: Authenticator> Authenticator for Placed<A> {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let verdict = self.inner.authenticate(request).await?;
        let Verdict::Accepted(account) = &verdict else {
            return Ok(verdict);
        };
        // A name that no path may hold is left to the server to refuse.
        let Ok(file) = DropName::parse(account.name.as_str()) else {
            return Ok(verdict);
        };
        let path = drop_path(&self.layout.base, self.layout.hash_spool, &file, &file);
        let mut account = (**account).clone();
        account.drop = DropPath::File(path);
        Ok(Verdict::accepted(account))
    }

    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        self.inner.change(change).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.inner.search(search).await
    }
}

#[cfg(test)]
mod tests {
    use dmail_core::{Account, HashSpool, Origin, Service, Username};

    use super::*;

    struct Everybody;

    #[async_trait]
    impl Authenticator for Everybody {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            Ok(Verdict::accepted(Account::named(request.user.clone())))
        }
    }

    fn lookup() -> AuthRequest {
        let user = Username::parse(b"bob").expect("a name");
        AuthRequest::lookup(user, Origin::local(Service::Line))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_and_every_third_answer_come_late() {
        let sleepy = Sleepy::new(Everybody, 3, Duration::from_secs(20));
        let mut waited = Vec::new();
        for _ in 0..7 {
            let started = tokio::time::Instant::now();
            sleepy.authenticate(&lookup()).await.expect("an answer");
            waited.push(started.elapsed().as_secs());
        }
        assert_eq!(waited, [20, 0, 0, 20, 0, 0, 20]);
    }

    #[tokio::test]
    async fn a_drop_path_takes_the_place_of_config() {
        let layout = DropLayout { hash_spool: HashSpool::TwoLetters, base: "/mail".into() };
        let verdict = Placed::new(Everybody, layout).authenticate(&lookup()).await;
        let Ok(Verdict::Accepted(account)) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(account.drop, DropPath::File("/mail/b/o/bob".into()));
    }
}
