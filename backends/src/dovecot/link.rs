//! The connection to one socket: made, used for many questions at once, and
//! made again for as long as the source lives.
//!
//! ```text
//!   ask ──job──▶ the task ── its number ──▶ daemon
//!    ▲              │
//!    └── oneshot ◀──┘ answers by their numbers
//! ```
//!
//! Whoever asked may go away: the number stays in the table until its answer
//! has come. An answer with any other number is a fault, and ends the
//! connection, as does a daemon that is silent while an answer is overdue.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dmail_core::{Unavailable, UnavailableKind};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use zeroize::Zeroizing;

use super::lines::{Lines, Lost};
use super::wire::{Line, Socket};

/// Pauses between attempts. The longest is short: a daemon that is back should
/// be used at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);
/// How long a connection may take to be made, greeting included.
const CONNECT: Duration = Duration::from_secs(2);

/// An answer: its first word, and the fields behind the number.
pub(super) type Answer = (Vec<u8>, Zeroizing<Vec<u8>>);

/// The asking end.
pub(super) struct Link {
    jobs: mpsc::UnboundedSender<Job>,
    state: watch::Receiver<State>,
    /// How many questions may be under way. They are all that is ever in the
    /// channel.
    places: Arc<Semaphore>,
    limit: Duration,
    task: AbortHandle,
}

/// What can be done now.
#[derive(Debug, Clone)]
enum State {
    /// An attempt to connect is under way, and the one before did not fail.
    Trying,
    /// The last attempt failed.
    Down(Arc<str>),
    /// Questions are answered.
    Up,
}

struct Job {
    verb: &'static str,
    words: Zeroizing<Vec<u8>>,
    reply: oneshot::Sender<Result<Answer, Lost>>,
    _place: OwnedSemaphorePermit,
}

struct Waiting {
    since: Instant,
    job: Job,
}

impl Link {
    /// Starts connecting. Must be called within the runtime.
    pub(super) fn start(
        socket: Socket,
        path: PathBuf,
        limit: Duration,
        outstanding: usize,
    ) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let (tell, state) = watch::channel(State::Trying);
        let task = Task { socket, path, limit, queue, tell };
        let task = tokio::spawn(task.run()).abort_handle();
        Self { jobs, state, places: Arc::new(Semaphore::new(outstanding)), limit, task }
    }

    /// Asks, and waits for the answer. A question whose connection was lost is
    /// asked once more: it changes nothing.
    pub(super) async fn ask(
        &self,
        verb: &'static str,
        words: &Zeroizing<Vec<u8>>,
    ) -> Result<Answer, Unavailable> {
        let deadline = Instant::now() + self.limit;
        let answer = async {
            match self.attempt(verb, words).await? {
                Err(Lost::Closed | Lost::Io(_)) => self.attempt(verb, words).await,
                answer => Ok(answer),
            }
        };
        match timeout_at(deadline, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(lost @ (Lost::Fault(_) | Lost::NoPlain)))) => {
                Err(Unavailable::new(UnavailableKind::Fault, format!("dovecot: {lost}")))
            }
            Ok(Ok(Err(lost @ Lost::Silent))) => {
                Err(Unavailable::new(UnavailableKind::Timeout, format!("dovecot: {lost}")))
            }
            Ok(Ok(Err(lost))) => {
                Err(Unavailable::new(UnavailableKind::Dead, format!("dovecot: {lost}")))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let text = format!("dovecot: no answer within {} s", self.limit.as_secs());
                Err(Unavailable::new(UnavailableKind::Timeout, text))
            }
        }
    }

    async fn attempt(
        &self,
        verb: &'static str,
        words: &Zeroizing<Vec<u8>>,
    ) -> Result<Result<Answer, Lost>, Unavailable> {
        let closed = || Unavailable::new(UnavailableKind::ShuttingDown, "dovecot: closed");
        let mut state = self.state.clone();
        let now = state.wait_for(|state| !matches!(state, State::Trying)).await;
        if let State::Down(why) = &*now.map_err(|_| closed())? {
            return Err(Unavailable::new(UnavailableKind::Dead, format!("dovecot: {why}")));
        }
        let _place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let text = "dovecot: too many questions are under way: see `outstanding`";
            Unavailable::new(UnavailableKind::Overloaded, text)
        })?;
        let (reply, answer) = oneshot::channel();
        let job = Job { verb, words: words.clone(), reply, _place };
        self.jobs.send(job).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())
    }

    /// Ends the connection. Questions that come later are unavailable.
    pub(super) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

