//! Passwords that are shown without being told: what a stored text says to a
//! client, and to its proof.

use dmail_core::{Evidence, Proof, Salt, ScramHash};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use subtle::ConstantTimeEq;

use super::SchemeError;
use super::scram::Keys;
use super::stored::Stored;

/// What a client must know to make a proof that `stored` can judge. `None` if
/// there are no keys of this mechanism in it: then no proof is right. Costs
/// nothing.
///
/// # Errors
///
/// If the stored text cannot be judged.
pub fn salt(stored: &str, hash: ScramHash) -> Result<Option<Salt>, SchemeError> {
    match Stored::recognise(stored)? {
        Stored::Scram(kind, text) => {
            let keys = Keys::parse(kind, text)?;
            Ok((kind == hash).then_some(keys.salt))
        }
        _ => Ok(None),
    }
}

/// Whether `proof` was made by somebody who knows the password behind `stored`.
/// If so, it is signed, where the mechanism wants that. Takes microseconds.
///
/// # Errors
///
/// If the stored text cannot be judged. A text that can, but not by this
/// mechanism, makes every proof wrong.
pub fn prove(stored: &str, proof: &Proof) -> Result<bool, SchemeError> {
    match (Stored::recognise(stored)?, &proof.evidence) {
        (Stored::Scram(kind, text), evidence) => {
            let keys = Keys::parse(kind, text)?;
            let Evidence::Scram { hash, said, proof: shown } = evidence else { return Ok(false) };
            let signature = keys.judge(said, shown).filter(|_| *hash == kind);
            let right = signature.is_some();
            if let Some(signature) = signature {
                proof.sign(signature);
            }
            Ok(right)
        }
        (Stored::Clear(password), Evidence::CramMd5 { challenge, digest })
            if !password.is_empty() =>
        {
            let mac = Hmac::<Md5>::new_from_slice(password.as_bytes());
            let mac = mac.expect("HMAC takes keys of any length").chain_update(challenge);
            Ok(mac.finalize().into_bytes().ct_eq(digest).into())
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;
    use crate::digest::BASE64;

    /// The user of RFC 7677 section 3, as Dovecot stores him.
    const PENCIL: &str = "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    fn rfc(hash: ScramHash) -> Proof {
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let said = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r={nonce}"
        );
        let proof = BASE64.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let proof = proof.expect("base64").into();
        Proof::new(Evidence::Scram { hash, said: said.into_bytes().into(), proof })
    }

    #[test]
    fn keys_in_dovecots_text_judge_proofs_and_passwords() {
        let salt = salt(PENCIL, ScramHash::Sha256).expect("a text").expect("keys");
        assert_eq!((salt.bytes.len(), salt.iterations), (16, 4096));
        assert_eq!(super::salt(PENCIL, ScramHash::Sha1), Ok(None));
        let proof = rfc(ScramHash::Sha256);
        assert_eq!(prove(PENCIL, &proof), Ok(true));
        let signature = BASE64.decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(proof.signature(), signature.ok().as_deref());
        for (password, right) in [("pencil", true), ("Pencil", false), ("", false)] {
            let secret = dmail_core::Secret::new(password.as_bytes());
            assert_eq!(crate::verify(PENCIL, &secret), Ok(right), "{password}");
        }
    }

    /// RFC 2195 section 2.
    fn cram_md5(digest: [u8; 16]) -> Proof {
        let challenge = *b"<1896.697170952@postoffice.reston.mci.net>";
        Proof::new(Evidence::CramMd5 { challenge: challenge.into(), digest })
    }

    #[test]
    fn cram_md5_needs_the_clear_text() {
        let right = [
            0xb9, 0x13, 0xa6, 0x02, 0xc7, 0xed, 0xa7, 0xa4, 0x95, 0xb4, 0xe6, 0xe7, 0x33, 0x4d,
            0x38, 0x90,
        ];
        let rows = [
            ("{PLAIN}tanstaaftanstaaf", right, Ok(true)),
            ("*tanstaaftanstaaf", right, Ok(true)),
            ("{PLAIN}tanstaaftanstaaf", [0; 16], Ok(false)),
            ("{PLAIN}", right, Ok(false)),
            ("!", right, Ok(false)),
            (PENCIL, right, Ok(false)),
            ("$6$salt$cut", right, Ok(false)),
            ("qrQ\\Wd", right, Err(SchemeError::OldNwauth)),
        ];
        for (stored, digest, expected) in rows {
            assert_eq!(prove(stored, &cram_md5(digest)), expected, "{stored}");
        }
    }

    #[test]
    fn what_has_no_keys_makes_every_proof_wrong_and_signs_none() {
        for stored in [
            "",
            "!",
            "*geheim",
            "{SSHA256}am6iHr2j76DCpYJB16OhLElkh73iVxrmXG3AMWw3QJBOYUNsTmFDbA==",
        ] {
            let proof = rfc(ScramHash::Sha256);
            assert_eq!(prove(stored, &proof), Ok(false), "{stored}");
            assert_eq!(salt(stored, ScramHash::Sha256), Ok(None), "{stored}");
            assert_eq!(proof.signature(), None);
        }
        let other = rfc(ScramHash::Sha1);
        assert_eq!(prove(PENCIL, &other), Ok(false), "of another mechanism");
        assert_eq!(other.signature(), None);
        let broken = PENCIL.replace("4096", "zero");
        let error = Err(SchemeError::Malformed { scheme: "SCRAM-SHA-256" });
        assert_eq!(prove(&broken, &rfc(ScramHash::Sha256)), error);
        assert!(salt(&broken, ScramHash::Sha256).is_err());
    }
}
