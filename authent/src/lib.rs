//! authent
