//! A mail transaction: MAIL, RCPT, DATA, and the responsibility for a message.

use std::sync::Arc;
use std::time::SystemTime;

use dmail_core::{Account, AuthRequest, RejectionKind, Unavailable, Username, Verdict};

use super::{Phase, Session, Step};
use crate::address::{Address, Host};
use crate::command::{ForwardPath, Mail};
use crate::delivery::{DeliveryError, Envelope, MessageId, Receipt, Recipient};
use crate::error::Error;
use crate::message::Message;
use crate::reply::{Code, Reply, Status};

/// What the client has said of its message so far.
#[derive(Debug)]
pub(super) struct Transaction {
    sender: Option<Address>,
    recipients: Vec<Recipient>,
}

/// What the log will say of a message.
#[derive(Debug)]
pub(super) struct Accepted {
    id: MessageId,
    sender: Option<Address>,
    recipients: usize,
    bytes: u64,
}

/// What a message gets from the server when it has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Its name.
    pub id: MessageId,
    /// When the end of data was seen.
    pub received_at: SystemTime,
}

impl Session {
    pub(super) fn mail(&mut self, mail: Mail, out: &mut Vec<u8>) -> Result<Step, Error> {
        if self.hello.is_none() {
            return Err(Error::NeedsHello("EHLO or HELO"));
        }
        if self.in_transaction() {
            return Err(Error::NestedMail);
        }
        if mail.size.is_some_and(|size| size > self.config.max_message_size) {
            return Err(Error::TooLarge);
        }
        if self.counts.messages >= self.config.session.messages {
            return Err(Error::TooMany("messages"));
        }
        let transaction = Transaction { sender: mail.sender, recipients: Vec::new() };
        self.phase = Phase::Mail(Box::new(transaction));
        Reply::new(Code::Ok, Status::SENDER, "Command MAIL OK").write(out);
        Ok(Step::Listen)
    }

    pub(super) fn rcpt(&mut self, path: ForwardPath, out: &mut Vec<u8>) -> Result<Step, Error> {
        let transaction = self.take_transaction().ok_or(Error::NeedsMail)?;
        if transaction.recipients.len() >= self.config.session.recipients {
            self.phase = Phase::Mail(transaction);
            return Err(Error::TooManyRecipients);
        }
        let address = match path {
            ForwardPath::Address(address) => address,
            ForwardPath::Postmaster => {
                Address::in_domain("postmaster", self.config.local_domains.main())
            }
        };
        match self.local_user(&address) {
            Ok(user) => {
                self.phase = Phase::LookingUp(transaction, address);
                Ok(Step::Ask(AuthRequest::lookup(user, self.origin)))
            }
            Err(error) => {
                self.phase = Phase::Mail(transaction);
                let refusal = Refusal::new(error, "not-local", "not a mailbox of this server");
                Ok(self.refuse_recipient(&address, refusal, out))
            }
        }
    }

    /// The transaction that MAIL opened, if there is one.
    fn take_transaction(&mut self) -> Option<Box<Transaction>> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Mail(transaction) => Some(transaction),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// The name under which the gateway knows a recipient, if it is one of
    /// ours. Only the domain decides that: what `%` or `!` in a local part
    /// might mean is never looked at.
    fn local_user(&self, address: &Address) -> Result<Username, Error> {
        let domain = match address.host() {
            Host::Domain(domain) if self.config.local_domains.contains(domain) => domain,
            _ if self.user.is_some() => return Err(Error::NoOutgoing),
            _ => return Err(Error::RelayDenied),
        };
        let local = address.local_part();
        if let Some(user) = &self.config.postmaster
            && local.eq_ignore_ascii_case("postmaster")
        {
            return Ok(user.clone());
        }
        if local.contains('@') {
            // As a name it could be taken for a user of another domain.
            return Err(Error::UnknownUser);
        }
        Username::parse(format!("{local}@{domain}").as_bytes()).map_err(|_| Error::UnknownUser)
    }

    pub(super) fn recipient_answered(
        &mut self,
        mut transaction: Box<Transaction>,
        address: Address,
        answer: Result<Verdict, Unavailable>,
        out: &mut Vec<u8>,
    ) -> Step {
        match judge(answer) {
            Ok(account) => {
                transaction.recipients.push(Recipient { address, account });
                self.phase = Phase::Mail(transaction);
                let text = "Command RCPT User found OK";
                Reply::new(Code::Ok, Status::RECIPIENT, text).write(out);
                Step::Listen
            }
            Err(refusal) => {
                self.phase = Phase::Mail(transaction);
                self.refuse_recipient(&address, refusal, out)
            }
        }
    }

    /// Refuses a recipient. Many of them are a search for names that exist.
    fn refuse_recipient(&mut self, address: &Address, refusal: Refusal, out: &mut Vec<u8>) -> Step {
        let (client, to) = (self.client, address.to_string());
        let Refusal { error, reason, text } = refusal;
        tracing::info!(service = "smtp", %client, ?to, reason, ?text, "recipient refused");
        if !error.counts() {
            return self.refuse(error, out);
        }
        let limits = self.config.session;
        self.counts.refused_recipients += 1;
        if self.counts.refused_recipients > limits.refused_recipients {
            return self.end(Error::TooMany("refused recipients"), out);
        }
        Reply::from(error).write(out);
        if self.counts.refused_recipients > limits.refused_recipients / 2 {
            return Step::Pause(limits.pause);
        }
        Step::Listen
    }

