//! Comma-separated users of whoever wrote them.
#![no_main]

mod transfer;

use dmail_transfer::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| transfer::read_write_read(Format::Csv, text));
