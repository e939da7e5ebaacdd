//! What accounts are to servers that know only users of the system.

use dmail_core::{Account, Uid};

/// The owner, group and home folder of accounts, for servers that cannot do
/// without them and where the user base does not name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixAccount {
    /// The owner of accounts that have none with a number.
    pub uid: u32,
    /// The group of all accounts.
    pub gid: u32,
    /// The home folder of all accounts.
    pub home: String,
}

impl UnixAccount {
    /// The number of the user that owns `account`.
    #[must_use]
    pub fn uid_of(&self, account: &Account) -> u32 {
        match account.owner() {
            Some(Uid::Number(uid)) => *uid,
            Some(Uid::Name(_)) | None => self.uid,
        }
    }
}
