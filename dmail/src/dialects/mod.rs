//! The lines `dialect` of dmail.conf, served.
//!
//! ```text
//!   dialect NAME ADDRESS …  ──▶ Listener ──▶ servant ──▶ the gateway of the moment
//!        SIGHUP: lines that are gone are closed, new ones are opened
//! ```

mod servant;

use std::sync::Arc;

use dmail_core::config::{DialectLine, Settings};
use dmail_net::Shutdown;
use tokio::task::JoinHandle;

use crate::failure::Failure;
use crate::listen::{self, Listener};
use crate::live::Live;
use servant::Servant;

/// The sockets of the dialects, none of which is served yet.
pub(crate) struct Sockets(Vec<(DialectLine, Listener)>);

impl Sockets {
    /// No sockets, for a process that serves something else.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Opens those of all lines.
    pub(crate) fn open(settings: &Settings) -> Result<Self, Failure> {
        let lines = settings.dialects.dialects.iter();
        let open = lines.map(|line| Ok((line.clone(), Listener::open(line.name(), &line.on)?)));
        open.collect::<Result<_, _>>().map(Self)
    }

    /// Serves them through `live` until `shutdown` is asked.
    pub(crate) fn serve(
        self,
        settings: &Settings,
        live: &Arc<Live>,
        shutdown: &Shutdown,
    ) -> Dialects {
        let (live, shutdown) = (Arc::clone(live), shutdown.clone());
        let mut dialects = Dialects { live, shutdown, served: Vec::new() };
        for (line, listener) in self.0 {
            dialects.add(line, listener, settings);
        }
        dialects
    }
}

/// The dialects that are served.
pub(crate) struct Dialects {
    live: Arc<Live>,
    shutdown: Shutdown,
    served: Vec<Served>,
}

/// One line that is served.
struct Served {
    line: DialectLine,
    stop: Shutdown,
    /// Ends when the socket is closed.
    listening: JoinHandle<()>,
}

impl Dialects {
    /// Serves what `settings` say now: lines that are gone are closed, which
    /// their clients take for "try again later", and new ones are opened.
    pub(crate) async fn follow(&mut self, settings: &Settings) {
        let lines = &settings.dialects.dialects;
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.served)
            .into_iter()
            .partition(|served| lines.iter().any(|line| line.is_same_as(&served.line)));
        self.served = kept;
        for Served { line, stop, listening } in gone {
            tracing::info!(service = line.name(), address = %line.on, "no longer served");
            listen::remove_file(&line.on);
            stop.ask();
            // The address may be wanted again at once.
            let _ = listening.await;
        }
        for line in lines {
            if self.served.iter().any(|served| served.line.is_same_as(line)) {
                continue;
            }
            match Listener::open(line.name(), &line.on) {
                Ok(listener) => self.add(line.clone(), listener, settings),
                Err(problem) => tracing::error!(%problem, "a new dialect is not served"),
            }
        }
    }

    /// Takes the files of the sockets away: nobody is to come any more.
    pub(crate) fn remove_files(&self) {
        self.served.iter().for_each(|served| listen::remove_file(&served.line.on));
    }

    fn add(&mut self, line: DialectLine, listener: Listener, settings: &Settings) {
        listener.note(line.name());
        let stop = self.shutdown.part();
        let servant = Servant::new(&line, settings, Arc::clone(&self.live) as _);
        let listening = tokio::spawn(servant.serve(listener, stop.clone()));
        self.served.push(Served { line, stop, listening });
    }
}
