//! The dialogue of each mechanism, as a state machine that neither reads nor
//! writes nor waits.
//!
//! ```text
//!            ┌── Say ◀──┐ respond(message)
//!   begin ───┤          │
//!            └── Ask ───┴─▶ answered(verdict) ──▶ Accepted │ Refused
//! ```
//!
//! A protocol says how messages are wrapped (base64 everywhere), whether a
//! client may begin, and how the end is told. It gives up the exchange when
//! nobody could decide: that is no turn of a mechanism.

use std::sync::Arc;

use super::scram::{Binding, Bound, Final, First};
use super::{
    Credentials, Flaw, LoginName, Malformed, Mechanism, UnusableLogin, login_name, plain, scram,
    token,
};
use crate::{
    Account, Evidence, NameError, Proof, Purpose, Rejection, Salt, SaltQuestion, ScramHash, Secret,
    TokenIssuer, Unavailable, Username, Verdict,
};

/// What an exchange is begun with.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Random text of the server's, unlike that of any other exchange:
    /// printable ASCII without a comma. 18 bytes from a good source, as base64.
    /// Mechanisms that tell the password itself use none.
    pub nonce: Box<str>,
    /// Whether the client could have chosen a mechanism that is bound to TLS.
    /// One that could but says that none was offered has somebody in between.
    pub plus_offered: bool,
    /// Longest user name of the protocol, in bytes.
    pub max_name: usize,
    /// Where tokens come from, if any are judged.
    pub issuer: Option<Arc<TokenIssuer>>,
}

/// One login.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    terms: Terms,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The first message is to come.
    Begun,
    /// LOGIN: the password is to come.
    Password(LoginName),
    /// SCRAM: the salt is being asked for.
    Salting(Box<First>, SaltQuestion),
    /// SCRAM: the final message is to come, after this reply.
    Salted(Box<First>, String),
    /// The password or the proof is being judged.
    Judging(Option<Proof>),
    /// A token was refused, which the client has still to acknowledge.
    Refused(Rejection),
    Over,
}

/// What comes next.
#[derive(Debug)]
pub enum Turn {
    /// A message for the client, whose response is to come. With a binding,
    /// [`Exchange::respond`] wants to know that of the client's TLS connection.
    Say(Vec<u8>, Option<Binding>),
    /// A question for the gateway.
    Ask(Username, Purpose),
    /// The user is logged in; if there is a message, the client has to read it.
    Accepted(Arc<Account>, Option<Vec<u8>>),
    /// The login failed: the gateway has refused it.
    Refused(Rejection),
    /// The login failed by itself, whatever the user base holds of the user, who
    /// is told if the name can be one. The client learns no more than from
    /// [`Turn::Refused`].
    Flawed(Option<Username>, Flaw),
}

impl Exchange {
    /// A login by this mechanism.
    #[must_use]
    pub fn new(mechanism: Mechanism, terms: Terms) -> Self {
        Self { mechanism, terms, stage: Stage::Begun }
    }

    /// The first turn, where the client has said nothing yet.
    #[must_use]
    pub fn begin(&self) -> Turn {
        let text = match self.mechanism {
            Mechanism::CramMd5 => self.challenge(),
            Mechanism::Login => "Username:".into(),
            _ => String::new(),
        };
        Turn::Say(text.into_bytes(), None)
    }

