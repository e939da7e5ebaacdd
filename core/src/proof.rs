//! Passwords that are shown without being told: SCRAM, CRAM-MD5, tokens.
//!
//! ```text
//!   client          session                       gateway ─▶ source
//!     │ "I am bob"     │                              │
//!     ├───────────────▶│ Purpose::Salt(question) ────▶│ bob's salt, told to the question
//!     │◀── the salt ───┤◀─────────────────────────────┤ (a made-up one for nobody)
//!     │  a proof       │                              │
//!     ├───────────────▶│ Purpose::Prove(proof) ──────▶│ judged where the keys are stored
//!     │◀─ signature ───┤◀─ Verdict, and the proof ────┤
//!     │                │   is signed                  │
//! ```
//!
//! The keys behind a password never leave the source: what crosses the gateway
//! is what crosses the wire to the client anyway. So no layer can log, remember
//! or hand out a key. What an answer has beside its verdict, the salt or the
//! server's signature, is left in the question, like a [`Trace`](crate::Trace).

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::{Rejection, Secret, Unavailable, UnavailableKind, Username};

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

impl ScramHash {
    /// The mechanism's name, which is also the tag of stored keys.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }
}

/// What a client must know to turn a password into keys. No secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salt {
    /// The salt itself.
    pub bytes: Box<[u8]>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
}

impl Salt {
    /// Bytes of a salt of ours, like those of SHA-crypt. The stored text of
    /// SCRAM-SHA-256 then has 128 characters, and fits the column that tables
    /// of the original have.
    pub const BYTES: usize = 12;
    /// Rounds of keys of ours: some 20 ms of a server's core, and a fraction of
    /// a second on a phone.
    pub const ITERATIONS: u32 = 100_000;
}

/// A question for a user's salt. Clones share the answer.
#[derive(Debug, Clone)]
pub struct SaltQuestion {
    /// Whose kind of keys.
    pub hash: ScramHash,
    answer: Arc<OnceLock<Told>>,
}

#[derive(Debug)]
struct Told {
    salt: Salt,
    /// Why it is made up, if it is.
    instead_of: Option<Rejection>,
}

impl SaltQuestion {
    /// A question that nobody has answered.
    #[must_use]
    pub fn new(hash: ScramHash) -> Self {
        Self { hash, answer: Arc::default() }
    }

    /// Answers it, unless somebody has.
    pub fn tell(&self, salt: Salt) {
        // Whoever came first is the one that the verdict is from.
        let _ = self.answer.set(Told { salt, instead_of: None });
    }

    /// Answers it with a salt that is nobody's, in place of a "no", unless
    /// somebody has answered.
    pub fn make_up(&self, salt: Salt, instead_of: Rejection) {
        let _ = self.answer.set(Told { salt, instead_of: Some(instead_of) });
    }

    /// The answer, which a client may hear: it does not show whether it is made
    /// up.
    #[must_use]
    pub fn told(&self) -> Option<&Salt> {
        self.answer.get().map(|told| &told.salt)
    }

    /// The answer, which is owed by whoever has said yes.
    ///
    /// # Errors
    ///
    /// There is none: a fault of the source, and nothing that the client could
    /// mend.
    pub fn owed(&self) -> Result<&Salt, Unavailable> {
        self.told().ok_or_else(|| {
            let hash = self.hash.name();
            let why = format!("the user base says that there are keys of {hash}, and no salt");
            Unavailable::new(UnavailableKind::Fault, why)
        })
    }

    /// The "no" that the answer stands for, if it is made up. For other servers,
    /// which may know the user elsewhere, and never for a client.
    #[must_use]
    pub fn made_up(&self) -> Option<&Rejection> {
        self.answer.get()?.instead_of.as_ref()
    }
}

/// Something that only whoever knows a user's password can have made, or who
/// has a token for the user. Clones share what is left in it.
#[derive(Clone)]
pub struct Proof {
    /// What was shown.
    pub evidence: Evidence,
    signature: Arc<OnceLock<Box<[u8]>>>,
    is_asker: Arc<OnceLock<IsAsker>>,
}

