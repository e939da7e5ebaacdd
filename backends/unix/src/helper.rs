//! What a helper does: it serves [`LocalUsers`] on its standard input and
//! output, and makes room for a fresh one now and then.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use dmail_authent::helper::{self, Manners};
use dmail_core::{AuthRequest, Authenticator, Search, SearchOutcome, Unavailable, Verdict};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::LocalUsers;

/// Questions that one helper answers. PAM modules are written for programs that
/// end soon, and many leak.
const LIFE: u32 = 5_000;

/// Answers requests until `exit`, the end of the input, or, if it is
/// `replaceable` because somebody starts the next one, the end of its life.
///
/// # Errors
///
/// If a stream breaks.
pub async fn serve(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    users: LocalUsers,
    manners: &Manners,
    replaceable: bool,
) -> io::Result<()> {
    let left = Arc::new(AtomicU32::new(if replaceable { LIFE } else { u32::MAX }));
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
        let less = |left: u32| (left < u32::MAX).then(|| left.saturating_sub(1));
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
