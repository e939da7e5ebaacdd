//! The words of a command line, taken one by one.

use dmail_core::Username;

use super::UsageError;

/// The words that are left.
#[derive(Debug)]
pub struct Words(std::vec::IntoIter<String>);

impl Words {
    /// All of these.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().collect::<Vec<_>>().into_iter())
    }

    /// The next word, if there is one.
    pub fn take(&mut self) -> Option<String> {
        self.0.next()
    }

    /// The next word, which `option` wants.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn next(
        &mut self,
        option: &'static str,
        wanted: &'static str,
    ) -> Result<String, UsageError> {
        self.take().ok_or(UsageError::Argument { option, wanted })
    }

    /// The next word as a number.
    ///
    /// # Errors
    ///
    /// If there is none, or another word.
    pub fn number(&mut self, option: &'static str) -> Result<u64, UsageError> {
        let wanted = "a number";
        let word = self.next(option, wanted)?;
        word.parse().map_err(|_| UsageError::Argument { option, wanted })
    }

    /// The next word as a user name.
    ///
    /// # Errors
    ///
    /// If there is none, or a word that is no name.
    pub fn user(&mut self, option: &'static str) -> Result<Username, UsageError> {
        let wanted = "a user name";
        let word = self.next(option, wanted)?;
        Username::parse(word.as_bytes()).map_err(|_| UsageError::Argument { option, wanted })
    }

    pub(super) fn none_left(&mut self, command: &'static str) -> Result<(), UsageError> {
        match self.take() {
            Some(_) => Err(UsageError::TooMany(command)),
            None => Ok(()),
        }
    }
}
