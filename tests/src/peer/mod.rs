//! Real mail clients and servers, one file each. They must be installed.

pub mod auth_client;
pub mod curl;
pub mod gsasl;
pub mod mariadb;
pub mod postfix;
pub mod python;
pub mod slapd;
pub mod swaks;
