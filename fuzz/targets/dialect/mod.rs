//! A client that says anything, in pieces of any size, to a session whose
//! questions are answered in any order, or never.

use bytes::BytesMut;
use dmail_core::{
    Account, CacheStatus, DropPath, Found, Hit, Info, Outcome, Rejection, RejectionKind,
    SearchOutcome, Uid, Unavailable, UnavailableKind, Username, Verdict,
};
use dmail_dialects::{Answer, Question, Session, Step, Then, Ticket};

/// What may be said for one byte of a request, and for one answer.
const SAID_FOR_A_BYTE: usize = 64;
const SAID_FOR_AN_ANSWER: usize = 4_096;

/// What is true of a dialect.
pub struct Dialect<S> {
    /// Makes a session.
    pub session: fn() -> S,
    /// Bytes of a request that is not whole yet, at most.
    pub unread: usize,
    /// Questions at a time, at most.
    pub at_once: usize,
    /// Whether it does not matter in which pieces requests arrive.
    pub is_stream: bool,
}

/// Choices that the fuzzer makes.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        // A linear congruence: the next choice follows from the seed alone.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Talks to sessions of the dialect.
pub fn talk<S: Session>(dialect: &Dialect<S>, seed: u64, bytes: &[u8]) {
    let mut choices = Choices(seed);
    out_of_order(dialect, &mut choices, bytes);
    if dialect.is_stream {
        let whole = in_order(dialect, bytes, || bytes.len().max(1));
        let pieces = in_order(dialect, bytes, || 1 + choices.below(20));
        assert_eq!(whole, pieces, "the same bytes, the same talk");
    }
}

/// Answers whatever is asked at once, and returns what was said.
fn in_order<S: Session>(
    dialect: &Dialect<S>,
    bytes: &[u8],
    mut piece: impl FnMut() -> usize,
) -> Vec<u8> {
    let (mut session, mut input, mut out) = ((dialect.session)(), BytesMut::new(), Vec::new());
    let mut rest = bytes;
    loop {
        match session.next(&mut input, &mut out) {
            Step::More if rest.is_empty() => return out,
            Step::More => {
                let (arrived, later) = rest.split_at(piece().min(rest.len()));
                input.extend_from_slice(arrived);
                rest = later;
            }
            Step::Close(_) | Step::Done => return out,
            Step::Refused(_) => {}
            Step::Ask(ticket, question) => {
                let mut asked = Some((ticket, question));
                while let Some((ticket, question)) = asked.take() {
                    let choice = name_of(&question).map_or(0, |name| name.as_str().len());
                    match session.answered(ticket, answer(&question, choice), &mut out) {
                        Then::Ask(ticket, question) => asked = Some((ticket, question)),
                        Then::GoOn | Then::Refused(_) => {}
                        Then::Close | Then::Abort => return out,
                    }
                }
            }
        }
    }
}

fn out_of_order<S: Session>(dialect: &Dialect<S>, choices: &mut Choices, bytes: &[u8]) {
    let (mut session, mut input, mut out) = ((dialect.session)(), BytesMut::new(), Vec::new());
    let mut waiting: Vec<(Ticket, Question)> = Vec::new();
    let (mut rest, mut fed, mut answers) = (bytes, 0, 0);
    session.greeting(&mut out);
    let greeting = out.len();
    loop {
        match session.next(&mut input, &mut out) {
            Step::Ask(ticket, question) => {
                wait(dialect, &mut waiting, ticket, question);
                continue;
            }
            Step::Refused(_) => continue,
            Step::Close(_) | Step::Done => return,
            Step::More => {}
        }
        let bound = greeting + fed * SAID_FOR_A_BYTE + answers * SAID_FOR_AN_ANSWER;
        assert!(out.len() <= bound, "{} bytes said, {fed} heard", out.len());
        assert!(!waiting.is_empty() || input.len() <= dialect.unread, "{} unread", input.len());
        if !waiting.is_empty() && (rest.is_empty() || choices.below(2) == 0) {
            let (ticket, question) = waiting.swap_remove(choices.below(waiting.len()));
            answers += 1;
            let answer = answer(&question, choices.below(16));
            match session.answered(ticket, answer, &mut out) {
                Then::Ask(ticket, question) => wait(dialect, &mut waiting, ticket, question),
                Then::GoOn | Then::Refused(_) => {}
                Then::Close | Then::Abort => return,
            }
        } else if rest.is_empty() {
            return;
        } else {
            let (arrived, later) = rest.split_at((1 + choices.below(40)).min(rest.len()));
            input.extend_from_slice(arrived);
            fed += arrived.len();
            rest = later;
        }
    }
}

/// Puts a question to those that wait for their answers.
fn wait<S>(
    dialect: &Dialect<S>,
    waiting: &mut Vec<(Ticket, Question)>,
    ticket: Ticket,
    question: Question,
) {
    assert!(waiting.iter().all(|(other, _)| *other != ticket), "a ticket for each");
    waiting.push((ticket, question));
    assert!(waiting.len() <= dialect.at_once);
}

fn name_of(question: &Question) -> Option<&Username> {
    match question {
        Question::Authenticate(request) => Some(&request.user),
        _ => None,
    }
}

/// One of the answers that the gateway gives.
fn answer(question: &Question, choice: usize) -> Answer {
    let name = name_of(question);
    match question {
        Question::Authenticate(_) => Answer::Verdict(verdict(name.expect("a user"), choice)),
        Question::Search(_) => Answer::Found(match choice % 3 {
            0 => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            1 => Ok(SearchOutcome::Refused(Rejection::unsupported())),
            _ => {
                let user = Username::parse(b"b\xc3\xb6b|x").expect("a name");
                let hits = vec![Hit { user, info: Info::default() }];
                Ok(SearchOutcome::Found(Found { hits, scanned: 1 }))
            }
        }),
        Question::CacheStatus(_) => Answer::CacheStatus(CacheStatus::default()),
        Question::Forget(masks) => Answer::Forgotten(masks.len()),
        Question::Change(_) => Answer::Changed(match choice % 3 {
            0 => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            1 => Ok(Outcome::Refused(Rejection::unsupported())),
            _ => Ok(Outcome::Done("done".into())),
        }),
    }
}

fn verdict(user: &Username, choice: usize) -> Result<Verdict, Unavailable> {
    let mut account = Account::named(user.clone());
    match choice {
        0..=4 => {
            account.drop = DropPath::File("/mail/a b".into());
            account.uid = Some(if choice == 0 { Uid::Name("x".into()) } else { Uid::Number(7) });
            let info = r#"fwd="$user, a@x.example" quota="5" sendas="*@x" sendlimit="2/1h""#;
            account.info = info.parse().expect("info");
            Ok(Verdict::accepted(account))
        }
        5 => Ok(Verdict::accepted(account)),
        6 | 7 => Err(Unavailable::new(UnavailableKind::Timeout, "slow")),
        _ => {
            let kind = RejectionKind::ALL[choice % RejectionKind::ALL.len()];
            Ok(Verdict::Rejected(Rejection::new(kind, "no").telling("no")))
        }
    }
}
