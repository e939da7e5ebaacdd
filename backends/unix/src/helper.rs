//! What a helper does: it serves [`LocalUsers`] on its standard input and
//! output, and makes room for a fresh one now and then.

use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use dmail_authent::helper::{self, Manners};
use dmail_core::{AuthRequest, Authenticator, Search, SearchOutcome, Unavailable, Verdict};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::LocalUsers;

/// How many questions one helper answers, at least and at most. PAM modules are
/// written for programs that end soon, and many leak. Helpers start together
/// and get the same share of the questions, so each draws a life of its own:
/// else all would end at once, and nobody be there to answer.
const LIFE: RangeInclusive<u32> = 4_000..=6_000;

/// Answers requests until `exit`, the end of the input, or the end of its life:
/// somebody starts the next one.
///
/// # Errors
///
/// If a stream breaks.
pub async fn serve(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    users: LocalUsers,
    manners: &Manners,
) -> io::Result<()> {
    serve_for(life(), input, output, users, manners).await
}

fn life() -> u32 {
    rand::random_range(LIFE)
}

/// Answers this many questions.
async fn serve_for(
    life: u32,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    users: impl Authenticator,
    manners: &Manners,
) -> io::Result<()> {
    let left = Arc::new(AtomicU32::new(life));
    let input = Mortal { input, left: Arc::clone(&left) };
    let users = Counted { users, left };
    helper::serve(input, output, &users, manners).await
}

/// The users, and how many questions may still be asked.
struct Counted<A> {
    users: A,
    left: Arc<AtomicU32>,
}

impl<A> Counted<A> {
    fn count(&self) {
        // Those that were sent together with the last one count as nothing.
        let less = |left: u32| Some(left.saturating_sub(1));
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

#[async_trait]
impl<A: Authenticator> Authenticator for Counted<A> {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.count();
        self.users.authenticate(request).await
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.count();
        self.users.search(search).await
    }
}

/// An input that ends when no question is left. What was sent together before
/// that is answered all the same.
struct Mortal<R> {
    input: R,
    left: Arc<AtomicU32>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Mortal<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.input).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use dmail_authent::line::Quoting;
    use dmail_core::Account;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;

    /// Knows everybody.
    struct Everybody;

    #[async_trait]
    impl Authenticator for Everybody {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            Ok(Verdict::accepted(Account::named(request.user.clone())))
        }
    }

    #[test]
    fn helpers_that_start_together_do_not_end_together() {
        let lives: HashSet<u32> = (0..64).map(|_| life()).collect();
        assert!(lives.len() > 16 && lives.iter().all(|life| LIFE.contains(life)), "{lives:?}");
    }

    #[tokio::test]
    async fn a_helper_ends_between_two_questions() {
        let (ours, its) = tokio::io::duplex(1024);
        let helper = tokio::spawn(async move {
            let (input, output) = tokio::io::split(its);
            let manners = LocalUsers::manners(Quoting::default());
            serve_for(3, input, output, Everybody, &manners).await
        });
        let (input, mut output) = tokio::io::split(ours);
        let mut lines = BufReader::new(input).lines();
        for user in ["a", "b", "c"] {
            output.write_all(format!("lookup {user}\n").as_bytes()).await.expect("it listens");
            let line = lines.next_line().await.expect("readable");
            assert_eq!(line, Some(format!("+OK {user} config")));
        }
        assert!(helper.await.expect("no panic").is_ok(), "it has ended by itself");
        assert_eq!(lines.next_line().await.expect("readable"), None);
    }
}
