//! From an account to its drop file, and to the system's user who owns that.

use std::path::Path;

use dmail_core::{Account, DropPath, Uid};
use nix::unistd::User;

use crate::DropFile;

/// Why an account does not lead to a drop file.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The account came without a drop file.
    #[error("the account has no drop file; the user base and dmail.conf must give one")]
    NoDropFile,
    /// The operating system does not know the owner that the account names.
    #[error("the account's owner {0:?} is not a user of this system")]
    UnknownOwner(String),
    /// The operating system could not look the owner up.
    #[error("cannot look up the account's owner: {0}")]
    OwnerLookup(nix::Error),
}

impl DropFile {
    /// The drop file of `account`, and who must own it. Blocks: it may ask the
    /// system's user base.
    ///
    /// # Errors
    ///
    /// Says what the account lacks, or that its owner cannot be found.
    pub fn of(account: &Account) -> Result<Self, AccountError> {
        let path = Self::path_of(account)?.to_owned();
        let owner = account.uid.as_ref().map_or(Ok(None), owner_of)?;
        Ok(Self { path, owner })
    }

    /// Where the drop file of `account` is.
    ///
    /// # Errors
    ///
    /// [`AccountError::NoDropFile`].
    pub fn path_of(account: &Account) -> Result<&Path, AccountError> {
        match &account.drop {
            DropPath::File(path) => Ok(path),
            // The gateway has replaced the word `config` by a path.
            DropPath::Config => Err(AccountError::NoDropFile),
        }
    }
}

/// The number of the owner, if one is given: 0 means none.
fn owner_of(uid: &Uid) -> Result<Option<u32>, AccountError> {
    let number = match uid {
        Uid::Number(number) => *number,
        Uid::Name(name) => User::from_name(name)
            .map_err(AccountError::OwnerLookup)?
            .ok_or_else(|| AccountError::UnknownOwner(name.clone()))?
            .uid
            .as_raw(),
    };
    Ok((number != 0).then_some(number))
}

#[cfg(test)]
mod tests {
    use dmail_core::Username;

    use super::*;

    #[test]
    fn an_owner_is_a_number_or_a_known_name_but_never_root() {
        assert!(matches!(owner_of(&Uid::Number(0)), Ok(None)));
        assert!(matches!(owner_of(&Uid::Number(1000)), Ok(Some(1000))));
        assert!(matches!(owner_of(&Uid::Name("root".to_owned())), Ok(None)));
        let nobody = owner_of(&Uid::Name("no-such-user-here".to_owned()));
        assert!(matches!(nobody, Err(AccountError::UnknownOwner(_))));
    }

    #[test]
    fn an_account_says_where_its_mail_lies_and_whose_it_is() {
        let mut account = Account::named(Username::parse(b"bob").expect("a name"));
        assert!(matches!(DropFile::of(&account), Err(AccountError::NoDropFile)));
        account.drop = DropPath::File("/mail/bob".into());
        let of = |account: &Account| DropFile::of(account).expect("a drop file");
        assert_eq!(of(&account), DropFile { path: "/mail/bob".into(), owner: None });
        account.uid = Some(Uid::Number(1000));
        assert_eq!(of(&account), DropFile { path: "/mail/bob".into(), owner: Some(1000) });
    }
}
