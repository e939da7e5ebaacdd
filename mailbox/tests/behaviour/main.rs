//! What a mailbox promises, seen from outside: threads, other programs, full
//! disks, and processes that are killed.

mod concurrency;
mod foreign;
mod full;
mod kill;
mod kit;
mod mailbox;
mod read_only;
mod roundtrip;
