//! Why a conversation ends.

use std::io;

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// A question was lost, which is a fault of ours.
    #[error("a question was abandoned")]
    Abandoned,
    /// The session broke off: nobody could decide.
    #[error("nobody could decide")]
    BrokenOff,
    /// The client broke the protocol.
    #[error("{0}")]
    Broken(&'static str),
    /// The client closed the connection.
    #[error("the client closed the connection")]
    Closed,
    /// The client did not read what it was sent.
    #[error("the client was not reading")]
    Deaf,
    /// The session has said all that it had to say.
    #[error("all is said")]
    Done,
    /// The rest of a request did not come.
    #[error("half a request, and nothing more")]
    Half,
    /// The connection failed.
    #[error("connection broken: {0}")]
    Io(#[from] io::Error),
    /// The client said nothing for too long.
    #[error("nothing was heard of the client")]
    Silent,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}
