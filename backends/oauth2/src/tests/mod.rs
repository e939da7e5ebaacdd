//! Against an issuer that answers over real connections, well and badly.

mod asking;
mod issuer;
mod listing;
mod source;
