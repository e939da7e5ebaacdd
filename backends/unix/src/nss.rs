//! The system's user base, as the C library gives it out: files, NIS, LDAP or
//! whatever `/etc/nsswitch.conf` names.
//!
//! All of it blocks, for as long as a module of the system likes: for helpers
//! only.
#![allow(unsafe_code)] // getspnam_r and getpwent have no safe wrapper; see the comments below

use std::ffi::{CStr, CString, c_char, c_long};
use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::{io, ptr};

use nix::errno::Errno;
use nix::unistd::User;
use zeroize::{Zeroize, Zeroizing};

/// Room for one shadow entry: enough for every hash there is.
const SHADOW_BYTES: usize = 16 * 1024;

/// What `/etc/shadow` says of one account. Days are counted from 1970; what is
/// negative is not set.
pub(crate) struct ShadowEntry {
    /// The stored password.
    pub(crate) stored: Zeroizing<String>,
    /// The day of the last change; 0 asks for one.
    pub(crate) last_change: c_long,
    /// For how many days a password is good.
    pub(crate) max_days: c_long,
    /// The day from which on the account is closed.
    pub(crate) expires: c_long,
}

/// The account of this name.
///
/// An account that is not there is no error. getpwnam(3) has a list of codes
/// that mean the same on other systems, but here a module that cannot reach its
/// server says ENOENT (nslcd's does): mail would be sent back.
pub(crate) fn user(name: &str) -> io::Result<Option<User>> {
    Ok(User::from_name(name)?)
}

/// The shadow entry of this name; `None` if there is none.
pub(crate) fn shadow(name: &str) -> io::Result<Option<ShadowEntry>> {
    match entry(name) {
        // To whoever may not read the file, it has no entries.
        Ok(None) => match File::open("/etc/shadow") {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            _ => Ok(None),
        },
        answer => answer,
    }
}

fn entry(name: &str) -> io::Result<Option<ShadowEntry>> {
    let name = CString::new(name)?;
    let mut buffer = Zeroizing::new(vec![0_u8; SHADOW_BYTES]);
    // SAFETY: the struct is plain integers and pointers, for which zero is a
    // value; it is only looked at if the call says that it has filled it.
    let mut entry: libc::spwd = unsafe { std::mem::zeroed() };
    let mut found: *mut libc::spwd = ptr::null_mut();
    // SAFETY: the name ends in NUL. All other pointers are to memory of ours of
    // the size that is told, which nobody else touches during the call.
    let code = unsafe {
        libc::getspnam_r(
            name.as_ptr(),
            &raw mut entry,
            buffer.as_mut_ptr().cast::<c_char>(),
            buffer.len(),
            &raw mut found,
        )
    };
    match code {
        0 if found.is_null() => return Ok(None),
        0 => {}
        libc::ENOENT | libc::ESRCH => return Ok(None),
        code => return Err(io::Error::from_raw_os_error(code)),
    }
    let stored = if entry.sp_pwdp.is_null() {
        String::new()
    } else {
        // SAFETY: not null, so it points at a string in `buffer`, which is alive.
        unsafe { CStr::from_ptr(entry.sp_pwdp) }.to_string_lossy().into_owned()
    };
    Ok(Some(ShadowEntry {
        stored: Zeroizing::new(stored),
        last_change: entry.sp_lstchg,
        max_days: entry.sp_max,
        expires: entry.sp_expire,
    }))
}

/// What a listing shows of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gecos: String,
}

/// Shows every account that the system enumerates to `each`. (Large
/// directories are often set up not to be enumerated.)
pub(crate) fn each_user(mut each: impl FnMut(Listed)) -> io::Result<()> {
    /// The C library has one position in the list for the whole process.
    static LIST: Mutex<()> = Mutex::new(());
    let _alone = LIST.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: only this function, which holds the lock, uses these three.
    unsafe { libc::setpwent() };
    let result = loop {
        Errno::clear();
        // SAFETY: as above. The entry stays as it is until the next call.
        let entry = unsafe { libc::getpwent() };
        if entry.is_null() {
            break match Errno::last_raw() {
                0 | libc::ENOENT | libc::ESRCH => Ok(()),
                libc::EINTR => continue,
                code => Err(io::Error::from_raw_os_error(code)),
            };
        }
        // SAFETY: not null, so it is an entry whose strings are NUL-terminated.
        let (name, gecos, uid) = unsafe {
            let entry = &*entry;
            (text(entry.pw_name), text(entry.pw_gecos), entry.pw_uid)
        };
        each(Listed { name, uid, gecos });
    };
    // SAFETY: as above.
    unsafe { libc::endpwent() };
    result
}

/// # Safety
///
/// `string` is null, or points at a string that ends in NUL.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// The password field of a passwd entry, where NIS keeps the hash.
pub(crate) fn take_password(user: User) -> Zeroizing<String> {
    let mut bytes = user.passwd.into_bytes();
    let stored = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    bytes.zeroize();
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_listed() {
        let root = user("root").expect("an answer").expect("there is a root");
        assert_eq!(root.uid.as_raw(), 0);
        assert!(user("no-such-user").expect("an answer").is_none());
        let mut listed = Vec::new();
        each_user(|user| listed.push(user.name)).expect("a list");
        assert!(listed.contains(&"root".to_owned()), "{listed:?}");
    }

    #[test]
    fn the_shadow_file_is_read_or_refused_and_never_guessed_at() {
        match shadow("root") {
            Ok(entry) => assert!(entry.is_some()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
        // Whoever may not read it is not told that there is no such entry.
        if shadow("root").is_ok() {
            assert!(shadow("no-such-user").expect("an answer").is_none());
        }
    }
}
