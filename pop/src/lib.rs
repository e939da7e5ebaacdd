//! pop
