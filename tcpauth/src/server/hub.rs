//! Who is connected, and what is told to all of them.
//!
//! ```text
//!   set, del ──▶ Relay ──▶ gateway ──acknowledged──▶ Hub ──▶ a queue for each client
//!                                                             │ full: cut off
//!                                                             ▼
//!                                                          session ──▶ "changed bob"
//! ```
//!
//! A client that does not read loses its connection, which tells it that it
//! has missed something.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dmail_core::{
    AuthRequest, Authenticator, Change, Outcome, Search, SearchOutcome, Unavailable,
    UnavailableKind, Username, Verdict,
};
use tokio::sync::mpsc;

use crate::wire::Push;

/// How many lines wait for one client.
const QUEUE: usize = 1024;

/// What a session is told.
#[derive(Debug, Clone)]
pub(super) enum Notice {
    /// A line for the client.
    Line(Arc<[u8]>),
    /// The server is going down.
    Stop,
}

/// What a client wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listening {
    /// Nothing: it speaks the first version, or has not greeted yet.
    Deaf,
    /// All changes.
    All,
    /// Changes that were made through this daemon: it is one itself, and hears
    /// of the others from where they are made.
    Peer,
}

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Hub {
    clients: Mutex<Clients>,
}

#[derive(Debug, Default)]
struct Clients {
    next: u64,
    stopping: bool,
    by_id: HashMap<u64, (Listening, mpsc::Sender<Notice>)>,
}

/// A session's place in the hub; leaves it when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    hub: Arc<Hub>,
    /// What the session is told. Its end means that the client is cut off.
    pub(super) notices: mpsc::Receiver<Notice>,
}

impl Hub {
    /// A place for a new session.
    pub(super) fn seat(self: &Arc<Self>) -> Seat {
        let (sender, notices) = mpsc::channel(QUEUE);
        let mut clients = self.lock();
        if clients.stopping {
            // It has room for one.
            let _ = sender.try_send(Notice::Stop);
        }
        let id = clients.next;
        clients.next += 1;
        clients.by_id.insert(id, (Listening::Deaf, sender));
        Seat { id, hub: Arc::clone(self), notices }
    }

    /// Tells clients of a change that was made through this daemon, or, if not
    /// `here`, of one that it has only heard of.
    pub(super) fn changed(&self, user: &Username, here: bool) {
        let mut line = Vec::new();
        Push::Changed(user.clone()).write(&mut line);
        self.tell(line.into(), here);
    }

    /// Tells clients that changes may have been missed.
    pub(super) fn lost_track(&self) {
        let mut line = Vec::new();
        Push::Lost.write(&mut line);
        self.tell(line.into(), false);
    }

    /// Asks all sessions to end.
    pub(super) fn stop(&self) {
        let mut clients = self.lock();
        clients.stopping = true;
        clients.by_id.retain(|_, (_, sender)| sender.try_send(Notice::Stop).is_ok());
    }

    fn tell(&self, line: Arc<[u8]>, here: bool) {
        let tell = |(listening, sender): &mut (Listening, mpsc::Sender<Notice>)| match listening {
            Listening::Deaf => true,
            Listening::Peer if !here => true,
            Listening::All | Listening::Peer => {
                sender.try_send(Notice::Line(Arc::clone(&line))).is_ok()
            }
        };
        self.lock().by_id.retain(|_, client| tell(client));
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// What this client wants to hear from now on.
    pub(super) fn listen(&self, listening: Listening) {
        if let Some((old, _)) = self.hub.lock().by_id.get_mut(&self.id) {
            *old = listening;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.lock().by_id.remove(&self.id);
    }
}

/// The gateway, as clients that may change something see it: what was changed
/// is told to all before it is acknowledged.
pub(super) struct Relay {
    pub(super) gateway: Arc<dyn Authenticator>,
    pub(super) hub: Arc<Hub>,
}

#[async_trait]
impl Authenticator for Relay {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.gateway.authenticate(request).await
    }

    /// The change goes on when its client goes away: others must hear of it.
    async fn change(&self, change: &Change) -> Result<Outcome, Unavailable> {
        let (gateway, hub, change) =
            (Arc::clone(&self.gateway), Arc::clone(&self.hub), change.clone());
        let made = tokio::spawn(async move {
            let outcome = gateway.change(&change).await;
            // What nobody acknowledged may have been made nevertheless.
            if !matches!(outcome, Ok(Outcome::Refused(_))) {
                hub.changed(&change.user, true);
            }
            outcome
        });
        made.await.unwrap_or_else(|_| {
            Err(Unavailable::new(UnavailableKind::Fault, "the change was abandoned"))
        })
    }

    async fn search(&self, search: &Search) -> Result<SearchOutcome, Unavailable> {
        self.gateway.search(search).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Username {
        Username::parse(b"bob").expect("a name")
    }

    fn lines(seat: &mut Seat) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(notice) = seat.notices.try_recv() {
            lines.push(match notice {
                Notice::Line(line) => String::from_utf8_lossy(&line).into_owned(),
                Notice::Stop => "stop".into(),
            });
        }
        lines
    }

    #[test]
    fn each_client_hears_what_it_listens_to() {
        let hub = Arc::new(Hub::default());
        let (mut deaf, mut node, mut peer) = (hub.seat(), hub.seat(), hub.seat());
        node.listen(Listening::All);
        peer.listen(Listening::Peer);
        hub.changed(&bob(), true);
        hub.changed(&bob(), false);
        hub.lost_track();
        hub.stop();
        assert_eq!(lines(&mut deaf), ["stop"]);
        assert_eq!(lines(&mut node), ["changed bob\n", "changed bob\n", "lost\n", "stop"]);
        assert_eq!(lines(&mut peer), ["changed bob\n", "stop"]);
        assert_eq!(lines(&mut hub.seat()), ["stop"], "it came late");
        drop((deaf, node, peer));
        assert!(hub.lock().by_id.is_empty());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_cut_off() {
        let hub = Arc::new(Hub::default());
        let mut seat = hub.seat();
        seat.listen(Listening::All);
        for _ in 0..=QUEUE {
            hub.changed(&bob(), true);
        }
        for _ in 0..QUEUE {
            assert!(seat.notices.recv().await.is_some());
        }
        assert!(seat.notices.recv().await.is_none(), "the end");
    }
}
