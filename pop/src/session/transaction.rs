//! TRANSACTION and UPDATE: what is done with an open mailbox (RFC 1939
//! sections 5, 6 and 7).

use super::{Closing, OUTPUT_BYTES, Phase, Session, Step};
use crate::command::Command;
use crate::error::Error;
use crate::maildrop::{Maildrop, Messages};
use crate::reply::{LAST_LINE, Reply, write_item};

/// What a session with an open mailbox is in the middle of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doing {
    /// Waiting for the client.
    Nothing,
    /// Writing a listing that is longer than one piece of output.
    Listing { what: Listed, next: usize },
    /// Waiting for the lasting names, to list this message or all.
    Naming { message: Option<u32> },
    /// Sending a message whose status line stands at `head` in the output.
    Sending { head: usize, whole: bool },
}

/// What a listing says of each message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listed {
    Octets,
    Uid,
}

impl<M: Messages> Session<M> {
    /// A command of a user who is logged in.
    pub(super) fn in_transaction(
        &mut self,
        command: Command,
        out: &mut Vec<u8>,
    ) -> Result<Step<M>, Error> {
        let Phase::Transaction(maildrop, doing) = &mut self.phase else {
            return Err(Error::NotLoggedIn);
        };
        let reply = match command {
            Command::Dele(number) => {
                maildrop.delete(maildrop.index_of(number)?);
                Reply::ok(format!("message {number} will be deleted at QUIT"))
            }
            Command::List(None) => return Ok(list(maildrop, doing, Listed::Octets, out)),
            Command::List(Some(number)) => {
                let octets = maildrop.octets(maildrop.index_of(number)?);
                Reply::ok(format!("{number} {octets}"))
            }
            Command::Noop => Reply::ok("nothing done"),
            Command::Retr(number) => return send(maildrop, doing, number, None, out),
            Command::Rset => {
                maildrop.reset();
                let (count, octets) = maildrop.totals();
                Reply::ok(format!("{count} messages ({octets} octets)"))
            }
            Command::Stat => {
                let (count, octets) = maildrop.totals();
                Reply::ok(format!("{count} {octets}"))
            }
            Command::Top { message, lines } => {
                return send(maildrop, doing, message, Some(lines), out);
            }
            Command::Uidl(message) => {
                // Whether there is such a message is known without its name.
                message.map(|number| maildrop.index_of(number)).transpose()?;
                return match maildrop.uids() {
                    Some(_) => list_uids(maildrop, doing, message, out),
                    None => {
                        *doing = Doing::Naming { message };
                        Ok(Step::Name(maildrop.mailbox()))
                    }
                };
            }
            _ => return Err(Error::LoggedIn),
        };
        reply.write(out);
        Ok(Step::Listen)
    }

    /// Goes on with the reply that [`Step::Resume`] interrupted.
    pub fn resume(&mut self, out: &mut Vec<u8>) -> Step<M> {
        match &mut self.phase {
            Phase::Transaction(maildrop, doing) => list_on(maildrop, doing, out),
            _ => Step::Listen,
        }
    }

    /// What came of [`Step::Name`].
    pub fn named(&mut self, uids: Result<Vec<M::Uid>, Error>, out: &mut Vec<u8>) -> Step<M> {
        let Phase::Transaction(maildrop, doing) = &mut self.phase else {
            return Step::Listen;
        };
        let Doing::Naming { message } = *doing else {
            return Step::Listen;
        };
        *doing = Doing::Nothing;
        let step = uids.and_then(|uids| {
            maildrop.learn_uids(uids);
            list_uids(maildrop, doing, message, out)
        });
        step.unwrap_or_else(|error| self.refuse(error, out))
    }

    /// The message of [`Step::Send`] is in the output, as far as it was not
    /// sent already: so many octets of it, without the dots added.
    pub fn sent(&mut self, octets: u64) -> Step<M> {
        if let Phase::Transaction(_, doing) = &mut self.phase {
            if let Doing::Sending { whole: true, .. } = doing {
                self.tally.retrieved += 1;
            }
            *doing = Doing::Nothing;
        }
        self.tally.octets += octets;
        Step::Listen
    }

