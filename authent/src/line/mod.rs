//! The line protocol of the authent modules: requests and replies as values,
//! and as bytes.
//!
//! One request is one line; its reply is any number of `+DATA` lines and one
//! final line (`+OK`, `-ERR`, `-DEAD`). There are no request ids, so whoever
//! asks must keep one request outstanding and must drop a child that answers
//! out of turn; that is the business of [`pool`](crate::pool). Nothing here
//! does IO.
//!
//! ```text
//!   check bob secret 192.0.2.7      +OK bob /var/mail/bob 1001 fwd="b@x.example"
//!   lookup bob                      -ERR bob does not exist
//!   search b* -from 0 -max 10       +DATA bob name="Bob"
//!                                   +OK Search Complete 1 items found out of 1
//! ```

mod codec;
mod quote;
mod reply;
mod request;

pub use codec::{ReplyCodec, RequestCodec};
pub use quote::{NotCarriable, Quoting};
pub use reply::{DataLine, Fault, MAX_REASON_BYTES, MAX_REPLY_BYTES, Reply, ReplyLine, Status};
pub use request::{MAX_REQUEST_BYTES, Request, RequestError};