/// Whether a name is the user's whom a request is about.
type IsAsker = Box<dyn Fn(&Username) -> bool + Send + Sync>;

/// What was shown, by mechanism.
#[derive(Clone)]
pub enum Evidence {
    /// CRAM-MD5 (RFC 2195): HMAC-MD5 of the challenge, keyed by the password.
    CramMd5 {
        /// What the server said.
        challenge: Box<[u8]>,
        /// What the client made of it.
        digest: [u8; 16],
    },
    /// SCRAM (RFC 5802 section 3).
    Scram {
        /// Which one.
        hash: ScramHash,
        /// All that both sides have said, `AuthMessage`.
        said: Box<[u8]>,
        /// `ClientProof`.
        proof: Box<[u8]>,
    },
    /// An OAuth 2.0 bearer token (RFC 7628), for sources that can judge one.
    Token(Secret),
}

impl Proof {
    /// A proof that nobody has judged.
    #[must_use]
    pub fn new(evidence: Evidence) -> Self {
        Self { evidence, signature: Arc::default(), is_asker: Arc::default() }
    }

    /// Whether it is a token, which names its user itself.
    #[must_use]
    pub fn is_token(&self) -> bool {
        matches!(self.evidence, Evidence::Token(_))
    }

    /// Leaves word of which names are the asking user's: for whoever knows how
    /// names are mapped, since a token has the name that its issuer gave.
    pub fn know_asker(&self, is_asker: impl Fn(&Username) -> bool + Send + Sync + 'static) {
        let _ = self.is_asker.set(Box::new(is_asker));
    }

    /// Whether the user that a token names is `user`, who shows it. Without a
    /// mapping it is the one of the same name, in either case.
    #[must_use]
    pub fn is_about(&self, named: &Username, user: &Username) -> bool {
        match self.is_asker.get() {
            Some(is_asker) => is_asker(named),
            None => named.to_lowercase() == user.to_lowercase(),
        }
    }

    /// Keeps the server's signature for the client. For whoever has found the
    /// proof right.
    pub fn sign(&self, signature: impl Into<Box<[u8]>>) {
        let _ = self.signature.set(signature.into());
    }

    /// What shows the client that the server knows the password, too. `None`
    /// for mechanisms without it, and until the proof was found right.
    #[must_use]
    pub fn signature(&self) -> Option<&[u8]> {
        self.signature.get().map(|signature| &**signature)
    }

    /// The signature, which is owed by whoever has found a proof of SCRAM right.
    /// Others have none.
    ///
    /// # Errors
    ///
    /// It is not there: a fault of the source, and no wrong password.
    pub fn owed_signature(&self) -> Result<Option<&[u8]>, Unavailable> {
        match (&self.evidence, self.signature()) {
            (Evidence::Scram { hash, .. }, None) => {
                let hash = hash.name();
                let why = format!("the user base finds a proof of {hash} right, and signs nothing");
                Err(Unavailable::new(UnavailableKind::Fault, why))
            }
            (Evidence::Scram { .. }, signature) => Ok(signature),
            (Evidence::CramMd5 { .. } | Evidence::Token(_), _) => Ok(None),
        }
    }

    /// What it is called in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.evidence {
            Evidence::CramMd5 { .. } => "CRAM-MD5",
            Evidence::Scram { hash, .. } => hash.name(),
            Evidence::Token(_) => "token",
        }
    }

    /// The bytes that make this guess another one than the last. Two proofs of
    /// one password differ, as each belongs to one conversation; a token is
    /// always the same.
    #[must_use]
    pub fn guess(&self) -> &[u8] {
        match &self.evidence {
            Evidence::CramMd5 { digest, .. } => digest,
            Evidence::Scram { proof, .. } => proof,
            Evidence::Token(token) => token.expose(),
        }
    }
}

