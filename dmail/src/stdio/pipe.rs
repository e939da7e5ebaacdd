//! A dialect on standard input and output.

use std::ffi::OsString;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::BytesMut;
use dmail_core::{Authenticator, Outcome};
use dmail_dialects::{Answer, Question, Session, Step, Then, Ticket};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::options::Options;
use super::{Program, gateway};
use crate::failure::Failure;
use crate::{module, serve};

/// How many questions are under way at a time. Until one is answered, no more
/// is read.
const OUTSTANDING: usize = 64;
/// How much is read at a time.
const BLOCK: usize = 8_192;
/// How much may wait to be understood: more than any request has.
const MAX_INPUT: usize = 128 << 10;
/// What a program ends with that could not get an answer: "try again later".
const TEMPORARY: u8 = 75;

/// How a conversation ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The other side said all that it had to say, and got all answers.
    Done,
    /// The other side broke the protocol.
    Broken(&'static str),
    /// Nobody could decide, and the end is how this dialect says so.
    Later,
}

/// Runs `program`, whose conversation is made by `session`.
pub(super) fn run(
    program: &Program,
    words: Vec<OsString>,
    session: impl FnOnce(&Options) -> Box<dyn Session>,
) -> Result<ExitCode, Failure> {
    let Some(options) = program.options(words)? else { return Ok(ExitCode::SUCCESS) };
    if let Some(word) = options.rest.first() {
        return Err(Failure::Usage(format!("unknown word {}", word.display())));
    }
    module::begin(options.debug);
    let session = session(&options);
    let end = serve::run_to_end(async {
        let gateway = Arc::new(gateway::connect(&options, OUTSTANDING));
        let asked = Arc::clone(&gateway) as Arc<dyn Authenticator>;
        let talked = talk(session, asked, standard_input(), tokio::io::stdout()).await;
        gateway.close().await;
        talked.map_err(Failure::other("standard output"))
    })?;
    match end {
        End::Done => Ok(ExitCode::SUCCESS),
        End::Broken(why) => Err(Failure::Other(format!("{}: {why}", program.name))),
        End::Later => Ok(ExitCode::from(TEMPORARY)),
    }
}

/// What arrives on standard input. A thread reads it that nobody waits for: it
/// may sit in a read for ever when this program has to end.
fn standard_input() -> mpsc::Receiver<Vec<u8>> {
    let (blocks, input) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut block = vec![0; BLOCK];
        while let Ok(length @ 1..) = stdin.read(&mut block) {
            if blocks.blocking_send(block[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    input
}

/// Talks until one side ends it.
async fn talk(
    mut session: Box<dyn Session>,
    gateway: Arc<dyn Authenticator>,
    mut input: mpsc::Receiver<Vec<u8>>,
    mut output: impl AsyncWrite + Unpin,
) -> std::io::Result<End> {
    let (mut arrived, mut out) = (BytesMut::new(), Vec::new());
    let mut asked = JoinSet::new();
    let mut more = true;
    session.greeting(&mut out);
    loop {
        let mut broken = None;
        while asked.len() < OUTSTANDING {
            match session.next(&mut arrived, &mut out) {
                Step::More => break,
                Step::Ask(ticket, question) => {
                    asked.spawn(ask(Arc::clone(&gateway), ticket, question));
                }
                Step::Close(why) => {
                    broken = Some(why);
                    break;
                }
            }
        }
        send(&mut output, &mut out).await?;
        if let Some(why) = broken {
            return Ok(End::Broken(why));
        }
        if !more && asked.is_empty() {
            return Ok(End::Done);
        }
        tokio::select! {
            Some(answered) = asked.join_next() => {
                let (ticket, answer) = answered.map_err(std::io::Error::other)?;
                if session.answered(ticket, answer, &mut out) != Then::GoOn {
                    send(&mut output, &mut out).await?;
                    return Ok(End::Later);
                }
            }
            block = input.recv(), if more && arrived.len() < MAX_INPUT => match block {
                Some(block) => arrived.extend_from_slice(&block),
                None => more = false,
            },
        }
    }
}

async fn send(output: &mut (impl AsyncWrite + Unpin), out: &mut Vec<u8>) -> std::io::Result<()> {
    if !out.is_empty() {
        output.write_all(out).await?;
        output.flush().await?;
        out.clear();
    }
    Ok(())
}

async fn ask(
    gateway: Arc<dyn Authenticator>,
    ticket: Ticket,
    question: Question,
) -> (Ticket, Answer) {
    let answer = match question {
        Question::Authenticate(request) => {
            let verdict = gateway.authenticate(&request).await;
            if let Err(error) = &verdict {
                tracing::warn!(user = %request.user, %error, "nobody could say");
            }
            Answer::Verdict(verdict)
        }
        Question::Change(change) => {
            let outcome = gateway.change(&change).await;
            match &outcome {
                Ok(Outcome::Done(_)) => {}
                Ok(Outcome::Refused(why)) => {
                    tracing::warn!(user = %change.user, why = %why.text, "not changed");
                }
                Err(error) => tracing::warn!(user = %change.user, %error, "not changed"),
            }
            Answer::Changed(outcome)
        }
        Question::Search(search) => Answer::Found(gateway.search(&search).await),
    };
    (ticket, answer)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use dmail_core::{Account, AuthRequest, Rejection, Unavailable, UnavailableKind, Verdict};
    use dmail_dialects::authdaemon::{AuthdaemonSession, Config};

    use super::*;

    struct Base;

    #[async_trait]
    impl Authenticator for Base {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            match request.user.as_str() {
                "bob" => Ok(Verdict::accepted(Account::named(request.user.clone()))),
                "down" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
                _ => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
            }
        }
    }

    async fn talked(text: &str) -> (End, String) {
        let config = Config { uid: 8, gid: 9, home: "/h".into() };
        let session = Box::new(AuthdaemonSession::new(config, false));
        let (blocks, input) = mpsc::channel(1);
        let text = text.to_owned();
        tokio::spawn(async move {
            // As slowly as it can come.
            for byte in text.into_bytes() {
                let _ = blocks.send(vec![byte]).await;
            }
        });
        let mut out = Vec::new();
        let end = talk(session, Arc::new(Base), input, &mut out).await.expect("a conversation");
        (end, String::from_utf8(out).expect("text"))
    }

    #[tokio::test]
    async fn a_conversation_ends_with_its_input_or_without_an_answer() {
        let bob = "UID=8\nGID=9\nHOME=/h\nADDRESS=bob\n.\n";
        let rows = [
            ("", End::Done, String::new()),
            ("PRE . imap bob\nPRE . imap ann\n", End::Done, format!("{bob}FAIL\n")),
            ("PRE . imap bob\nPRE . imap down\nPRE . imap bob\n", End::Later, bob.to_owned()),
            ("AUTH x\n", End::Broken("AUTH without a length"), String::new()),
        ];
        for (text, end, out) in rows {
            assert_eq!(talked(text).await, (end, out), "{text}");
        }
    }
}
