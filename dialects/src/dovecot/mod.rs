//! The line protocol of Dovecot's auth service, as its own clients,
//! Postfix and Exim speak them.

pub mod auth;

mod line;
mod origin;
