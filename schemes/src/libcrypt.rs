//! The one foreign function of the project: crypt(3), for the schemes that no
//! crate computes (DES, BSDi, MD5-crypt, `$2x$`, gost-yescrypt, scrypt in
//! crypt form) or that the C library computes much faster (yescrypt).
//!
//! libcrypt is libxcrypt here. Debian's libc6-dev depends on its headers and
//! its link library, so whoever has a Rust linker has it.
#![allow(unsafe_code)] // crypt_rn is a C function; see the safety comments below

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use dmail_core::Secret;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{SchemeError, yescrypt};

#[link(name = "crypt")]
unsafe extern "C" {
    fn crypt_rn(
        phrase: *const c_char,
        setting: *const c_char,
        data: *mut c_void,
        size: c_int,
    ) -> *mut c_char;
}

/// Size of libxcrypt's `struct crypt_data`, in bytes; part of its ABI.
const WORK_BYTES: usize = 32_768;

/// Longest phrase that libxcrypt takes, in bytes.
const MAX_PHRASE_BYTES: usize = 511;

/// A scheme that libcrypt computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `_` and 19 characters.
    BsdiDes,
    /// `$2x$`: bcrypt with the sign bug of 2011.
    BuggyBcrypt,
    /// 13 characters: only the first eight bytes of a secret count.
    Des,
    /// `$gy$`.
    GostYescrypt,
    /// `$1$`.
    Md5,
    /// `$7$`.
    Scrypt,
    /// `$y$`.
    Yescrypt,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BsdiDes => "BSDi DES-crypt",
            Self::BuggyBcrypt => "bcrypt 2x",
            Self::Des => "DES-crypt",
            Self::GostYescrypt => "gost-yescrypt",
            Self::Md5 => "MD5-crypt",
            Self::Scrypt => "scrypt",
            Self::Yescrypt => "yescrypt",
        }
    }

    fn check_cost(self, text: &str) -> Result<(), SchemeError> {
        match self {
            // Four digits: up to 16 million rounds of DES, a few seconds.
            Self::BsdiDes | Self::Des | Self::Md5 => Ok(()),
            Self::BuggyBcrypt => match text.get(4..6).map(str::parse::<u32>) {
                Some(Ok(cost)) if cost <= 16 => Ok(()),
                Some(Ok(_)) => Err(SchemeError::TooCostly {
                    scheme: self.name(),
                    limit: "a cost of more than 16",
                }),
                _ => Err(SchemeError::Malformed { scheme: self.name() }),
            },
            Self::GostYescrypt | Self::Scrypt | Self::Yescrypt => yescrypt::check_cost(self, text),
        }
    }
}

pub(super) fn verify(kind: Kind, text: &str, secret: &Secret) -> Result<bool, SchemeError> {
    kind.check_cost(text)?;
    // crypt(3) reads to the first NUL and refuses long phrases: no stored text
    // can have come from such a secret.
    if secret.expose().contains(&0) || secret.expose().len() > MAX_PHRASE_BYTES {
        return Ok(false);
    }
    let computed = Zeroizing::new(crypt(kind, text, secret)?);
    // A text that was cut is damaged; its owner's password is not wrong.
    if computed.len() != text.len() {
        return Err(SchemeError::Malformed { scheme: kind.name() });
    }
    Ok(computed.as_bytes().ct_eq(text.as_bytes()).into())
}

pub(super) fn hash(kind: Kind, setting: &str, secret: &Secret) -> Result<String, SchemeError> {
    let why = if secret.expose().contains(&0) {
        "it holds a NUL byte"
    } else if secret.expose().len() > MAX_PHRASE_BYTES {
        "it has more than 511 bytes"
    } else {
        return crypt(kind, setting, secret);
    };
    Err(SchemeError::Secret { scheme: kind.name(), why })
}

/// The text that crypt(3) gives for this secret under this setting. A stored
/// text is its own setting.
fn crypt(kind: Kind, setting: &str, secret: &Secret) -> Result<String, SchemeError> {
    let malformed = SchemeError::Malformed { scheme: kind.name() };
    let phrase = c_string(secret.expose()).ok_or_else(|| malformed.clone())?;
    let setting = CString::new(setting).map_err(|_| malformed.clone())?;
    let mut work = Zeroizing::new(vec![0_u64; WORK_BYTES / size_of::<u64>()]);
    // SAFETY: both strings end in NUL and live across the call. `work` has the
    // size that is passed, is zeroed as a first call wants it, and is aligned
    // for any field. The function keeps no pointer.
    let text = unsafe {
        crypt_rn(
            phrase.as_ptr(),
            setting.as_ptr(),
            work.as_mut_ptr().cast(),
            c_int::try_from(WORK_BYTES).unwrap_or(c_int::MAX),
        )
    };
    let failed = text.is_null();
    let out_of_memory = std::io::Error::last_os_error().kind() == std::io::ErrorKind::OutOfMemory;
    wipe(phrase);
    if failed {
        return Err(if out_of_memory {
            SchemeError::Machine { scheme: kind.name() }
        } else {
            malformed
        });
    }
    // SAFETY: not null, so it points at the NUL-terminated output inside
    // `work`, which is still alive and is not written to any more.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(str::to_owned).map_err(|_| malformed)
}

/// The secret with a NUL behind it, in one allocation that [`wipe`] can clear.
fn c_string(bytes: &[u8]) -> Option<CString> {
    let mut with_room = Vec::with_capacity(bytes.len() + 1);
    with_room.extend_from_slice(bytes);
    CString::new(with_room).ok()
}

fn wipe(phrase: CString) {
    phrase.into_bytes_with_nul().zeroize();
}
