//! SCRAM keys (RFC 5802 section 3), as Dovecot writes them:
//! `{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey`, all but the number in
//! base64.
//!
//! ```text
//!   password ─PBKDF2─▶ SaltedPassword ─HMAC─▶ ClientKey ─H─▶ StoredKey
//!                              └────────HMAC─▶ ServerKey
//! ```
//!
//! They serve both ways: a client that shows a proof needs no more than two
//! HMACs here, and a password that is told goes the whole way. Who steals them
//! can try passwords out at the price of PBKDF2, and can pose as the server to
//! this one user; he cannot log in with them.

use base64::Engine;
use dmail_core::{Salt, ScramHash, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::SchemeError;
use super::digest::BASE64;

/// More of PBKDF2 than a few seconds is not to be had.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Longest salt that is believed.
const MAX_SALT: usize = 1024;

/// What is stored of a password.
pub(super) struct Keys {
    hash: ScramHash,
    pub(super) salt: Salt,
    stored_key: Zeroizing<Vec<u8>>,
    server_key: Zeroizing<Vec<u8>>,
}

impl Keys {
    /// Reads the text behind the tag.
    pub(super) fn parse(hash: ScramHash, text: &str) -> Result<Self, SchemeError> {
        let scheme = hash.name();
        let malformed = || SchemeError::Malformed { scheme };
        let fields: Vec<&str> = text.split(',').collect();
        let [iterations, salt, stored_key, server_key] = fields[..] else {
            return Err(malformed());
        };
        let digits = iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations: u32 = iterations.parse().map_err(|_| malformed())?;
        let decode = |text| BASE64.decode(text).map_err(|_| malformed());
        let (salt, stored_key, server_key) = (
            decode(salt)?,
            Zeroizing::new(decode(stored_key)?),
            Zeroizing::new(decode(server_key)?),
        );
        let lengths = [stored_key.len(), server_key.len()] == [length(hash); 2];
        let salted = (1..=MAX_SALT).contains(&salt.len());
        if !digits || iterations == 0 || !lengths || !salted {
            return Err(malformed());
        }
        if iterations > MAX_ITERATIONS {
            return Err(SchemeError::TooCostly { scheme, limit: "more than 10,000,000 rounds" });
        }
        let salt = Salt { bytes: salt.into(), iterations };
        Ok(Self { hash, salt, stored_key, server_key })
    }

    /// The keys of `password` under this salt.
    fn derive(hash: ScramHash, password: &[u8], salt: Salt) -> Self {
        let salted = salted_password(hash, password, &salt);
        let client_key = Zeroizing::new(hmac(hash, &salted, b"Client Key"));
        let stored_key = Zeroizing::new(digest(hash, &client_key));
        let server_key = Zeroizing::new(hmac(hash, &salted, b"Server Key"));
        Self { hash, salt, stored_key, server_key }
    }

    /// Whether `proof` was made by somebody who knows the password, in a
    /// conversation in which this was `said`. If so, the server's signature.
    pub(super) fn judge(&self, said: &[u8], proof: &[u8]) -> Option<Vec<u8>> {
        let signature = hmac(self.hash, &self.stored_key, said);
        if proof.len() != signature.len() {
            return None;
        }
        let client_key: Zeroizing<Vec<u8>> =
            Zeroizing::new(proof.iter().zip(&signature).map(|(one, two)| one ^ two).collect());
        let right = digest(self.hash, &client_key).ct_eq(&self.stored_key);
        bool::from(right).then(|| hmac(self.hash, &self.server_key, said))
    }
}

pub(super) fn verify(hash: ScramHash, text: &str, secret: &Secret) -> Result<bool, SchemeError> {
    let keys = Keys::parse(hash, text)?;
    let fits = |password: &[u8]| -> bool {
        let own = Keys::derive(hash, password, keys.salt.clone());
        own.stored_key.ct_eq(&keys.stored_key).into()
    };
    let prepared = prepare(secret.expose());
    // Other programs store keys of what was typed, unprepared.
    Ok(fits(&prepared) || (*prepared != secret.expose() && fits(secret.expose())))
}

pub(super) fn hash(hash: ScramHash, secret: &Secret) -> String {
    let bytes: [u8; Salt::BYTES] = rand::random();
    let salt = Salt { bytes: bytes.into(), iterations: Salt::ITERATIONS };
    let keys = Keys::derive(hash, &prepare(secret.expose()), salt);
    let encode = |bytes: &[u8]| BASE64.encode(bytes);
    let (stored_key, server_key) = (encode(&keys.stored_key), encode(&keys.server_key));
    let (name, salt) = (hash.name(), encode(&keys.salt.bytes));
    format!("{{{name}}}{},{salt},{stored_key},{server_key}", Salt::ITERATIONS)
}

/// Whether `text` has fewer rounds than new keys would have.
pub(super) fn is_cheap(text: &str) -> bool {
    let iterations = text.split(',').next().and_then(|number| number.parse().ok());
    iterations.is_some_and(|iterations: u32| iterations < Salt::ITERATIONS)
}

/// The password as clients prepare it (RFC 4013): composed, and without the
/// characters that do not print. One that the preparation does not take stays
/// as it is, as clients do it, too.
fn prepare(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let text = std::str::from_utf8(password).ok();
    let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
    let prepared = prepared.filter(|text| !text.is_empty());
    Zeroizing::new(prepared.map_or_else(|| password.to_vec(), |text| text.into_owned().into()))
}

/// `Hi`: PBKDF2 with one block.
fn salted_password(hash: ScramHash, password: &[u8], salt: &Salt) -> Zeroizing<Vec<u8>> {
    fn of<M: Mac + KeyInit + Clone>(password: &[u8], salt: &Salt) -> Zeroizing<Vec<u8>> {
        let keyed = keyed::<M>(password);
        let first = keyed.clone().chain_update(&salt.bytes).chain_update(1u32.to_be_bytes());
        let mut round = first.finalize().into_bytes();
        let mut sum = Zeroizing::new(round.to_vec());
        for _ in 1..salt.iterations {
            round = keyed.clone().chain_update(&round).finalize().into_bytes();
            sum.iter_mut().zip(&round).for_each(|(sum, byte)| *sum ^= byte);
        }
        sum
    }
    match hash {
        ScramHash::Sha1 => of::<Hmac<Sha1>>(password, salt),
        ScramHash::Sha256 => of::<Hmac<Sha256>>(password, salt),
    }
}

fn hmac(hash: ScramHash, key: &[u8], text: &[u8]) -> Vec<u8> {
    fn of<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
        keyed::<M>(key).chain_update(text).finalize().into_bytes().to_vec()
    }
    match hash {
        ScramHash::Sha1 => of::<Hmac<Sha1>>(key, text),
        ScramHash::Sha256 => of::<Hmac<Sha256>>(key, text),
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn digest(hash: ScramHash, text: &[u8]) -> Vec<u8> {
    match hash {
        ScramHash::Sha1 => Sha1::digest(text).to_vec(),
        ScramHash::Sha256 => Sha256::digest(text).to_vec(),
    }
}

fn length(hash: ScramHash) -> usize {
    match hash {
        ScramHash::Sha1 => 20,
        ScramHash::Sha256 => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64.decode(text).expect("base64")
    }

    /// The conversations of RFC 5802 section 5 and RFC 7677 section 3: hash,
    /// salt, what was said, proof, signature. The password is "pencil".
    const RFC: [(ScramHash, &str, &str, &str, &str); 2] = [
        (
            ScramHash::Sha1,
            "QSXCR+Q6sek8bf92",
            "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
             s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            ScramHash::Sha256,
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "n=user,r=rOprNGfwEbeRWgbNEkqO,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ];

    #[test]
    fn the_conversations_of_the_rfcs_are_judged_right() {
        for (hash, salt, said, proof, signature) in RFC {
            let salt = Salt { bytes: bytes(salt).into(), iterations: 4096 };
            let keys = Keys::derive(hash, b"pencil", salt.clone());
            let judged = |said: &str, proof: &[u8]| keys.judge(said.as_bytes(), proof);
            assert_eq!(judged(said, &bytes(proof)), Some(bytes(signature)), "{hash:?}");
            let mut wrong = bytes(proof);
            wrong[0] ^= 1;
            for wrong in [&wrong[..], &wrong[1..], b""] {
                assert_eq!(judged(said, wrong), None, "{hash:?}");
            }
            assert_eq!(judged(&said.replace("i=4096", "i=4095"), &bytes(proof)), None, "{hash:?}");
            let other = Keys::derive(hash, b"pencils", salt);
            assert_eq!(other.judge(said.as_bytes(), &bytes(proof)), None, "{hash:?}");
        }
    }

    #[test]
    fn a_password_is_prepared_as_clients_do_it() {
        let rows = [
            ("pencil", "pencil"),
            // RFC 4013 section 3.
            ("I\u{ad}X", "IX"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            // What cannot be prepared stays.
            ("\u{7}", "\u{7}"),
            ("\u{627}\u{31}", "\u{627}\u{31}"),
            ("\u{ad}", "\u{ad}"),
        ];
        for (typed, prepared) in rows {
            assert_eq!(&**prepare(typed.as_bytes()), prepared.as_bytes(), "{typed:?}");
        }
        assert_eq!(&**prepare(b"\xff"), b"\xff");
    }

    #[test]
    fn keys_of_unprepared_passwords_are_known_again() {
        let typed = "nai\u{308}ve";
        for of in [prepare(typed.as_bytes()).to_vec(), typed.as_bytes().to_vec()] {
            let salt = Salt { bytes: (*b"salt").into(), iterations: 10 };
            let keys = Keys::derive(ScramHash::Sha256, &of, salt);
            let encode = |bytes: &[u8]| BASE64.encode(bytes);
            let text = format!(
                "10,{},{},{}",
                encode(b"salt"),
                encode(&keys.stored_key),
                encode(&keys.server_key)
            );
            let verify = |text: &str, typed: &str| {
                super::verify(ScramHash::Sha256, text, &Secret::new(typed.as_bytes()))
            };
            assert_eq!(verify(&text, typed), Ok(true));
            assert_eq!(verify(&text, "naive"), Ok(false));
        }
    }

    #[test]
    fn damaged_keys_are_no_wrong_password() {
        let right = "4096,c2FsdA==,AAAAAAAAAAAAAAAAAAAAAAAAAAA=,AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert!(Keys::parse(ScramHash::Sha1, right).is_ok());
        let rows = [
            String::new(),
            right.replace("4096", "0"),
            right.replace("4096", "+1"),
            right.replace("4096", "x"),
            right.replace("4096", "99999999999"),
            right.replace("c2FsdA==", ""),
            right.replace("c2FsdA==", "!"),
            right.replace(",AAAAAAAAAAAAAAAAAAAAAAAAAAA=", ",AAAA"),
            format!("{right},x"),
        ];
        for text in rows {
            let error = Keys::parse(ScramHash::Sha1, &text).err();
            assert_eq!(error, Some(SchemeError::Malformed { scheme: "SCRAM-SHA-1" }), "{text}");
        }
        let costly = Keys::parse(ScramHash::Sha1, &right.replace("4096", "10000001")).err();
        assert!(matches!(costly, Some(SchemeError::TooCostly { .. })), "{costly:?}");
        assert!(Keys::parse(ScramHash::Sha256, right).is_err(), "too short for the hash");
    }
}
