//! One line for each login, like those of DPOP and DSMTP.

pub(super) use dmail_net::log::{answered, changed};
