//! Clients that work until the connection breaks, and write into the ledger
//! what they were told.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use dmail_tests::client::Client;

use crate::ledger::{self, Ledger};

/// Who has a mailbox.
pub(crate) const USERS: [&str; 2] = ["ann", "bob"];
/// Everybody's password.
pub(crate) const PASSWORD: &str = "shared-password";

/// The address of a user.
pub(crate) fn address(user: &str) -> String {
    format!("{user}@corp.example")
}

/// Delivers messages until the server is gone: to one user, to the other, to
/// both, and so on.
pub(crate) fn send(smtp: SocketAddr, name: &str, ledger: &Ledger) {
    // The server dies, so that any of this may fail is the point.
    let _ = try_send(smtp, name, ledger);
}

fn try_send(smtp: SocketAddr, name: &str, ledger: &Ledger) -> io::Result<()> {
    let mut client = Client::try_connect(smtp)?;
    client.try_reply()?;
    client.try_ask("EHLO client.example")?;
    for number in 0_usize.. {
        let id = format!("{name}-{number}");
        let recipients = [&USERS[..1], &USERS[1..], &USERS[..]][number % 3];
        client.try_ask("MAIL FROM:<sender@far.example>")?;
        for user in recipients {
            client.try_ask(&format!("RCPT TO:<{}>", address(user)))?;
        }
        client.try_ask("DATA")?;
        client.try_send_bytes(ledger::content(&id, number).as_bytes())?;
        // From here on the server may have it, whether it says so or not.
        ledger.sending(recipients, &id);
        let reply = client.try_ask(".")?;
        assert!(reply.starts_with("250 "), "{reply}");
        ledger.acknowledged(recipients, &id);
    }
    Ok(())
}

/// Deletes every other message of a user, again and again.
pub(crate) fn read_and_delete(pop: SocketAddr, user: &str, ledger: &Ledger, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) && try_read(pop, user, ledger).is_ok() {}
}

fn try_read(pop: SocketAddr, user: &str, ledger: &Ledger) -> io::Result<()> {
    let mut client = Client::try_connect(pop)?;
    client.try_reply()?;
    client.try_ask(&format!("USER {user}"))?;
    let reply = client.try_ask(&format!("PASS {PASSWORD}"))?;
    assert!(reply.starts_with("+OK"), "{reply}");
    client.try_ask("LIST")?;
    let count = client.try_block()?.len();
    let mut marked = Vec::new();
    for number in (1..=count).step_by(2) {
        client.try_ask(&format!("RETR {number}"))?;
        let message = client.try_block()?.join("\r\n") + "\r\n";
        marked.push(ledger::id_of(&message));
        client.try_ask(&format!("DELE {number}"))?;
    }
    ledger.deleting(user, &marked);
    let reply = client.try_ask("QUIT")?;
    assert!(reply.starts_with("+OK"), "{reply}");
    ledger.deleted(user, &marked);
    Ok(())
}
