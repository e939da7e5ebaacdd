//! The messages of SCRAM (RFC 5802 section 7), and what has to be right about
//! them before a proof is worth judging. No key is seen here.
//!
//! ```text
//!   C: n,,n=bob,r=CNONCE                         client-first
//!   S: r=CNONCESNONCE,s=SALT,i=4096              server-first
//!   C: c=biws,r=CNONCESNONCE,p=PROOF             client-final
//!   S: v=SIGNATURE                               server-final
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{LoginName, Malformed, UnusableLogin, login_name};
use crate::{Evidence, Proof, Salt, ScramHash};

/// Longest nonce of a client. Clients have some 30 bytes.
const MAX_NONCE: usize = 256;

/// A way to name the TLS connection (RFC 5929, 9266).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// `tls-exporter`: the one of TLS 1.3.
    Exporter,
    /// `tls-server-end-point`: the hash of the server's certificate.
    ServerEndPoint,
    /// `tls-unique`: of TLS up to 1.2.
    Unique,
}

impl Binding {
    const ALL: [Self; 3] = [Self::Exporter, Self::ServerEndPoint, Self::Unique];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exporter => "tls-exporter",
            Self::ServerEndPoint => "tls-server-end-point",
            Self::Unique => "tls-unique",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

/// What the client says about binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// `p=`: it binds.
    To(Binding),
    /// `n`: it cannot.
    No,
    /// `y`: it could, but believes that the server cannot.
    Unasked,
}

/// The first message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) user: LoginName,
    pub(super) bound: Bound,
    /// Everything before `n=`, to be found again in the final message.
    header: Box<str>,
    /// The rest, which is the first part of what is signed.
    bare: Box<str>,
    nonce: Box<str>,
}

impl First {
    /// Parses `gs2-header client-first-message-bare`.
    pub(super) fn parse(message: &[u8], max_name: usize) -> Result<Self, Malformed> {
        let message = std::str::from_utf8(message).map_err(|_| Malformed::Message)?;
        let (flag, after_flag) = message.split_once(',').ok_or(Malformed::Message)?;
        let (identity, bare) = after_flag.split_once(',').ok_or(Malformed::Message)?;
        let bound = match flag.split_once('=') {
            None if flag == "n" => Bound::No,
            None if flag == "y" => Bound::Unasked,
            Some(("p", name)) => Bound::To(Binding::parse(name).ok_or(Malformed::Message)?),
            _ => return Err(Malformed::Message),
        };
        let mut fields = bare.split(',');
        // An extension that is mandatory (m=) stands here, and there is none.
        let name = attribute(fields.next(), "n=")?;
        let nonce = attribute(fields.next(), "r=")?;
        if nonce.len() > MAX_NONCE || !is_nonce(nonce) {
            return Err(Malformed::Message);
        }
        let identity = match identity {
            // GNU SASL writes an identity that is empty.
            "" | "a=" => None,
            text => Some(attribute(Some(text), "a=")?),
        };
        let user = match identity.is_none_or(|identity| identity == name) {
            true => login_name(decode_name(name)?.as_bytes(), max_name),
            false => Err(UnusableLogin::ForeignIdentity),
        };
        let header = &message[..message.len() - bare.len()];
        Ok(Self { user, bound, header: header.into(), bare: bare.into(), nonce: nonce.into() })
    }

    /// The server's answer to it.
    pub(super) fn reply(&self, salt: &Salt, nonce: &str) -> String {
        let encoded = STANDARD.encode(&salt.bytes);
        format!("r={}{nonce},s={encoded},i={}", self.nonce, salt.iterations)
    }

