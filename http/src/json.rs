//! Bodies that are JSON objects.

use serde::de::DeserializeOwned;

/// Why a body is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadBody {
    /// It is something else. A list would do for a structure, too.
    #[error("the body has to be a JSON object")]
    NoObject,
    /// The object is not the one that was asked for. What this says of a value
    /// is for whoever has sent the value, and for nobody else.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl BadBody {
    /// Where it is wrong, for the log: no word of the body itself.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::NoObject => self.to_string(),
            Self::Json(error) => format!("line {} column {}", error.line(), error.column()),
        }
    }
}

/// Reads an object.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadBody> {
    match body.trim_ascii_start().first() {
        Some(b'{') => Ok(serde_json::from_slice(body)?),
        _ => Err(BadBody::NoObject),
    }
}
