//! Real mail clients and servers, one file each. They must be installed.

pub mod authdaemond;
pub mod curl;
pub mod dovecot;
pub mod dovecot_auth;
pub mod fd3;
pub mod mariadb;
pub mod nginx;
pub mod postfix;
pub mod python;
pub mod slapd;
pub mod swaks;