    /// Parses the final message of a client that was answered with `reply`.
    /// `binding` is what its TLS connection is, if it said that it binds.
    pub(super) fn conclude(
        &self,
        hash: ScramHash,
        reply: &str,
        message: &[u8],
        binding: &[u8],
    ) -> Result<Final, Malformed> {
        let message = std::str::from_utf8(message).map_err(|_| Malformed::Message)?;
        // The proof is the last one, and extensions may stand before it.
        let (unproved, proof) = message.rsplit_once(",p=").ok_or(Malformed::Message)?;
        let mut fields = unproved.split(',');
        let channel = attribute(fields.next(), "c=")?;
        let nonce = attribute(fields.next(), "r=")?;
        let ours = attribute(reply.split(',').next(), "r=")?;
        if nonce != ours {
            return Err(Malformed::Message);
        }
        let proof = STANDARD.decode(proof).map_err(|_| Malformed::Base64)?;
        let channel = STANDARD.decode(channel).map_err(|_| Malformed::Base64)?;
        if channel != [self.header.as_bytes(), binding].concat() {
            return Ok(Final::OtherChannel);
        }
        let said = format!("{},{reply},{unproved}", self.bare).into_bytes();
        let evidence = Evidence::Scram { hash, said: said.into(), proof: proof.into() };
        Ok(Final::Proof(Proof::new(evidence)))
    }
}

/// The final message of a client.
#[derive(Debug)]
pub(super) enum Final {
    /// What the user base has to judge.
    Proof(Proof),
    /// It was made for another TLS connection than this one: somebody stands
    /// in between.
    OtherChannel,
}

/// The last message of the server.
pub(super) fn last(signature: &[u8]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

/// The value of `field`, if it is `name` and a value.
fn attribute<'a>(field: Option<&'a str>, name: &str) -> Result<&'a str, Malformed> {
    let value = field.and_then(|field| field.strip_prefix(name));
    value.filter(|value| !value.is_empty()).ok_or(Malformed::Message)
}

