//! From an account to its open mailbox. Blocks: it may wait for locks.

use std::path::Path;

use dmail_core::{Account, DropPath, Uid};
use dmail_mailbox::{DropFile, LockPolicy, Mailbox};
use nix::unistd::User;

use crate::error::MailboxTrouble;

/// Opens the mailbox of `account` for one session.
///
/// # Errors
///
/// Says what the account lacks, or what is wrong with the drop file.
pub(crate) fn open(account: &Account, policy: &LockPolicy) -> Result<Mailbox, MailboxTrouble> {
    let drop = DropFile {
        path: path_of(account)?.to_owned(),
        owner: account.uid.as_ref().map_or(Ok(None), owner_of)?,
    };
    Ok(Mailbox::open(&drop, policy)?)
}

/// The drop file. The gateway has replaced the word `config` by a path.
fn path_of(account: &Account) -> Result<&Path, MailboxTrouble> {
    match &account.drop {
        DropPath::File(path) => Ok(path),
        DropPath::Config => Err(MailboxTrouble::NoDropFile),
    }
}

/// The number of the owner, if one is given: 0 means none.
fn owner_of(uid: &Uid) -> Result<Option<u32>, MailboxTrouble> {
    let number = match uid {
        Uid::Number(number) => *number,
        Uid::Name(name) => User::from_name(name)
            .map_err(MailboxTrouble::OwnerLookup)?
            .ok_or_else(|| MailboxTrouble::UnknownOwner(name.clone()))?
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
        assert!(matches!(nobody, Err(MailboxTrouble::UnknownOwner(_))));
    }

    #[test]
    fn an_account_without_a_drop_file_has_no_mailbox() {
        let account = Account::named(Username::parse(b"bob").expect("a name"));
        let opened = open(&account, &LockPolicy::default());
        assert!(matches!(opened, Err(MailboxTrouble::NoDropFile)));
    }
}
