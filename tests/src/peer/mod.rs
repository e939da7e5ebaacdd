//! Real mail clients, one file each. They must be installed.

pub mod curl;
pub mod mariadb;
pub mod python;
pub mod swaks;
