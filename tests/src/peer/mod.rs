//! Real mail clients and servers, one file each. They must be installed.

pub mod courier;
pub mod curl;
pub mod cyrus;
pub mod mariadb;
pub mod postfix;
pub mod python;
pub mod slapd;
pub mod swaks;
