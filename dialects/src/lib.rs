//! Other mail servers' ways of asking who somebody is: each a dialect, spoken
//! here without any IO, but for [`serve`].
//!
//! ```text
//!   bytes ─▶ codec ─▶ Session ──Step::Ask(ticket, question)──▶ the gateway
//!                     (decides)                                     │
//!   bytes ◀─────────  Session ◀──────answered(ticket, answer)───────┘
//! ```
//!
//! | dialect | asked by |
//! |---|---|
//! | [`dovecot::auth`] | Postfix, Exim, Dovecot's login processes |
//! | [`dovecot::userdb`] | Dovecot's LMTP, LDA and doveadm |
//! | [`saslauthd`] | Cyrus SASL, OpenLDAP, Exim |
//! | [`socketmap`], [`tcp_table`] | Postfix's lookup tables, sendmail |
//! | [`policy`] | Postfix, before it lets a login send |
//! | [`authdaemon`] | Courier, Cyrus SASL |
//! | [`extauth`] | ejabberd |
//! | [`proc_exec`] | OpenSMTPD |
//! | [`checkpassword`] | qmail's programs, Dovecot before 2.4 |
//!
//! One rule holds for all: what nobody could decide is told in the way that
//! makes the asking server say "try again later", never "wrong password".

pub mod authdaemon;
pub mod checkpassword;
pub mod dovecot;
pub mod extauth;
pub mod policy;
pub mod proc_exec;
pub mod saslauthd;
pub mod serve;
pub mod socketmap;
pub mod table;
pub mod tcp_table;

mod extension;
mod lines;
mod refused;
mod service;
mod session;
#[cfg(test)]
mod talk;
mod unix_account;

pub use refused::Refused;
pub use session::{Answer, Question, Session, Step, Then, Ticket};
pub use unix_account::UnixAccount;