    pub(super) fn data(&mut self, out: &mut Vec<u8>) -> Result<Step, Error> {
        let transaction = self.take_transaction().ok_or(Error::NeedsMail)?;
        if transaction.recipients.is_empty() {
            self.phase = Phase::Mail(transaction);
            return Err(Error::NeedsRecipient);
        }
        self.phase = Phase::Receiving(transaction);
        let text = "Command DATA Start mail input; end with <CRLF>.<CRLF>";
        Reply::bare(Code::StartMailInput, text).write(out);
        Ok(Step::Receive)
    }

    /// Takes the content that [`Step::Receive`] asked for. Whatever is wrong
    /// with it, the end of data has been seen.
    ///
    /// # Panics
    ///
    /// If no content was asked for.
    pub fn received(
        &mut self,
        message: Result<Message, Error>,
        stamp: Stamp,
        out: &mut Vec<u8>,
    ) -> Step {
        let transaction = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Receiving(transaction) => *transaction,
            phase => panic!("a message in a session without DATA: {phase:?}"),
        };
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                let (client, id) = (self.client, &stamp.id);
                tracing::info!(service = "smtp", %client, %id, %error, "message refused");
                return self.refuse(error, out);
            }
        };
        self.phase = Phase::Delivering(Box::new(Accepted {
            id: stamp.id.clone(),
            sender: transaction.sender.clone(),
            recipients: transaction.recipients.len(),
            bytes: message.length(),
        }));
        Step::Deliver(Box::new(self.envelope(transaction, stamp)), message)
    }

    fn envelope(&self, transaction: Transaction, stamp: Stamp) -> Envelope {
        Envelope {
            id: stamp.id,
            sender: transaction.sender,
            recipients: transaction.recipients,
            client: self.client,
            hello: self.hello.clone().expect("MAIL is only accepted after EHLO or HELO"),
            user: self.user.clone(),
            received_at: stamp.received_at,
        }
    }

    /// Takes what came of [`Step::Deliver`].
    ///
    /// # Panics
    ///
    /// If no message was given to be delivered.
    pub fn delivered(&mut self, result: Result<Receipt, DeliveryError>, out: &mut Vec<u8>) -> Step {
        let accepted = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Delivering(accepted) => accepted,
            phase => panic!("a delivery in a session without a message: {phase:?}"),
        };
        let from = accepted.sender.as_ref().map(Address::to_string).unwrap_or_default();
        let (client, id) = (self.client, &accepted.id);
        match result {
            Ok(receipt) => {
                let (rcpts, bytes) = (accepted.recipients, accepted.bytes);
                tracing::info!(service = "smtp", %client, %id, ?from, rcpts, bytes, "message accepted");
                self.counts.messages += 1;
                self.counts.idle_commands = 0;
                let text = format!("Command DATA Processed mail data Ok, id {}", receipt.id);
                Reply::new(Code::Ok, Status::NONE, text).write(out);
                Step::Listen
            }
            Err(error) => {
                let (reason, text) = (error.kind.to_string(), error.detail);
                tracing::warn!(service = "smtp", %client, %id, ?from, reason, ?text, "message not delivered");
                self.refuse(Error::Delivery(error.kind), out)
            }
        }
    }
}

/// Why a recipient is refused: what the client reads, and the reason id and
/// the text for the log.
struct Refusal {
    error: Error,
    reason: String,
    text: String,
}

impl Refusal {
    fn new(error: Error, reason: impl Into<String>, text: impl Into<String>) -> Self {
        Self { error, reason: reason.into(), text: text.into() }
    }
}

/// What an answer means for a recipient.
fn judge(answer: Result<Verdict, Unavailable>) -> Result<Arc<Account>, Refusal> {
    match answer {
        Ok(Verdict::Accepted(account)) if is_forwarded_away(&account) => {
            let text = "the account has a forward, which comes with the outgoing queue";
            Err(Refusal::new(Error::LookupUnavailable, "forward", text))
        }
        Ok(Verdict::Accepted(account)) => Ok(account),
        Ok(Verdict::Rejected(rejection)) => {
            let error = match rejection.kind {
                // Nobody looked, so nobody can say that there is no such user.
                RejectionKind::Throttled | RejectionKind::Unsupported => Error::LookupUnavailable,
                RejectionKind::Disabled => Error::MailboxDisabled,
                RejectionKind::OnHold => Error::MailboxOnHold,
                RejectionKind::BadInput
                | RejectionKind::NotAllowed
                | RejectionKind::NotVerified
                | RejectionKind::UnknownUser => Error::UnknownUser,
            };
            Err(Refusal::new(error, rejection.kind.id(), rejection.text))
        }
        Err(Unavailable { kind, detail }) => {
            Err(Refusal::new(Error::LookupUnavailable, kind.to_string(), detail))
        }
    }
}

/// Whether mail goes elsewhere and not into the mailbox: `$user` among the
/// destinations keeps it.
fn is_forwarded_away(account: &Account) -> bool {
    account.info.forward().is_some_and(|forward| !forward.contains("$user"))
}
