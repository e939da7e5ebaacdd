//! The servers in their order, and whom to ask.

use std::sync::Arc;

use dmail_core::{Unavailable, UnavailableKind};

use super::Server;
use crate::config::{Address, Link};
use crate::trouble::{SOURCE, Trouble, TroubleKind};

/// All servers. The first one that is well is asked.
pub(crate) struct Servers(Vec<Arc<Server>>);

impl Servers {
    pub(crate) fn new(addresses: Vec<Address>, link: &Arc<Link>) -> Self {
        Self(addresses.into_iter().map(|address| Server::new(address, link)).collect())
    }

    /// Starts to ask a question: one server after the other, until one answers.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts { servers: &self.0, next: 0, last: None }
    }
}

/// One question on its way from server to server.
pub(crate) struct Attempts<'a> {
    servers: &'a [Arc<Server>],
    next: usize,
    last: Option<Unavailable>,
}

impl<'a> Attempts<'a> {
    /// The next server that is well.
    pub(crate) fn server(&mut self) -> Result<&'a Arc<Server>, Unavailable> {
        while let Some(server) = self.servers.get(self.next) {
            self.next += 1;
            if !server.is_down() {
                return Ok(server);
            }
        }
        Err(self.last.take().unwrap_or_else(|| all_down(self.servers)))
    }

    /// `server` gave no answer. An error ends the question: no other server
    /// would say anything else.
    pub(crate) fn failed(
        &mut self,
        server: &Arc<Server>,
        trouble: &Trouble,
    ) -> Result<(), Unavailable> {
        server.failed(trouble);
        let unavailable = trouble.unavailable(server.name());
        if matches!(trouble.kind, TroubleKind::Fault | TroubleKind::Record) {
            return Err(unavailable);
        }
        self.last = Some(unavailable);
        Ok(())
    }
}

fn all_down(servers: &[Arc<Server>]) -> Unavailable {
    let last = servers.iter().find_map(|server| Some((server, server.last_trouble()?)));
    match last {
        Some((server, trouble)) if servers.len() == 1 => trouble.unavailable(server.name()),
        Some((server, trouble)) => {
            let mut unavailable = trouble.unavailable(server.name());
            unavailable.detail.push_str("; all other servers are down, too");
            unavailable
        }
        None => Unavailable::new(UnavailableKind::Dead, format!("{SOURCE}: no server is well")),
    }
}
