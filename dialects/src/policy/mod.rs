//! Postfix's policy delegation (SMTPD_POLICY_README): may this login send this
//! message?
//!
//! ```text
//!   Postfix: request=smtpd_access_policy · sasl_username=bob · sender=… · …  and an empty line
//!   server:  action=DUNNO │ action=550 5.7.1 why │ action=450 4.7.1 why      and an empty line
//!
//!   who has not logged in ──────────────────────────────────────────▶ DUNNO
//!   login ──▶ account? ──▶ its state ──▶ sender its own? ──▶ limits? ──▶ DUNNO
//!              │ 550         │ 550          │ 553              │ 450
//! ```
//!
//! `DUNNO` leaves the decision to the restrictions that follow. Nobody's
//! decision is silence: the connection ends, and Postfix answers 451.
//!
//! It may be asked at each recipient, before the content, after it, or at
//! several of these: a message counts once (see [`outgoing`]).

mod action;
mod outgoing;
mod request;
mod window;

use std::sync::{Arc, PoisonError, RwLock};

use bytes::BytesMut;
use dmail_core::config::SenderRule;
use dmail_core::pattern::wildcard_match;
use dmail_core::sasl::login_name;
use dmail_core::{
    Account, AuthRequest, Domain, Origin, Rejection, RejectionKind, Service, Username, Verdict,
};

pub use outgoing::{Limits, Outgoing, Used};
pub use window::Unit;

use crate::extension::without_extension;
use crate::lines::{Broken, LineSession, Lines};
use crate::{Answer, Question, Session, Step, Then, Ticket};
use action::Action;
use outgoing::{Message, Recipients};
use request::Request;

/// Longest line of a request.
const MAX_LINE: usize = 8_192;
/// The one question that is asked at a time.
const TICKET: Ticket = Ticket(1);

/// The rules for all logins.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How much a login may send, unless its account says otherwise.
    pub limits: Limits,
    /// What a login may send as.
    pub sender: SenderRule,
    /// Our mail domains, for [`SenderRule::Foreign`].
    pub domains: Vec<Domain>,
}

/// Whether an account may be used from there: its state and access list.
pub type Standing = dyn Fn(&Account, &Origin) -> Result<(), Rejection> + Send + Sync;

/// What all connections share: the rules, and what was sent so far.
pub struct Policy {
    rules: RwLock<Arc<Rules>>,
    outgoing: Outgoing,
    standing: Box<Standing>,
}

impl Policy {
    /// A policy under which nobody has sent anything. `standing` is asked
    /// about each login, which need not have logged in here.
    #[must_use]
    pub fn new(rules: Rules, standing: Box<Standing>) -> Self {
        Self { rules: RwLock::new(Arc::new(rules)), outgoing: Outgoing::new(), standing }
    }

    /// Other rules from now on. What was sent still counts.
    pub fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// What was sent.
    #[must_use]
    pub fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection's conversation: one request after the other.
pub struct PolicySession {
    policy: Arc<Policy>,
    lines: Lines,
    request: Request,
    stage: Stage,
}

/// What a request waits for.
enum Stage {
    /// The rest of it.
    Reading,
    /// Who the login is.
    Login,
    /// Whose address the sender is.
    Sender(Arc<Account>, Username),
}

impl PolicySession {
    /// A connection on which nothing was said.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        let lines = Lines::new(MAX_LINE);
        Self { policy, lines, request: Request::default(), stage: Stage::Reading }
    }

    /// Looks a name up as it is, whatever the state of the account. The address
    /// that the client connected to is not told: the name is the one that a
    /// login there has led to.
    fn look_up(&self, user: Username) -> Question {
        let origin = self.request.origin(Service::Line);
        Question::Authenticate(AuthRequest::lookup(user, origin))
    }

    /// The login has this account: may it be used, and send as that?
    fn judge(&mut self, account: Arc<Account>, out: &mut Vec<u8>) -> Then {
        let origin = self.request.origin(Service::Smtp);
        if let Err(rejection) = (self.policy.standing)(&account, &origin) {
            self.refuse_account(&rejection, out);
            return Then::GoOn;
        }
        match self.sender_to_ask(&account) {
            Ok(None) => self.count(&account, out),
            Ok(Some(sender)) => return self.ask_sender(account, sender),
            Err(action) => self.say(&action, out),
        }
        Then::GoOn
    }

    /// The sender that the user base has to be asked about, if any.
    fn sender_to_ask(&self, account: &Account) -> Result<Option<Username>, Action> {
        let (rules, sender) = (self.policy.rules(), &self.request.sender);
        // The null sender is nobody's: reports on mail and receipts have it.
        if rules.sender == SenderRule::Any || sender.is_empty() || may_send_as(account, sender) {
            return Ok(None);
        }
        let sender = login_name(sender, Username::MAX_BYTES).map_err(|_| Action::ForeignSender)?;
        if rules.sender == SenderRule::Foreign
            && let Some(domain) = sender.split_domain().1
            && Domain::parse(domain).is_ok_and(|domain| !rules.domains.contains(&domain))
        {
            return Ok(None);
        }
        Ok(Some(sender))
    }

    /// Asks whose address `sender` is.
    fn ask_sender(&mut self, account: Arc<Account>, sender: Username) -> Then {
        let question = self.look_up(sender.clone());
        self.stage = Stage::Sender(account, sender);
        Then::Ask(TICKET, question)
    }

