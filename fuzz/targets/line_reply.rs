//! One line of a module, as a child may send it.
#![no_main]

use std::path::Component;

use dmail_authent::line::ReplyLine;
use dmail_core::DropPath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| match ReplyLine::parse(line) {
    Ok(ReplyLine::Data(data)) => {
        let _ = data.to_hit();
    }
    Ok(ReplyLine::Final(reply)) => {
        if let Ok(account) = reply.to_account()
            && let DropPath::File(path) = &account.drop
        {
            assert!(path.is_absolute());
            assert!(!path.components().any(|part| part == Component::ParentDir));
        }
    }
    Err(_) => {}
});