    /// A message of the client's. `binding` is what its TLS connection is, if
    /// that was wanted and is known.
    pub fn respond(&mut self, message: &Secret, binding: Option<&[u8]>) -> Turn {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Begun => self.first(message),
            Stage::Password(user) => self.password(Credentials { user, secret: message.clone() }),
            Stage::Salted(first, reply) => self.conclude(&first, &reply, message, binding),
            // Whatever the client says: RFC 7628 has it say ^A.
            Stage::Refused(rejection) => Turn::Refused(rejection),
            Stage::Salting(..) | Stage::Judging(_) | Stage::Over => flawed(Flaw::Over),
        }
    }

    /// What the gateway said to [`Turn::Ask`].
    ///
    /// # Errors
    ///
    /// It has said yes, and left out what the mechanism needs. Nobody has
    /// decided then, and the exchange is to be given up.
    pub fn answered(&mut self, verdict: Verdict) -> Result<Turn, Unavailable> {
        Ok(match (std::mem::replace(&mut self.stage, Stage::Over), verdict) {
            (Stage::Salting(first, question), Verdict::Accepted(_)) => {
                self.salted(first, question.owed()?)
            }
            (Stage::Judging(None), Verdict::Accepted(account)) => Turn::Accepted(account, None),
            (Stage::Judging(Some(proof)), Verdict::Accepted(account)) => {
                let signature = proof.owed_signature()?;
                Turn::Accepted(account, signature.map(|it| scram::last(it).into_bytes()))
            }
            (Stage::Judging(_), Verdict::Rejected(rejection)) => self.refuse(rejection),
            (_, Verdict::Rejected(rejection)) => Turn::Refused(rejection),
            (_, Verdict::Accepted(_)) => flawed(Flaw::Over),
        })
    }

    fn first(&mut self, message: &Secret) -> Turn {
        let max = self.terms.max_name;
        let message = message.expose();
        match self.mechanism {
            Mechanism::Plain => or_flawed(plain(message, max).map(|login| self.password(login))),
            Mechanism::Login => {
                self.stage = Stage::Password(login_name(message, max));
                Turn::Say(b"Password:".to_vec(), None)
            }
            Mechanism::CramMd5 => or_flawed(self.cram_md5(message)),
            Mechanism::OAuthBearer => {
                or_flawed(token::bearer(message, max).map(|login| self.token(login)))
            }
            Mechanism::XOAuth2 => {
                or_flawed(token::xoauth2(message, max).map(|login| self.token(login)))
            }
            Mechanism::Scram(hash) | Mechanism::ScramPlus(hash) => {
                or_flawed(First::parse(message, max).map(|first| self.scram(hash, first)))
            }
        }
    }

    fn password(&mut self, login: Credentials) -> Turn {
        usable(login, |user, secret| {
            self.stage = Stage::Judging(None);
            Turn::Ask(user, Purpose::Check(secret))
        })
    }

    fn token(&mut self, mut login: Credentials) -> Turn {
        if login.user == Err(UnusableLogin::Name(NameError::Empty))
            && let Some(named) = self.name_in(&login.secret)
        {
            login.user = login_name(named.as_str().as_bytes(), self.terms.max_name);
        }
        usable(login, |user, token| self.prove(user, Proof::new(Evidence::Token(token))))
    }

    /// Whom a token is about, which is shown without a name (RFC 7628 section
    /// 3.1). Whether that is true is asked as it is of any other login.
    fn name_in(&self, token: &Secret) -> Option<Username> {
        self.terms.issuer.as_ref()?.named.as_ref()?(token)
    }

    fn prove(&mut self, user: Username, proof: Proof) -> Turn {
        self.stage = Stage::Judging(Some(proof.clone()));
        Turn::Ask(user, Purpose::Prove(proof))
    }

    /// The end; a client that has shown a token reads why in a message of its
    /// own, and answers first.
    fn refuse(&mut self, rejection: Rejection) -> Turn {
        let issuer = self.terms.issuer.as_deref();
        let text = match self.mechanism {
            Mechanism::OAuthBearer => token::bearer_refused(issuer),
            Mechanism::XOAuth2 => token::xoauth2_refused(issuer),
            _ => return Turn::Refused(rejection),
        };
        self.stage = Stage::Refused(rejection);
        Turn::Say(text, None)
    }

    /// What a client of CRAM-MD5 signs: a message id (RFC 2195 section 2).
    fn challenge(&self) -> String {
        format!("<{}@dmail>", self.terms.nonce)
    }

    /// `user SP digest`, the digest in lower case hexadecimal.
    fn cram_md5(&mut self, message: &[u8]) -> Result<Turn, Malformed> {
        let at = message.iter().rposition(|byte| *byte == b' ').ok_or(Malformed::Message)?;
        let (name, hex) = (&message[..at], &message[at + 1..]);
        let digest = digest(hex).ok_or(Malformed::Message)?;
        let user = match login_name(name, self.terms.max_name) {
            Ok(user) => user,
            Err(why) => return Ok(flawed(why)),
        };
        let challenge = self.challenge().into_bytes().into();
        Ok(self.prove(user, Proof::new(Evidence::CramMd5 { challenge, digest })))
    }

    fn scram(&mut self, hash: ScramHash, first: First) -> Turn {
        let user = match first.user.clone() {
            Ok(user) => user,
            Err(why) => return flawed(why),
        };
        let binds = matches!(first.bound, Bound::To(_));
        if binds != self.mechanism.is_bound() {
            return Turn::Flawed(Some(user), Flaw::Binding);
        }
        if first.bound == Bound::Unasked && self.terms.plus_offered {
            return Turn::Flawed(Some(user), Flaw::Downgraded);
        }
        let question = SaltQuestion::new(hash);
        self.stage = Stage::Salting(Box::new(first), question.clone());
        Turn::Ask(user, Purpose::Salt(question))
    }

    fn salted(&mut self, first: Box<First>, salt: &Salt) -> Turn {
        let reply = first.reply(salt, &self.terms.nonce);
        let binding = match first.bound {
            Bound::To(binding) => Some(binding),
            Bound::No | Bound::Unasked => None,
        };
        self.stage = Stage::Salted(first, reply.clone());
        Turn::Say(reply.into_bytes(), binding)
    }

    fn conclude(
        &mut self,
        first: &First,
        reply: &str,
        message: &Secret,
        binding: Option<&[u8]>,
    ) -> Turn {
        let user = match first.user.clone() {
            Ok(user) => user,
            Err(why) => return flawed(why),
        };
        let (Mechanism::Scram(hash) | Mechanism::ScramPlus(hash)) = self.mechanism else {
            return Turn::Flawed(Some(user), Flaw::Over);
        };
        let channel = match (first.bound, binding) {
            // A binding to nothing binds nothing.
            (Bound::To(_), None | Some(b"")) => return Turn::Flawed(Some(user), Flaw::NoChannel),
            (Bound::To(_), Some(channel)) => channel,
            (Bound::No | Bound::Unasked, _) => b"",
        };
        match first.conclude(hash, reply, message.expose(), channel) {
            Ok(Final::Proof(proof)) => self.prove(user, proof),
            Ok(Final::OtherChannel) => Turn::Flawed(Some(user), Flaw::OtherChannel),
            Err(why) => Turn::Flawed(Some(user), why.into()),
        }
    }
}

/// What follows from a login that a user base can be asked about.
fn usable(login: Credentials, ask: impl FnOnce(Username, Secret) -> Turn) -> Turn {
    // The name outlives a login without a password.
    let named = if login.secret.is_empty() { login.user.clone().ok() } else { None };
    match login.usable() {
        Ok((user, secret)) => ask(user, secret),
        Err(why) => Turn::Flawed(named, why.into()),
    }
}

/// The end of a login without a name.
fn flawed(why: impl Into<Flaw>) -> Turn {
    Turn::Flawed(None, why.into())
}

fn or_flawed(turn: Result<Turn, Malformed>) -> Turn {
    turn.unwrap_or_else(flawed)
}

/// 16 bytes of lower case hexadecimal.
fn digest(hex: &[u8]) -> Option<[u8; 16]> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 16];
    if hex.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests;