/// It says which mechanism, and no more: with a proof, passwords can be tried
/// out in peace.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({}, hidden)", self.name())
    }
}

/// What a source can judge, of users whose stored password allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proofs {
    /// Passwords that are told. Who does not know these has no users, only
    /// what others say of them: it is not asked about passwords at all.
    pub password: bool,
    /// CRAM-MD5: where passwords are stored in clear text.
    pub cram_md5: bool,
    /// SCRAM-SHA-1 and SCRAM-SHA-256: where their keys are stored.
    pub scram: bool,
    /// Bearer tokens.
    pub token: bool,
}

impl Default for Proofs {
    /// Passwords, as all user bases do.
    fn default() -> Self {
        Self { password: true, ..Self::NONE }
    }
}

impl Proofs {
    /// Nothing.
    pub const NONE: Self = Self { password: false, cram_md5: false, scram: false, token: false };

    /// What can be told from a stored text that is shown to us.
    pub const STORED: Self = Self { password: true, cram_md5: true, scram: true, token: false };

    /// Tokens and nothing else.
    pub const TOKENS: Self = Self { token: true, ..Self::NONE };

    /// Whatever one of the two can judge.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            password: self.password || other.password,
            cram_md5: self.cram_md5 || other.cram_md5,
            scram: self.scram || other.scram,
            token: self.token || other.token,
        }
    }
}

/// Where tokens come from, as far as a protocol has to know it.
#[derive(Default)]
pub struct TokenIssuer {
    /// The scopes that a token has to have, with blanks between them. Who shows
    /// one that is refused is told them (RFC 7628 section 3.2.2).
    pub scope: Option<Box<str>>,
    /// The address of the issuer's OpenID configuration, which is told, too.
    pub configuration: Option<Box<str>>,
    /// Reads the name in a token, for a login that names nobody itself. It is
    /// no more than such a login's own word.
    pub named: Option<ReadName>,
}

/// Reads the name in a token, if it is there to be read.
pub type ReadName = Box<dyn Fn(&Secret) -> Option<Username> + Send + Sync>;

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, configuration, named } = self;
        let shown = (scope, configuration, named.is_some());
        f.debug_tuple("TokenIssuer").field(&shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_never_prints() {
        let evidence = Evidence::Token(Secret::new(*b"opensesame"));
        assert_eq!(format!("{:?}", Proof::new(evidence)), "Proof(token, hidden)");
        let evidence = Evidence::Scram {
            hash: ScramHash::Sha256,
            said: (*b"n=bob").into(),
            proof: (*b"opensesame").into(),
        };
        let proof = Proof::new(evidence);
        proof.sign(*b"signature");
        assert_eq!(format!("{proof:?}"), "Proof(SCRAM-SHA-256, hidden)");
    }

    #[test]
    fn a_token_is_about_whom_the_mapping_knows_by_its_name() {
        let name = |text: &str| Username::parse(text.as_bytes()).expect("a name");
        let proof = Proof::new(Evidence::Token(Secret::new(*b"t")));
        assert!(proof.is_about(&name("Bob"), &name("bob")));
        assert!(!proof.is_about(&name("bob@corp.example"), &name("bob")));
        proof.clone().know_asker(|named| named.as_str() == "bob@corp.example");
        assert!(proof.is_about(&name("bob@corp.example"), &name("bob")));
        assert!(!proof.is_about(&name("bob"), &name("bob")));
    }

    #[test]
    fn the_first_answer_counts() {
        let question = SaltQuestion::new(ScramHash::Sha1);
        let salt = |iterations| Salt { bytes: Box::default(), iterations };
        question.clone().tell(salt(1));
        question.tell(salt(2));
        assert_eq!(question.told(), Some(&salt(1)));
        let bob = Username::parse(b"bob").expect("a name");
        question.make_up(salt(3), Rejection::unknown_user(&bob));
        assert_eq!((question.told(), question.made_up()), (Some(&salt(1)), None));
    }
}
