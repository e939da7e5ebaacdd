//! One client: what it sends, the questions that are under way for it, and
//! what it is told.
//!
//! ```text
//!   bytes ─▶ Session::next ─▶ question ──asked once, at once──▶ ready: answered
//!                                            └──▶ pending: a task; answered when it is done
//! ```
//!
//! Most answers come from memory, so a question costs no task. A session that
//! has many questions under way gets their answers as they come.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dmail_core::{Authenticator, Service, Unavailable, UnavailableKind, Verdict};
use dmail_net::{Flow, Shutdown};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::input::Input;
use super::stream::Stream;
use super::{Manners, log};
use crate::{Answer, Question, Session, Step, Then, Ticket};

/// How long the rest of a request may take that has begun.
const HALF_REQUEST: Duration = Duration::from_secs(10);
/// How long a client may take to read what it is sent.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// How long nobody looks at a clock that waits for nothing.
const LONG: Duration = Duration::from_secs(30 * 86_400);
/// How long a client is listened to that is told to leave.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Output beyond which no more requests are taken.
const MUCH_OUTPUT: usize = 256 * 1024;
/// Requests beyond this wait in the network while others are under way.
const MUCH_INPUT: usize = 64 * 1024;
/// No request of any dialect is longer than this: four fields of saslauthd's.
const MAX_REQUEST: usize = 4 * 65_537 + 1024;

