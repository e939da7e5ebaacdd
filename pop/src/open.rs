//! From an account to its open mailbox. Blocks: it may wait for locks.

use dmail_core::Account;
use dmail_mailbox::{DropFile, LockPolicy, Mailbox};

use crate::error::MailboxTrouble;

/// Opens the mailbox of `account` for one session.
///
/// # Errors
///
/// Says what the account lacks, or what is wrong with the drop file.
pub(crate) fn open(account: &Account, policy: &LockPolicy) -> Result<Mailbox, MailboxTrouble> {
    Ok(Mailbox::open(&DropFile::of(account)?, policy)?)
}

#[cfg(test)]
mod tests {
    use dmail_core::Username;
    use dmail_mailbox::AccountError;

    use super::*;

    #[test]
    fn an_account_without_a_drop_file_has_no_mailbox() {
        let account = Account::named(Username::parse(b"bob").expect("a name"));
        let opened = open(&account, &LockPolicy::default());
        assert!(matches!(opened, Err(MailboxTrouble::Account(AccountError::NoDropFile))));
    }
}
