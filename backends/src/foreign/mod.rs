//! What the user bases that belong to other mail servers have in common: what
//! such a server says of an account, how many questions it is asked at a time,
//! and the settings for both.

mod account;
mod settings;
mod turns;

pub(crate) use account::{Described, Source};
pub(crate) use settings::{AccountSettings, WaitSettings};
pub(crate) use turns::Turns;