struct Task {
    socket: Socket,
    path: PathBuf,
    limit: Duration,
    queue: mpsc::UnboundedReceiver<Job>,
    tell: watch::Sender<State>,
}

impl Task {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let opened = timeout(CONNECT, Lines::open(self.socket, &self.path)).await;
            let lost = match opened.unwrap_or(Err(Lost::Silent)) {
                Ok(lines) => {
                    let started = Instant::now();
                    tracing::debug!(path = %self.path.display(), "connected to dovecot");
                    self.tell.send_replace(State::Up);
                    let lost = self.serve(lines).await;
                    let healthy = started.elapsed() > LONGEST_PAUSE;
                    tracing::info!(path = %self.path.display(), %lost, "lost dovecot");
                    if healthy {
                        pause = FIRST_PAUSE;
                    }
                    if healthy && lost != Lost::Silent {
                        // It may only have been restarted.
                        self.tell.send_replace(State::Trying);
                        continue;
                    }
                    lost
                }
                Err(lost) => {
                    let told = matches!(*self.tell.borrow(), State::Down(_));
                    if !told {
                        tracing::warn!(path = %self.path.display(), %lost, "dovecot is down");
                    }
                    lost
                }
            };
            self.tell.send_replace(State::Down(lost.to_string().into()));
            self.refuse(&lost);
            // Gateways that lost it together need not come back together.
            sleep(pause.mul_f64(rand::random_range(0.75..1.25))).await;
            self.refuse(&lost);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Answers the questions that came while the connection was being lost.
    fn refuse(&mut self, lost: &Lost) {
        while let Ok(job) = self.queue.try_recv() {
            let _ = job.reply.send(Err(lost.clone()));
        }
    }

    /// Moves lines in both directions until the connection is lost.
    async fn serve(&mut self, lines: Lines) -> Lost {
        let mut waiting = HashMap::new();
        let lost = self.move_lines(lines, &mut waiting).await;
        for waiting in waiting.into_values() {
            let _ = waiting.job.reply.send(Err(lost.clone()));
        }
        lost
    }

    async fn move_lines(&mut self, lines: Lines, waiting: &mut HashMap<u32, Waiting>) -> Lost {
        let Lines { socket, mut reader, mut writer } = lines;
        let mut unsent: Zeroizing<Vec<u8>> = Zeroizing::default();
        let mut next_id = 1_u32;
        let mut heard = Instant::now();
        let mut clock = interval(self.limit / 4);
        loop {
            tokio::select! {
                Some(job) = self.queue.recv() => {
                    while next_id == 0 || waiting.contains_key(&next_id) {
                        next_id = next_id.wrapping_add(1);
                    }
                    unsent.extend_from_slice(format!("{}\t{next_id}\t", job.verb).as_bytes());
                    unsent.extend_from_slice(&job.words);
                    unsent.push(b'\n');
                    waiting.insert(next_id, Waiting { since: Instant::now(), job });
                    next_id = next_id.wrapping_add(1);
                }
                written = writer.write(&unsent), if !unsent.is_empty() => match written {
                    Ok(0) => return Lost::Closed,
                    Ok(length) => {
                        unsent[..length].fill(0);
                        unsent.drain(..length);
                    }
                    Err(error) => return error.into(),
                },
                line = reader.line() => {
                    heard = Instant::now();
                    match line.and_then(|line| socket.parse(line).map_err(Lost::Fault)) {
                        Ok(Line::Answer(id, word, fields)) => match waiting.remove(&id) {
                            // Whoever asked may have gone.
                            Some(Waiting { job, .. }) => drop(job.reply.send(Ok(
                                (word.to_vec(), Zeroizing::new(fields.to_vec())),
                            ))),
                            None => return Lost::Fault("an answer that nobody asked for"),
                        },
                        // A new configuration may change what it offers.
                        Ok(_) => {}
                        Err(lost) => return lost,
                    }
                }
                now = clock.tick() => {
                    let overdue = waiting.values().any(|waiting| now > waiting.since + self.limit);
                    if overdue && now > heard + self.limit {
                        return Lost::Silent;
                    }
                }
            }
        }
    }
}
