//! What every dialect's conversation looks like from outside.

use bytes::BytesMut;
use dmail_core::{
    AuthRequest, CacheStatus, Change, Outcome, Search, SearchOutcome, Unavailable, Verdict,
};

use crate::Refused;

/// The number of a question on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// One connection's conversation, without IO. Whoever runs it feeds it what
/// arrived, asks what it wants asked, in any order, and sends what it writes.
pub trait Session: Send {
    /// What is said before the client has said anything.
    fn greeting(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Takes the next request off `input`. To be called until it says
    /// [`Step::More`].
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step;

    /// The gateway's answer to a question, which comes once for each
    /// [`Step::Ask`] and [`Then::Ask`], or not at all if the connection ends
    /// before.
    fn answered(&mut self, ticket: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then;
}

/// What a session wants.
#[derive(Debug)]
pub enum Step {
    /// Nothing, until more bytes are there.
    More,
    /// A question for the gateway.
    Ask(Ticket, Question),
    /// Nothing: a login was refused, which is for the log. The connection goes
    /// on.
    Refused(Box<Refused>),
    /// The end of the connection, once all is sent that was written.
    Done,
    /// The same, because the client broke the protocol. The text is for the log.
    Close(&'static str),
}

/// What the gateway is asked.
#[derive(Debug)]
pub enum Question {
    /// A check or a lookup.
    Authenticate(AuthRequest),
    /// A new password, or the end of an account.
    Change(Change),
    /// A list of users.
    Search(Search),
    /// How well memory serves; with `true`, to count from 0 after that.
    CacheStatus(bool),
    /// To forget what is remembered of the users that one of these masks is
    /// about, which may hold `*` and `?`; of all users if there is none.
    Forget(Vec<String>),
}

/// What the gateway said.
#[derive(Debug)]
pub enum Answer {
    /// To [`Question::Change`].
    Changed(Result<Outcome, Unavailable>),
    /// To [`Question::CacheStatus`].
    CacheStatus(CacheStatus),
    /// To [`Question::Authenticate`].
    Verdict(Result<Verdict, Unavailable>),
    /// To [`Question::Search`].
    Found(Result<SearchOutcome, Unavailable>),
    /// To [`Question::Forget`]: how many users were remembered.
    Forgotten(usize),
}

/// What follows an answer.
#[derive(Debug)]
pub enum Then {
    /// The request takes another question.
    Ask(Ticket, Question),
    /// The connection goes on.
    GoOn,
    /// The same. A login was refused for another reason than the answer, which
    /// is for the log.
    Refused(Box<Refused>),
    /// It ends, once all is sent that was written.
    Close,
    /// It ends at once and abnormally (a reset on TCP): the one way in which
    /// some clients understand that nobody could decide.
    Abort,
}