/// A question for the gateway.
type Asked = (Ticket, Question);
/// The same, and what the gateway said.
type Answered = (Ticket, Question, Answer);
/// A question that is under way.
type Asking = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// A question was lost, which is a fault of ours.
    #[error("a question was abandoned")]
    Abandoned,
    /// The session broke off: nobody could decide.
    #[error("nobody could decide")]
    BrokenOff,
    /// The client broke the protocol.
    #[error("{0}")]
    Broken(&'static str),
    /// The client closed the connection.
    #[error("the client closed the connection")]
    Closed,
    /// The client did not read what it was sent.
    #[error("the client was not reading")]
    Deaf,
    /// The session has said all that it had to say.
    #[error("all is said")]
    Done,
    /// The rest of a request did not come.
    #[error("half a request, and nothing more")]
    Half,
    /// The connection failed.
    #[error("connection broken: {0}")]
    Io(#[from] io::Error),
    /// The client said nothing for too long.
    #[error("nothing was heard of the client")]
    Silent,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// What happened.
enum Event {
    Answer(Box<Answered>),
    Arrived(usize),
    /// There is room again for what more requests lead to.
    Room,
    Stop,
    Tick,
}

/// The state of one connection.
pub(super) struct Conversation<S> {
    manners: Arc<Manners>,
    gateway: Arc<dyn Authenticator>,
    session: Box<dyn Session>,
    flow: Flow<S>,
    input: Input,
    /// Questions whose answers were not there at once.
    asked: JoinSet<Answered>,
    /// Why no more is taken: it ends when all is sent that was written.
    closing: Option<End>,
    /// Requests wait because too many answers were due.
    held_up: bool,
    /// The client has said that nothing more will come.
    finished: bool,
    stopping: bool,
    /// When the client was heard of.
    heard: Instant,
    /// How long it may be silent.
    patience: Option<Duration>,
    /// Since when a request has begun that has not ended.
    half: Option<Instant>,
    /// Since when the client has not read what it was sent.
    stuck: Option<Instant>,
    clock: Pin<Box<Sleep>>,
}

impl<S: Stream> Conversation<S> {
    pub(super) fn new(
        manners: Arc<Manners>,
        gateway: Arc<dyn Authenticator>,
        session: Box<dyn Session>,
        stream: S,
    ) -> Self {
        let heard = Instant::now();
        let patience = manners.first_words;
        Self {
            manners,
            gateway,
            session,
            flow: Flow::new(stream),
            input: Input::default(),
            asked: JoinSet::new(),
            closing: None,
            held_up: false,
            finished: false,
            stopping: false,
            heard,
            patience,
            half: None,
            stuck: None,
            clock: Box::pin(sleep_until(heard + patience.unwrap_or(LONG))),
        }
    }

    /// Talks with the client until one of the two has enough.
    pub(super) async fn run(mut self, shutdown: &Shutdown) -> End {
        self.session.greeting(self.flow.output());
        let mut asked_to_stop = pin!(shutdown.asked());
        let end = loop {
            let event = poll_fn(|context| self.poll_event(context, asked_to_stop.as_mut()));
            let handled = match event.await {
                Ok(event) => self.handle(event).await,
                Err(end) => Err(end),
            };
            if let Err(end) = handled {
                break end;
            }
        };
        self.part(&end).await;
        end
    }

    /// What comes first: sending, then answers, then what is asked.
    fn poll_event(
        &mut self,
        context: &mut Context<'_>,
        asked_to_stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<Result<Event, End>> {
        let sending = self.flow.poll_send(context)?;
        match sending {
            Poll::Ready(()) => self.stuck = None,
            Poll::Pending if self.stuck.is_none() => {
                self.stuck = Some(Instant::now());
                self.look_within(WRITE_PATIENCE);
            }
            Poll::Pending => {}
        }
        // Standard output still holds what was written until it is flushed.
        if sending.is_ready()
            && self.asked.is_empty()
            && let Some(end) = self.nothing_left()
        {
            return Poll::Ready(Err(end));
        }
        if !self.asked.is_empty()
            && let Poll::Ready(Some(answered)) = self.asked.poll_join_next(context)
        {
            // A task that panicked has been reported; its client would wait
            // for ever.
            let answered = answered.map_err(|_| End::Abandoned);
            return Poll::Ready(answered.map(|answered| Event::Answer(Box::new(answered))));
        }
        if !self.stopping && asked_to_stop.poll(context).is_ready() {
            return Poll::Ready(Ok(Event::Stop));
        }
        if self.held_up && self.takes() {
            return Poll::Ready(Ok(Event::Room));
        }
        if self.reads() {
            let Self { flow, input, .. } = self;
            if let Poll::Ready(count) = flow.poll_read(context, |bytes| input.add(bytes))? {
                return Poll::Ready(Ok(Event::Arrived(count)));
            }
        }
        self.clock.as_mut().poll(context).map(|()| Ok(Event::Tick))
    }

    async fn handle(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Answer(answered) => {
                let next = self.answer(*answered)?;
                self.ask(next).await?;
                self.take_requests().await
            }
            Event::Arrived(0) => {
                self.finished = true;
                Ok(())
            }
            Event::Arrived(_) => {
                self.heard = Instant::now();
                self.patience = self.manners.idle;
                self.take_requests().await
            }
            Event::Room => self.take_requests().await,
            Event::Stop => {
                self.stopping = true;
                self.look_within(LAST_WORDS);
                Ok(())
            }
            Event::Tick => self.look_at_clock(),
        }
    }

    /// Why the connection can end, now that all is answered and sent.
    fn nothing_left(&mut self) -> Option<End> {
        match self.closing.take() {
            Some(end) => Some(end),
            None if self.held_up => None,
            None if self.finished => Some(End::Closed),
            None if self.stopping && self.input.is_empty() => Some(End::Stopping),
            None => None,
        }
    }

    /// Whether more requests may be taken: not while too many answers are due.
    fn takes(&self) -> bool {
        self.closing.is_none()
            && self.asked.len() < self.manners.outstanding
            && self.flow.unsent() < MUCH_OUTPUT
    }

    /// Whether more bytes are read: not beyond what can be taken soon.
    fn reads(&self) -> bool {
        let waiting = !self.asked.is_empty() && self.input.len() >= MUCH_INPUT;
        !self.finished && self.takes() && !waiting
    }

    /// Takes the requests that are there, as far as their turn has come.
    async fn take_requests(&mut self) -> Result<(), End> {
        while self.takes() && !self.input.is_empty() {
            match self.session.next(self.input.bytes(), self.flow.output()) {
                Step::More => break,
                Step::Ask(ticket, question) => self.ask(Some((ticket, question))).await?,
                Step::Close(why) => self.closing = Some(End::Broken(why)),
            }
        }
        self.held_up = !self.takes() && !self.input.is_empty();
        let used = self.input.wipe_used();
        if self.input.is_empty() || !self.asked.is_empty() {
            self.half = None;
        } else if used || self.half.is_none() {
            self.half = Some(self.heard);
            self.look_within(HALF_REQUEST);
        }
        match self.input.len() > MAX_REQUEST && self.asked.is_empty() && self.takes() {
            true => Err(End::Broken("a request that is too long")),
            false => Ok(()),
        }
    }

    /// Asks the gateway, and what follows from each answer. If it is there at
    /// once, it is written at once.
    async fn ask(&mut self, mut next: Option<Asked>) -> Result<(), End> {
        while let Some((ticket, mut question)) = next.take() {
            self.sign(&mut question);
            if let Question::Authenticate(request) = &question
                && let Some(account) = self.gateway.recall(request)
            {
                let answer = Answer::Verdict(Ok(Verdict::Accepted(account)));
                next = self.answer((ticket, question, answer))?;
                continue;
            }
            let mut asking = self.asking(ticket, question);
            match poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await {
                Poll::Ready(answered) => next = self.answer(answered)?,
                Poll::Pending => {
                    self.asked.spawn(asking);
                }
            }
        }
        Ok(())
    }

    /// A question under way, for no longer than it may take.
    fn asking(&self, ticket: Ticket, question: Question) -> Asking {
        let gateway = Arc::clone(&self.gateway);
        let patience = self.manners.timeout;
        Box::pin(async move {
            let answer = match &question {
                Question::Authenticate(request) => {
                    let answer = timeout(patience, gateway.authenticate(request)).await;
                    Answer::Verdict(answer.unwrap_or_else(|_| Err(too_late(patience))))
                }
                Question::Change(change) => {
                    let answer = timeout(patience, gateway.change(change)).await;
                    Answer::Changed(answer.unwrap_or_else(|_| Err(too_late(patience))))
                }
                Question::Search(search) => {
                    let answer = timeout(patience, gateway.search(search)).await;
                    Answer::Found(answer.unwrap_or_else(|_| Err(too_late(patience))))
                }
                Question::Forget(masks) => Answer::Forgotten(forget(&*gateway, masks)),
            };
            (ticket, question, answer)
        })
    }

    /// Says whom the question comes through.
    fn sign(&self, question: &mut Question) {
        let origin = match question {
            Question::Authenticate(request) => &mut request.origin,
            Question::Change(change) => &mut change.origin,
            Question::Search(search) => &mut search.origin,
            Question::Forget(_) => return,
        };
        origin.dialect = Some(self.manners.dialect);
        if let (Service::Line, Some(service)) = (origin.service, self.manners.service) {
            origin.service = service;
        }
    }

    /// Tells the session, and returns the question that follows.
    fn answer(&mut self, (ticket, question, answer): Answered) -> Result<Option<Asked>, End> {
        match (&question, &answer) {
            (Question::Authenticate(request), Answer::Verdict(verdict)) => {
                log::answered(request, verdict);
            }
            (Question::Change(change), Answer::Changed(outcome)) => log::changed(change, outcome),
            _ => {}
        }
        match self.session.answered(ticket, answer, self.flow.output()) {
            Then::Ask(ticket, question) => Ok(Some((ticket, question))),
            Then::GoOn => Ok(None),
            Then::Close => {
                self.closing = Some(End::Done);
                Ok(None)
            }
            Then::Abort => Err(End::BrokenOff),
        }
    }

    fn look_at_clock(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.stuck.is_some_and(|since| now >= since + WRITE_PATIENCE) {
            return Err(End::Deaf);
        }
        if self.half.is_some_and(|since| now >= since + HALF_REQUEST) {
            return Err(End::Half);
        }
        if !self.asked.is_empty() {
            // It waits for us, so it need not say anything.
            self.heard = now;
        } else if self.stopping {
            return Err(End::Stopping);
        } else if self.patience.is_some_and(|patience| now >= self.heard + patience) {
            return Err(End::Silent);
        }
        let deadlines = [
            Some(self.patience.map_or(now + LONG, |patience| self.heard + patience)),
            self.half.map(|since| since + HALF_REQUEST),
            self.stuck.map(|since| since + WRITE_PATIENCE),
            self.stopping.then(|| now + LAST_WORDS),
        ];
        if let Some(next) = deadlines.into_iter().flatten().min() {
            self.clock.as_mut().reset(next);
        }
        Ok(())
    }

    /// Looks at the clock no later than after this time.
    fn look_within(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        if deadline < self.clock.deadline() {
            self.clock.as_mut().reset(deadline);
        }
    }

    /// Takes leave as the end demands. To let go of a stream closes it.
    async fn part(&mut self, end: &End) {
        match end {
            End::BrokenOff => self.flow.stream().break_off(),
            End::Broken(_) => {
                let flow = &mut self.flow;
                // A connection that is closed with bytes unread is reset, and
                // the last words might be lost with it.
                let _ = timeout(LAST_WORDS, async {
                    poll_fn(|context| flow.poll_close(context)).await?;
                    while poll_fn(|context| flow.poll_read(context, |_| ())).await? > 0 {}
                    io::Result::Ok(())
                })
                .await;
            }
            _ => {}
        }
    }
}

/// Has the users of these masks forgotten, or all if there is none.
fn forget(gateway: &dyn Authenticator, masks: &[String]) -> usize {
    let count = match masks {
        [] => gateway.forget_users("*"),
        masks => masks.iter().map(|mask| gateway.forget_users(mask)).sum(),
    };
    tracing::info!(?masks, count, "users forgotten, as was asked");
    count
}

fn too_late(patience: Duration) -> Unavailable {
    let detail =
        format!("no answer within {} seconds (timeout= of the dialect)", patience.as_secs());
    Unavailable::new(UnavailableKind::Timeout, detail)
}
