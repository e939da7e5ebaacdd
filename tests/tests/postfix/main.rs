//! A real Postfix that asks dmail, configured by the very lines of
//! `docs/integrations/postfix.md`.

mod addresses;
mod kit;
mod logins;
mod scram;
mod sending;