    /// The message of [`Step::Send`] could not be read, and nothing of it was
    /// sent: `out` is as it was then, and what was added goes.
    pub fn unsent(&mut self, error: Error, out: &mut Vec<u8>) -> Step<M> {
        if let Phase::Transaction(_, doing) = &mut self.phase {
            if let Doing::Sending { head, .. } = *doing {
                out.truncate(head);
            }
            *doing = Doing::Nothing;
        }
        self.refuse(error, out)
    }

    /// QUIT in any state. Only here do marks become deletions.
    pub(super) fn quit(&mut self, out: &mut Vec<u8>) -> Step<M> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Transaction(maildrop, _) if maildrop.marked() > 0 => {
                self.tally.deleted = u32::try_from(maildrop.marked()).unwrap_or(u32::MAX);
                let (mailbox, deleted) = maildrop.into_parts();
                Step::Commit { mailbox, deleted }
            }
            // The mailbox is free again before the client reads the reply.
            phase => {
                drop(phase);
                Reply::ok("goodbye").write(out);
                Step::Close(Closing::Quit)
            }
        }
    }

    /// What came of [`Step::Commit`].
    pub fn committed(&mut self, result: Result<(), Error>, out: &mut Vec<u8>) -> Step<M> {
        match result {
            Ok(()) => Reply::ok("goodbye").write(out),
            Err(error) => {
                self.tally.deleted = 0;
                Reply::from(error).write(out);
            }
        }
        Step::Close(Closing::Quit)
    }
}

/// RETR and TOP: the status line now, the message from whoever reads it.
fn send<M: Messages>(
    maildrop: &Maildrop<M>,
    doing: &mut Doing,
    number: u32,
    lines: Option<u32>,
    out: &mut Vec<u8>,
) -> Result<Step<M>, Error> {
    let index = maildrop.index_of(number)?;
    *doing = Doing::Sending { head: out.len(), whole: lines.is_none() };
    let reply = match lines {
        None => Reply::ok(format!("{} octets", maildrop.octets(index))),
        Some(_) => Reply::ok("top of message follows"),
    };
    reply.write(out);
    Ok(Step::Send { mailbox: maildrop.mailbox(), index, lines })
}

/// UIDL, now that the names are known.
fn list_uids<M: Messages>(
    maildrop: &Maildrop<M>,
    doing: &mut Doing,
    message: Option<u32>,
    out: &mut Vec<u8>,
) -> Result<Step<M>, Error> {
    let Some(number) = message else {
        return Ok(list(maildrop, doing, Listed::Uid, out));
    };
    let index = maildrop.index_of(number)?;
    let uid = &maildrop.uids().expect("asked before")[index];
    Reply::ok(format!("{number} {uid}")).write(out);
    Ok(Step::Listen)
}

/// LIST or UIDL of all messages.
fn list<M: Messages>(
    maildrop: &Maildrop<M>,
    doing: &mut Doing,
    what: Listed,
    out: &mut Vec<u8>,
) -> Step<M> {
    let (count, octets) = maildrop.totals();
    Reply::ok(format!("{count} messages ({octets} octets)")).write(out);
    *doing = Doing::Listing { what, next: 0 };
    list_on(maildrop, doing, out)
}

/// The next lines of a listing, up to [`OUTPUT_BYTES`].
fn list_on<M: Messages>(maildrop: &Maildrop<M>, doing: &mut Doing, out: &mut Vec<u8>) -> Step<M> {
    let Doing::Listing { what, next } = doing else {
        return Step::Listen;
    };
    while let Some(index) = maildrop.next_kept(*next) {
        if out.len() >= OUTPUT_BYTES {
            return Step::Resume;
        }
        match what {
            Listed::Octets => write_item(out, index + 1, maildrop.octets(index)),
            Listed::Uid => {
                let uids = maildrop.uids().expect("a listing of names knows them");
                write_item(out, index + 1, &uids[index]);
            }
        }
        *next = index + 1;
    }
    *doing = Doing::Nothing;
    out.extend_from_slice(LAST_LINE);
    Step::Listen
}
