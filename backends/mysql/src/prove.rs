//! Passwords that are shown without being told. The server is asked as for a
//! `check`, and judges nothing here, either.

use dmail_core::{Origin, Proof, Rejection, SaltQuestion, Unavailable, Username, Verdict};
use zeroize::Zeroizing;

use crate::row::Found;
use crate::{Base, SOURCE};

impl Base {
    /// Was this made by somebody who knows the user's password, and may he log
    /// in from there?
    pub(crate) async fn prove(
        &self,
        user: &Username,
        proof: &Proof,
        origin: &Origin,
    ) -> Result<Verdict, Unavailable> {
        let mut found = match self.claimed(user, origin).await? {
            Ok(found) => found,
            Err(rejection) => return Ok(Verdict::Rejected(rejection)),
        };
        let right = dmail_schemes::prove(&*self.stored(user, &mut found)?, proof);
        if !right.map_err(|error| error.unavailable(SOURCE, user.as_str()))? {
            return Ok(Verdict::Rejected(Rejection::not_verified(user)));
        }
        if let Some(rejection) = self.keeps_out(user, &found, origin)? {
            return Ok(Verdict::Rejected(rejection));
        }
        self.accept(user, found)
    }

    /// What a client needs to make a proof.
    pub(crate) async fn salt(
        &self,
        user: &Username,
        question: &SaltQuestion,
        origin: &Origin,
    ) -> Result<Verdict, Unavailable> {
        let mut found = match self.claimed(user, origin).await? {
            Ok(found) => found,
            Err(rejection) => return Ok(Verdict::Rejected(rejection)),
        };
        let salt = dmail_schemes::salt(&*self.stored(user, &mut found)?, question.hash);
        match salt.map_err(|error| error.unavailable(SOURCE, user.as_str()))? {
            Some(salt) => {
                question.tell(salt);
                self.accept(user, found)
            }
            None => Ok(Verdict::Rejected(Rejection::not_verified(user))),
        }
    }

    fn stored(&self, user: &Username, found: &mut Found) -> Result<Zeroizing<String>, Unavailable> {
        let stored = found.stored.take().unwrap_or_default();
        self.passwords.provable(user.as_str(), stored)
    }
}
