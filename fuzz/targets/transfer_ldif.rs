//! A directory's dump of whoever wrote it.
#![no_main]

mod transfer;

use dmail_transfer::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| transfer::read_write_read(Format::Ldif, text));
