//! SMTP: messages of 4 KB to random users of the real program, each on disk
//! before its reply, beside a line server that keeps nothing, and beside the
//! disk alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::bare::server::BareServer;
use crate::contest::{Effort, alone, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, Tally, drive, one_thread, repeat};
use crate::mail;
use crate::measure::{Meter, Server};
use crate::program::{DOMAIN, Passwords, Program, Users, folder};
use crate::report::{Report, Target, Wanted, count};
use crate::script::Script;
use crate::wire::Wire;

const USERS: usize = 100;
/// Size of a message, in bytes.
const MESSAGE_BYTES: usize = 4096;
/// Threads that write to the disk, for its limit.
const WRITERS: usize = 10;
/// Processor time of the server for one message of ten clients, in µs: half
/// of what Postfix 3.7 needs on the machine that the target was set on.
const TARGET: Wanted = Wanted::Below(845.0);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let program =
        Program::start(Users { number: USERS, messages: 0, passwords: Passwords::Clear })?;
    report.table("SMTP: messages of 4 KB, on disk before the reply");
    for messages in [1, 100] {
        let bare = BareServer::start(&script(program.smtp, messages)?)?;
        for clients in [1, 10, 50] {
            let turn = |server, pid, time| turn(clients, messages, server, pid, time);
            let contest = hold(
                effort,
                |time| turn(program.smtp, program.pid(), time),
                |time| turn(bare.address, bare.pid(), time),
            )?;
            let (connections, each) = (count(clients, "connection"), count(messages, "message"));
            let name = format!("dmail, {connections}, {each} on each");
            report.contest(&name, "bare: line server", &contest);
            if clients == 10 {
                let (what, found) = (format!("{name}: server CPU µs"), contest.ours.server_us);
                report.target(Target { what: &what, found, wanted: TARGET });
            }
        }
    }
    program.stop()?;
    let disk = folder()?;
    let limit = alone(effort, |time| write_alone(disk.path(), time))?;
    report.row(&format!("limit: append and fdatasync, {WRITERS} threads"), &limit);
    Ok(())
}

fn turn(
    clients: usize,
    messages: usize,
    server: SocketAddr,
    pid: u32,
    time: Duration,
) -> Result<Sample, Failure> {
    let content = content();
    let sender = || Sender { server, messages, content: Arc::clone(&content), open: None };
    let clients = (0..clients).map(|_| sender()).collect();
    Ok(one_thread()?.block_on(drive(clients, time, &Server::Processes(vec![pid]))))
}

/// What the program says over one connection.
fn script(server: SocketAddr, messages: usize) -> Result<Script, Failure> {
    let recording = async {
        let content = content();
        let mut wire = connect(server, true).await?;
        for _ in 0..messages {
            send(&mut wire, &content).await?;
        }
        leave(wire).await
    };
    let recorded: Result<Script, Wrong> = one_thread()?.block_on(recording);
    recorded.map_err(|wrong| Failure::Program(format!("SMTP: {wrong}")))
}

/// Sends messages, so many over one connection.
struct Sender {
    server: SocketAddr,
    messages: usize,
    content: Arc<[u8]>,
    /// The connection, and how many messages it has carried.
    open: Option<(Wire, usize)>,
}

impl Client for Sender {
    async fn operate(&mut self) -> Result<(), Wrong> {
        let (mut wire, sent) = match self.open.take() {
            Some(open) => open,
            None => (connect(self.server, false).await?, 0),
        };
        send(&mut wire, &self.content).await?;
        if sent + 1 < self.messages {
            self.open = Some((wire, sent + 1));
        } else {
            leave(wire).await?;
        }
        Ok(())
    }
}

pub(super) async fn connect(server: SocketAddr, record: bool) -> Result<Wire, Wrong> {
    let mut wire = Wire::connect(server, is_whole, "220").await?;
    if record {
        wire.record();
    }
    wire.ask(b"EHLO client.bench.example\r\n", "250").await?;
    Ok(wire)
}

async fn send(wire: &mut Wire, content: &[u8]) -> Result<(), Wrong> {
    let user = rand::random_range(0..USERS);
    wire.ask(b"MAIL FROM:<sender@elsewhere.example>\r\n", "250").await?;
    wire.ask(format!("RCPT TO:<test{user}@{DOMAIN}>\r\n").as_bytes(), "250").await?;
    wire.ask(b"DATA\r\n", "354").await?;
    wire.ask(content, "250").await
}

async fn leave(mut wire: Wire) -> Result<Script, Wrong> {
    wire.ask(b"QUIT\r\n", "221").await?;
    wire.end().await
}

/// Whether this ends with a line that no other of its reply follows: `250 `,
/// not `250-`.
fn is_whole(reply: &[u8]) -> bool {
    let Some(text) = reply.strip_suffix(b"\r\n") else {
        return false;
    };
    let last = text.rsplit(|byte| *byte == b'\n').next().unwrap_or(text);
    last.get(3) != Some(&b'-')
}

/// A message and the dot behind it.
fn content() -> Arc<[u8]> {
    let mut content = mail::message(MESSAGE_BYTES);
    content.extend_from_slice(b".\r\n");
    content.into()
}

/// One turn of the disk alone: each thread appends to a file of its own.
fn write_alone(folder: &Path, time: Duration) -> Result<Sample, Failure> {
    let block = mail::message(MESSAGE_BYTES);
    let meter = Meter::start(&Server::Own);
    let mut total = Tally::new();
    thread::scope(|scope| {
        let writing = (0..WRITERS).map(|writer| {
            let (path, block) = (folder.join(format!("test{writer}")), &block);
            scope.spawn(move || append(&path, block, time))
        });
        let writing: Vec<_> = writing.collect();
        for writer in writing {
            let tally = writer.join().map_err(|_| Failure::Program("a writer died".to_owned()))?;
            total.merge(tally?);
        }
        Ok::<(), Failure>(())
    })?;
    Ok(meter.finish(total))
}

fn append(path: &Path, block: &[u8], time: Duration) -> Result<Tally, Failure> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let mut file = opened.map_err(Failure::system("open a file to append to"))?;
    Ok(repeat(time, || {
        file.write_all(block)?;
        Ok(file.sync_data()?)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_with_the_line_that_says_so() {
        for (reply, whole) in [
            ("", false),
            ("250 fine", false),
            ("250 fine\r\n", true),
            ("250-one\r\n", false),
            ("250-one\r\n250 t", false),
            ("250-one\r\n250 two\r\n", true),
        ] {
            assert_eq!(is_whole(reply.as_bytes()), whole, "{reply:?}");
        }
    }
}
