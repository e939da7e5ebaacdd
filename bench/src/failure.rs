//! Why there are no figures at all. A wrong answer is not among them: those
//! are counted, and the run goes on.

use std::io;

/// Why a scenario could not be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system refused something.
    #[error("cannot {what}: {error}")]
    System {
        /// What was being done, as a verb.
        what: String,
        /// The system's words.
        error: io::Error,
    },
    /// A program did not do what the measurement needs.
    #[error("{0}")]
    Program(String),
}

impl Failure {
    /// For `map_err`: the system refused to `what`.
    pub(crate) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::System { what, error: error.into() }
    }
}

/// What was wrong with an operation: no answer, or not the one expected.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}
