//! The two line protocols of Dovecot's auth service, as its own clients,
//! Postfix and Exim speak them.

pub mod auth;
pub mod line;
pub mod userdb;

mod logins;
mod origin;

pub use logins::{Cookie, Logins};
