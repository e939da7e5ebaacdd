//! Chains of sources in memory.

mod asking;
mod base;
mod changing;
mod moving;
mod proving;
