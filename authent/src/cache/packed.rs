//! An account in as few bytes as can be.
//!
//! Most sources say no more of a user than the name that they were asked for,
//! `config` and perhaps uid 0; that takes no byte at all. Anything else is one
//! block:
//!
//! ```text
//!   name, drop path, uid, label, value, label, value …     each: length, bytes
//! ```
//!
//! A length is one byte, or 255 and four bytes. The name is empty if it is the
//! one that was asked for. A drop path starts with `=`, so that `config` is the
//! empty one; a uid is empty, or `#` and a number, or `=` and a name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use dmail_core::{Account, DropPath, Info, Uid, Username};

/// What a source said of a user: nothing but `config`, or a block. The empty
/// block, which needs no memory either, is `config` and uid 0.
#[derive(Debug, Default)]
pub(super) struct Packed(Option<Box<[u8]>>);

impl Packed {
    /// Packs the account that `user` was answered with.
    pub(super) fn new(user: &Username, account: &Account) -> Self {
        let Account { name, drop, uid, info } = account;
        if name == user && *drop == DropPath::Config && info.is_empty() {
            match uid {
                None => return Self(None),
                Some(Uid::Number(0)) => return Self(Some(Box::default())),
                Some(_) => {}
            }
        }
        let mut block = Vec::new();
        put(&mut block, &[if name == user { &[] } else { name.as_str().as_bytes() }]);
        match drop {
            DropPath::Config => put(&mut block, &[]),
            DropPath::File(path) => put(&mut block, &[b"=", path.as_os_str().as_bytes()]),
        }
        match uid {
            None => put(&mut block, &[]),
            Some(Uid::Number(number)) => put(&mut block, &[b"#", &number.to_le_bytes()]),
            Some(Uid::Name(name)) => put(&mut block, &[b"=", name.as_bytes()]),
        }
        for (label, value) in info.iter() {
            put(&mut block, &[label.as_bytes()]);
            put(&mut block, &[value.as_bytes()]);
        }
        Self(Some(block.into_boxed_slice()))
    }

    /// The account that `user` was answered with.
    pub(super) fn account(&self, user: &Username) -> Arc<Account> {
        let plain = || Account::named(user.clone());
        let account = match &self.0 {
            None => plain(),
            Some(block) if block.is_empty() => Account { uid: Some(Uid::Number(0)), ..plain() },
            // Nothing else is ever in a block than what `new` has written.
            Some(block) => unpack(block, user).unwrap_or_else(plain),
        };
        Arc::new(account)
    }

    /// Whether the source calls the user by this name, give or take upper
    /// case, and not as it was asked.
    pub(super) fn is_named(&self, name: &Username) -> bool {
        let own = self.0.as_deref().and_then(|mut block| take(&mut block));
        own.is_some_and(|own| own.eq_ignore_ascii_case(name.as_str().as_bytes()))
    }
}

fn unpack(mut block: &[u8], user: &Username) -> Option<Account> {
    let block = &mut block;
    let name = match take(block)? {
        b"" => user.clone(),
        name => Username::parse(name).ok()?,
    };
    let drop = match take(block)?.split_first() {
        None => DropPath::Config,
        Some((_, path)) => DropPath::File(PathBuf::from(OsStr::from_bytes(path))),
    };
    let uid = match take(block)?.split_first() {
        None => None,
        Some((b'#', number)) => Some(Uid::Number(u32::from_le_bytes(number.try_into().ok()?))),
        Some((_, name)) => Some(Uid::Name(String::from_utf8(name.to_vec()).ok()?)),
    };
    let mut info = Info::default();
    while !block.is_empty() {
        let (label, value) = (take(block)?, take(block)?);
        info.set(std::str::from_utf8(label).ok()?, std::str::from_utf8(value).ok()?).ok()?;
    }
    Some(Account { name, drop, uid, info })
}

/// The length that says that four more bytes hold it.
const LONG: u8 = 255;

/// Appends one field, which the parts make together.
fn put(block: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    block.reserve_exact(1 + size_of::<u32>() + length);
    match u8::try_from(length) {
        Ok(length) if length < LONG => block.push(length),
        _ => {
            let length = u32::try_from(length).expect("no source answers with 4 GB");
            block.push(LONG);
            block.extend_from_slice(&length.to_le_bytes());
        }
    }
    parts.iter().for_each(|part| block.extend_from_slice(part));
}

/// Takes the next field.
fn take<'b>(block: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (short, mut rest) = block.split_first()?;
    let mut length = usize::from(*short);
    if *short == LONG {
        let (long, after) = rest.split_first_chunk()?;
        (length, rest) = (u32::from_le_bytes(*long) as usize, after);
    }
    let (field, rest) = rest.split_at_checked(length)?;
    *block = rest;
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text.as_bytes()).expect("a name")
    }

    #[test]
    fn every_account_comes_out_as_it_went_in() {
        let info = |text: &str| text.parse::<Info>().expect("fields");
        let file = |bytes: &[u8]| DropPath::File(PathBuf::from(OsStr::from_bytes(bytes)));
        let plain = Account::named(name("bob"));
        let rows = [
            plain.clone(),
            Account { name: name("Bob@corp.example"), ..plain.clone() },
            Account { drop: file(b"/var/mail/bob"), ..plain.clone() },
            Account { drop: file(b""), ..plain.clone() },
            Account { drop: file(&[b'a'; 253]), ..plain.clone() },
            Account { drop: file(&[b'a'; 254]), ..plain.clone() },
            Account { drop: file(&[b'a'; 70_000]), ..plain.clone() },
            Account { drop: file(b"=/\xff\0#"), ..plain.clone() },
            Account { uid: Some(Uid::Number(0)), ..plain.clone() },
            Account { uid: Some(Uid::Number(u32::MAX)), ..plain.clone() },
            Account { uid: Some(Uid::Name("#mail".into())), ..plain.clone() },
            Account { info: info("fwd=\"a@b, |robot \"x y\"\" quota=\"\""), ..plain.clone() },
            Account {
                name: name("jos\u{e9}"),
                drop: file(b"config"),
                uid: Some(Uid::Name(String::new())),
                info: info("name=\"Jos\u{e9}\""),
            },
        ];
        for account in rows {
            let packed = Packed::new(&name("bob"), &account);
            assert_eq!(*packed.account(&name("bob")), account);
            let otherwise = account.name.as_str() != "bob";
            assert_eq!(packed.is_named(&account.name), otherwise, "{account:?}");
            assert!(!packed.is_named(&name("ann")));
        }
        let zero = Account { uid: Some(Uid::Number(0)), ..plain.clone() };
        for usual in [plain, zero] {
            let block = Packed::new(&name("bob"), &usual).0;
            assert!(block.is_none_or(|block| block.is_empty()), "the usual ones take no memory");
        }
    }
}
