//! The words of a command line, taken one by one.

use dmail_core::Username;

use super::UsageError;

/// The words that are left.
pub(super) struct Words(pub(super) std::vec::IntoIter<String>);

impl Words {
    pub(super) fn next(
        &mut self,
        option: &'static str,
        wanted: &'static str,
    ) -> Result<String, UsageError> {
        self.0.next().ok_or(UsageError::Argument { option, wanted })
    }

    pub(super) fn number(&mut self, option: &'static str) -> Result<u64, UsageError> {
        let wanted = "a number";
        let word = self.next(option, wanted)?;
        word.parse().map_err(|_| UsageError::Argument { option, wanted })
    }

    pub(super) fn user(&mut self, option: &'static str) -> Result<Username, UsageError> {
        let wanted = "a user name";
        let word = self.next(option, wanted)?;
        Username::parse(word.as_bytes()).map_err(|_| UsageError::Argument { option, wanted })
    }

    pub(super) fn none_left(&mut self, command: &'static str) -> Result<(), UsageError> {
        match self.0.next() {
            Some(_) => Err(UsageError::TooMany(command)),
            None => Ok(()),
        }
    }
}