/// Printable, and no comma: those have been taken out.
fn is_nonce(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A `saslname`: `=2C` is a comma and `=3D` an equals sign.
fn decode_name(text: &str) -> Result<String, Malformed> {
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Malformed::Message),
        };
        name.push(sign);
        name.push_str(rest);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(message: &str) -> Result<(String, Bound), Malformed> {
        First::parse(message.as_bytes(), 255).map(|first| {
            let user = first.user.map_or_else(|error| error.to_string(), |name| name.to_string());
            (user, first.bound)
        })
    }

    #[test]
    fn a_first_message_is_parsed_exactly() {
        let user = |name: &str, bound| Ok((name.to_owned(), bound));
        let foreign = "the authorization identity is not the user";
        let rows = [
            ("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", user("user", Bound::No)),
            ("y,,n=user,r=x", user("user", Bound::Unasked)),
            ("p=tls-exporter,,n=user,r=x", user("user", Bound::To(Binding::Exporter))),
            ("p=tls-unique,,n=user,r=x", user("user", Bound::To(Binding::Unique))),
            ("p=tls-server-end-point,,n=u,r=x", user("u", Bound::To(Binding::ServerEndPoint))),
            ("n,a=user,n=user,r=x", user("user", Bound::No)),
            ("n,a=,n=user,r=x", user("user", Bound::No)),
            ("n,a=root,n=user,r=x", user(foreign, Bound::No)),
            ("n,,n=a=2Cb=3Dc,r=x", user("a,b=c", Bound::No)),
            ("n,,n=user,r=x,ext=1", user("user", Bound::No)),
            ("n,,n=a=2cb,r=x", Err(Malformed::Message)),
            ("n,,n=a=,r=x", Err(Malformed::Message)),
            ("n,,m=must,n=user,r=x", Err(Malformed::Message)),
            ("n,,n=,r=x", Err(Malformed::Message)),
            ("n,,n=user,r=", Err(Malformed::Message)),
            ("n,,n=user,r=two words", Err(Malformed::Message)),
            ("n,,n=user", Err(Malformed::Message)),
            ("n,n=user,r=x", Err(Malformed::Message)),
            ("x,,n=user,r=x", Err(Malformed::Message)),
            ("p=tls-magic,,n=user,r=x", Err(Malformed::Message)),
            ("p,,n=user,r=x", Err(Malformed::Message)),
            ("n=1,,n=user,r=x", Err(Malformed::Message)),
            ("", Err(Malformed::Message)),
        ];
        for (message, expected) in rows {
            assert_eq!(first(message), expected, "{message}");
        }
        let long = format!("n,,n=user,r={}", "x".repeat(MAX_NONCE + 1));
        assert_eq!(first(&long), Err(Malformed::Message));
    }

    /// RFC 7677 section 3.
    #[test]
    fn what_is_signed_is_what_the_rfc_signs() {
        let first = First::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", 255).expect("a message");
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let salt = Salt { bytes: salt.into(), iterations: 4096 };
        let reply = first.reply(&salt, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        assert_eq!(
            reply,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let unproved = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let message = format!("{unproved},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let concluded = first.conclude(ScramHash::Sha256, &reply, message.as_bytes(), b"");
        let Ok(Final::Proof(proof)) = concluded else { panic!("{concluded:?}") };
        let Evidence::Scram { hash, said, proof } = proof.evidence else { panic!("SCRAM") };
        assert_eq!((hash, proof.len()), (ScramHash::Sha256, 32));
        let expected = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{reply},{unproved}");
        assert_eq!(said, expected.into_bytes().into());
    }

    #[test]
    fn a_final_message_is_held_to_the_conversation() {
        let first = First::parse(b"p=tls-unique,,n=user,r=abc", 255).expect("a message");
        let reply = "r=abcdef,s=AAAA,i=4096";
        let channel = |data: &str| STANDARD.encode(format!("p=tls-unique,,{data}"));
        let conclude = |message: String| match first.conclude(
            ScramHash::Sha1,
            reply,
            message.as_bytes(),
            b"TLS",
        ) {
            Ok(Final::Proof(_)) => "a proof",
            Ok(Final::OtherChannel) => "another channel",
            Err(Malformed::Base64) => "no base64",
            Err(Malformed::Message) => "malformed",
        };
        let rows = [
            (format!("c={},r=abcdef,p=AAAA", channel("TLS")), "a proof"),
            (format!("c={},r=abcdef,x=1,p=AAAA", channel("TLS")), "a proof"),
            (format!("c={},r=abcdef,p=AAAA", channel("tls")), "another channel"),
            (format!("c={},r=abcdef,p=AAAA", channel("")), "another channel"),
            ("c=biws,r=abcdef,p=AAAA".into(), "another channel"),
            (format!("c={},r=abcdeg,p=AAAA", channel("TLS")), "malformed"),
            (format!("c={},r=abc,p=AAAA", channel("TLS")), "malformed"),
            (format!("c={},r=abcdef", channel("TLS")), "malformed"),
            ("r=abcdef,p=AAAA".into(), "malformed"),
            ("c=%,r=abcdef,p=AAAA".into(), "no base64"),
            (format!("c={},r=abcdef,p=!", channel("TLS")), "no base64"),
            (String::new(), "malformed"),
        ];
        for (message, expected) in rows {
            assert_eq!(conclude(message.clone()), expected, "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(one: String, two: Vec<u8>) {
            let _ = First::parse(one.as_bytes(), 255);
            let _ = First::parse(&two, 255);
            let first = First::parse(b"n,,n=user,r=abc", 255).expect("a message");
            let reply = "r=abcdef,s=AAAA,i=1";
            for message in [one.as_bytes(), &two] {
                let _ = first.conclude(ScramHash::Sha1, reply, message, b"");
            }
        }

        #[test]
        fn every_name_comes_back(name in "[!-~]{1,40}") {
            let coded = name.replace('=', "=3D").replace(',', "=2C");
            assert_eq!(decode_name(&coded), Ok(name));
        }
    }
}
