//! What the user bases that belong to other mail servers have in common: what
//! such a server says of an account, and how many questions it is asked at a
//! time.

mod account;
mod turns;

pub(crate) use account::Described;
pub(crate) use turns::Turns;
