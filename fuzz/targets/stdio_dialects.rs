//! Whatever arrives in the dialects of standard input, each question answered
//! in one of three ways: nothing panics, and no session asks for ever.
#![no_main]

use bytes::BytesMut;
use dmail_core::{
    Account, CacheStatus, Outcome, Rejection, SearchOutcome, Unavailable, UnavailableKind, Verdict,
};
use dmail_dialects::authdaemon::AuthdaemonSession;
use dmail_dialects::extauth::ExtauthSession;
use dmail_dialects::proc_exec::ProcExecSession;
use dmail_dialects::{Answer, Question, Session, Step, Then, UnixAccount};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let account = UnixAccount { uid: 1, gid: 1, home: "/home".into() };
    let mut session: Box<dyn Session> = match choice % 4 {
        0 => Box::new(ExtauthSession::with_changes()),
        1 => Box::new(ProcExecSession::new(account)),
        choice => Box::new(AuthdaemonSession::new(account, choice == 2)),
    };
    let (mut input, mut out) = (BytesMut::from(bytes), Vec::new());
    // No request is shorter than two bytes, and none takes more than two
    // questions.
    let mut follows = None;
    for turn in 0..=bytes.len() + 2 {
        let (ticket, question) = match follows.take() {
            Some(asked) => asked,
            None => match session.next(&mut input, &mut out) {
                Step::Ask(ticket, question) => (ticket, question),
                Step::Refused(_) => continue,
                Step::More | Step::Done | Step::Close(_) => return,
            },
        };
        let unavailable = || Unavailable::new(UnavailableKind::Dead, "down");
        let decided = choice.wrapping_add(turn as u8) % 3;
        let answer = match question {
            Question::Authenticate(request) => Answer::Verdict(match decided {
                0 => Ok(Verdict::accepted(Account::named(request.user))),
                1 => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
                _ => Err(unavailable()),
            }),
            Question::Change(_) => Answer::Changed(match decided {
                0 => Ok(Outcome::Done("done".into())),
                1 => Ok(Outcome::Refused(Rejection::unsupported())),
                _ => Err(unavailable()),
            }),
            Question::CacheStatus(_) => Answer::CacheStatus(CacheStatus::default()),
            Question::Forget(_) => Answer::Forgotten(0),
            Question::Search(_) => {
                Answer::Found(Ok(SearchOutcome::Refused(Rejection::unsupported())))
            }
        };
        match session.answered(ticket, answer, &mut out) {
            Then::Ask(ticket, question) => follows = Some((ticket, question)),
            Then::GoOn | Then::Refused(_) => {}
            Then::Close | Then::Abort => return,
        }
    }
    panic!("more questions than bytes");
});