    /// The user base said whose address `sender` is.
    fn judge_sender(
        &mut self,
        account: Arc<Account>,
        sender: &Username,
        verdict: &Verdict,
        out: &mut Vec<u8>,
    ) -> Then {
        match verdict {
            Verdict::Accepted(owner) if owner.name.same_but_for_case(&account.name) => {
                self.count(&account, out);
            }
            Verdict::Rejected(rejection) if is_undecided(rejection.kind) => return Then::Close,
            Verdict::Rejected(_) => match without_extension(sender) {
                Some(sender) => return self.ask_sender(account, sender),
                None => self.say(&Action::ForeignSender, out),
            },
            Verdict::Accepted(_) => self.say(&Action::ForeignSender, out),
        }
        Then::GoOn
    }

    /// Counts the message, and says whether it may be sent.
    fn count(&mut self, account: &Account, out: &mut Vec<u8>) {
        let Request { state, instance, recipient, recipient_count, .. } = &self.request;
        let recipients = match state.as_slice() {
            // There are no recipients yet.
            b"MAIL" => return self.say(&Action::Dunno, out),
            b"RCPT" => Recipients::Another(recipient),
            _ => Recipients::All(*recipient_count),
        };
        let limits = self.policy.rules().limits.of(&account.name, &account.info);
        let (outgoing, message) = (&self.policy.outgoing, Message { instance, recipients });
        let action = match outgoing.count(&account.name, &limits, &message, outgoing.now()) {
            Ok(()) => Action::Dunno,
            Err(beyond) => Action::TooMuch(beyond),
        };
        self.say(&action, out);
    }

    /// The user base has refused the login.
    fn refuse_login(&mut self, rejection: &Rejection, out: &mut Vec<u8>) {
        match rejection.kind {
            RejectionKind::Disabled | RejectionKind::NotAllowed => {
                self.refuse_account(rejection, out);
            }
            _ => self.say(&Action::NoAccount, out),
        }
    }

    fn refuse_account(&mut self, rejection: &Rejection, out: &mut Vec<u8>) {
        // Whoever has logged in may read why.
        let told = rejection.told.as_deref().unwrap_or("this account cannot be used");
        self.say(&Action::Unusable(told.to_owned()), out);
    }

    /// Answers the request, and is ready for the next one.
    fn say(&mut self, action: &Action, out: &mut Vec<u8>) {
        if *action != Action::Dunno {
            let login = String::from_utf8_lossy(&self.request.login);
            let sender = String::from_utf8_lossy(&self.request.sender);
            let origin = self.request.origin(Service::Smtp);
            tracing::info!(
                ?login,
                ?sender,
                client = origin.client.map(tracing::field::display),
                transport = origin.transport.name(),
                session = origin.session.map(tracing::field::display),
                reason = action.id(),
                "policy: refused"
            );
        }
        out.extend_from_slice(format!("action={}\n\n", action.text()).as_bytes());
        self.request = Request::default();
        self.stage = Stage::Reading;
    }
}

impl LineSession for PolicySession {
    fn lines(&mut self) -> &mut Lines {
        &mut self.lines
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<Option<Step>, Broken> {
        if !line.is_empty() {
            self.request.take(line)?;
            return Ok(None);
        }
        self.request.complete()?;
        let is_about_mail = matches!(
            &*self.request.state,
            b"MAIL" | b"RCPT" | b"DATA" | b"BDAT" | b"END-OF-MESSAGE"
        );
        if self.request.login.is_empty() || !is_about_mail {
            self.say(&Action::Dunno, out);
            return Ok(None);
        }
        match login_name(&self.request.login, Username::MAX_BYTES) {
            Ok(login) => {
                self.stage = Stage::Login;
                Ok(Some(Step::Ask(TICKET, self.look_up(login))))
            }
            Err(_) => {
                self.say(&Action::NoAccount, out);
                Ok(None)
            }
        }
    }
}

impl Session for PolicySession {
    fn next(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Step {
        match self.stage {
            Stage::Reading => self.take_lines(input, out),
            Stage::Login | Stage::Sender(..) => Step::More,
        }
    }

    fn answered(&mut self, _: Ticket, answer: Answer, out: &mut Vec<u8>) -> Then {
        let Answer::Verdict(Ok(verdict)) = answer else { return Then::Close };
        match std::mem::replace(&mut self.stage, Stage::Reading) {
            Stage::Login => match verdict {
                Verdict::Accepted(account) => self.judge(account, out),
                Verdict::Rejected(rejection) if is_undecided(rejection.kind) => Then::Close,
                Verdict::Rejected(rejection) => {
                    self.refuse_login(&rejection, out);
                    Then::GoOn
                }
            },
            Stage::Sender(account, sender) => self.judge_sender(account, &sender, &verdict, out),
            Stage::Reading => Then::Close,
        }
    }
}

/// Whether the account's info field `sendas`, a comma list of addresses with
/// `*` and `?`, has the sender.
fn may_send_as(account: &Account, sender: &[u8]) -> bool {
    let patterns = account.info.get("sendas").unwrap_or_default();
    let sender = sender.to_ascii_lowercase();
    patterns
        .split(',')
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty())
        .any(|pattern| wildcard_match(pattern.to_ascii_lowercase().as_bytes(), &sender))
}

/// Whether a "no" of this kind is none for ever.
fn is_undecided(kind: RejectionKind) -> bool {
    match kind {
        RejectionKind::OnHold | RejectionKind::Throttled | RejectionKind::Unsupported => true,
        RejectionKind::BadInput
        | RejectionKind::Disabled
        | RejectionKind::NotAllowed
        | RejectionKind::NotVerified
        | RejectionKind::UnknownUser => false,
    }
}

#[cfg(test)]
mod tests;
