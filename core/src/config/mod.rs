//! dmail.conf.
