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

use dmail_core::Authenticator;
use dmail_net::{Flow, Shutdown, log};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Manners;
use super::asking::{self, Answered, Asked};
use super::clock::{Clock, LAST_WORDS};
use super::end::End;
use super::input::Input;
use super::refusals::Refusals;
use super::stream::Stream;
use crate::{Answer, Question, Refused, Session, Step, Then};

/// Output beyond which no more requests are taken.
const MUCH_OUTPUT: usize = 256 * 1024;
/// Requests beyond this wait in the network while others are under way.
const MUCH_INPUT: usize = 64 * 1024;
/// No request of any dialect is longer than this: four fields of saslauthd's.
const MAX_REQUEST: usize = 4 * 65_537 + 1024;

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
    clock: Clock,
    refusals: Arc<Refusals>,
}

impl<S: Stream> Conversation<S> {
    pub(super) fn new(
        manners: Arc<Manners>,
        gateway: Arc<dyn Authenticator>,
        session: Box<dyn Session>,
        refusals: Arc<Refusals>,
        stream: S,
    ) -> Self {
        let clock = Clock::new(manners.first_words);
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
            clock,
            refusals,
        }
    }

    /// Talks with the client until one of the two has enough.
    pub(super) async fn run(&mut self, shutdown: &Shutdown) -> End {
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

    /// Who the client is, for the log.
    pub(super) fn peer(&self) -> Option<String> {
        self.flow.stream().peer()
    }

    /// What comes first: sending, then answers, then what is asked.
    fn poll_event(
        &mut self,
        context: &mut Context<'_>,
        asked_to_stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<Result<Event, End>> {
        let sending = self.flow.poll_send(context)?;
        self.clock.sent(sending.is_ready());
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
        self.clock.poll_ring(context).map(|()| Ok(Event::Tick))
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
                self.clock.heard(self.manners.idle);
                self.take_requests().await
            }
            Event::Room => self.take_requests().await,
            Event::Stop => {
                self.stopping = true;
                self.clock.leave();
                Ok(())
            }
            Event::Tick => self.clock.look(!self.asked.is_empty()),
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
        while self.takes() {
            match self.session.next(self.input.bytes(), self.flow.output()) {
                Step::More => break,
                Step::Ask(ticket, question) => self.ask(Some((ticket, question))).await?,
                Step::Refused(refused) => self.refused(*refused),
                Step::Done => self.closing = Some(End::Done),
                Step::Close(why) => self.closing = Some(End::Broken(why)),
            }
        }
        self.held_up = !self.takes() && !self.input.is_empty();
        let used = self.input.wipe_used();
        if self.input.is_empty() || !self.asked.is_empty() {
            self.clock.ended();
        } else {
            self.clock.began(used);
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
            if let Some(origin) = asking::origin_of(&mut question) {
                asking::sign(origin, &self.manners);
            }
            if let Some(answer) = asking::recall(&*self.gateway, &question) {
                next = self.answer((ticket, question, answer))?;
                continue;
            }
            let gateway = Arc::clone(&self.gateway);
            let mut asking = asking::ask(gateway, self.manners.timeout, (ticket, question));
            match poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await {
                Poll::Ready(answered) => next = self.answer(answered)?,
                Poll::Pending => {
                    self.asked.spawn(asking);
                }
            }
        }
        Ok(())
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
            Then::Refused(refused) => {
                self.refused(*refused);
                Ok(None)
            }
            Then::Close => {
                self.closing = Some(End::Done);
                Ok(None)
            }
            Then::Abort => Err(End::BrokenOff),
        }
    }

    /// The session has refused a login itself.
    fn refused(&mut self, refused: Refused) {
        self.refusals.log(refused, &self.manners, || self.peer());
    }

    /// Takes leave as the end demands. To let go of a stream closes it.
    async fn part(&mut self, end: &End) {
        self.refusals.tell_left_out();
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
