//! LDAP, against a real slapd.

mod changes;
mod faults;
mod kit;
mod modes;
mod program;
mod tls;
