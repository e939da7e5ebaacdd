//! A client's side of a conversation, for tests.

use bytes::BytesMut;

use crate::{Answer, Question, Session, Step, Then};

/// Feeds `input` to `session` and has `answer` answer each question at once.
/// What was said, and why it ended: "" if it goes on.
pub(crate) fn with(
    session: &mut dyn Session,
    input: &[u8],
    mut answer: impl FnMut(Question) -> Answer,
) -> (Vec<u8>, &'static str) {
    let (mut input, mut out) = (BytesMut::from(input), Vec::new());
    loop {
        let mut asked = match session.next(&mut input, &mut out) {
            Step::More => return (out, ""),
            Step::Close(why) => return (out, why),
            Step::Ask(ticket, question) => Some((ticket, question)),
            Step::Refused(_) => None,
            Step::Done => return (out, "done"),
        };
        while let Some((ticket, question)) = asked.take() {
            match session.answered(ticket, answer(question), &mut out) {
                Then::Ask(ticket, question) => asked = Some((ticket, question)),
                Then::GoOn | Then::Refused(_) => {}
                Then::Close => return (out, "closed"),
                Then::Abort => return (out, "broken off"),
            }
        }
    }
}
