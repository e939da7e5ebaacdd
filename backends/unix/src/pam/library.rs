//! libpam itself: the few functions of it, and the conversation in which it
//! asks for the password.
//!
//! The library is loaded when it is first needed, so neither building nor
//! starting needs it. This file has all the foreign calls; what the codes mean
//! is in [`super`].
#![allow(unsafe_code)] // libpam is a C library; see the comments below

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::net::IpAddr;
use std::ptr;

use dmail_core::Secret;
use libloading::Library;

/// The name under which Linux-PAM has been installed since 1999.
const NAME: &str = "libpam.so.0";

const SUCCESS: c_int = 0;
const BUFFER_ERROR: c_int = 5;
const CONVERSATION_ERROR: c_int = 19;

/// Ask for nothing to be printed, and let nobody in without a password.
const FLAGS: c_int = 0x8000 | 0x0001; // PAM_SILENT, PAM_DISALLOW_NULL_AUTHTOK

const ITEM_USER: c_int = 2;
const ITEM_TTY: c_int = 3;
const ITEM_REMOTE_HOST: c_int = 4;
const ITEM_FAIL_DELAY: c_int = 10;

const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;

/// Most messages in one call of the conversation (PAM_MAX_NUM_MSG).
const MAX_MESSAGES: c_int = 32;

/// `struct pam_message`: what a module says or asks.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`: an answer, which the library frees.
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

type Converse =
    unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int;

/// `struct pam_conv`.
#[repr(C)]
struct Conversation {
    converse: Converse,
    data: *mut c_void,
}

type Start = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const Conversation,
    *mut *mut c_void,
) -> c_int;
type SetItem = unsafe extern "C" fn(*mut c_void, c_int, *const c_void) -> c_int;
type GetItem = unsafe extern "C" fn(*const c_void, c_int, *mut *const c_void) -> c_int;
type Phase = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;
type Describe = unsafe extern "C" fn(*mut c_void, c_int) -> *const c_char;

/// The loaded library.
pub(crate) struct Pam {
    start: Start,
    set_item: SetItem,
    get_item: GetItem,
    authenticate: Phase,
    account: Phase,
    end: Phase,
    describe: Describe,
    /// Last: the functions above are only good while it is loaded.
    _library: Library,
}

/// How a transaction went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the last phase returned: of authentication, or, if that went well,
    /// of the account.
    pub(crate) code: i32,
    /// The library's words for it.
    pub(crate) text: String,
    /// Whether the password was found good, and the code is about the account.
    pub(crate) authenticated: bool,
    /// Whether the user is another one in the end: modules may change who it is.
    pub(crate) other_user: bool,
    /// How often the password was asked for.
    pub(crate) prompts: usize,
    /// Whether anything else was asked for, or the password once more.
    pub(crate) asked_for_more: bool,
}

impl Pam {
    /// Loads the library.
    pub(crate) fn load() -> Result<Self, String> {
        let text = |error: libloading::Error| error.to_string();
        // SAFETY: libpam has no initialisers beyond those of the C library,
        // and it stays loaded for as long as `Self` lives.
        let library = unsafe { Library::new(NAME) }.map_err(text)?;
        // SAFETY: these are the types that pam(3) declares. The pointers are
        // kept beside the library that they lead into.
        unsafe {
            Ok(Self {
                start: *library.get::<Start>(b"pam_start\0").map_err(text)?,
                set_item: *library.get::<SetItem>(b"pam_set_item\0").map_err(text)?,
                get_item: *library.get::<GetItem>(b"pam_get_item\0").map_err(text)?,
                authenticate: *library.get::<Phase>(b"pam_authenticate\0").map_err(text)?,
                account: *library.get::<Phase>(b"pam_acct_mgmt\0").map_err(text)?,
                end: *library.get::<Phase>(b"pam_end\0").map_err(text)?,
                describe: *library.get::<Describe>(b"pam_strerror\0").map_err(text)?,
                _library: library,
            })
        }
    }

    /// One transaction: is this the user's password, and is the account open?
    /// `None` if a name or the secret holds a NUL. Blocks for as long as the
    /// modules like.
    pub(crate) fn check(
        &self,
        service: &str,
        user: &str,
        secret: &Secret,
        client: Option<IpAddr>,
    ) -> Option<Outcome> {
        let (service, user) = (CString::new(service).ok()?, CString::new(user).ok()?);
        if secret.expose().contains(&0) {
            return None;
        }
        // Both must stay where they are until the transaction has ended.
        let mut answers = Answers { secret, prompts: 0, asked_for_more: false };
        let data = (&raw mut answers).cast::<c_void>();
        let conversation = Conversation { converse, data };
        let mut handle = ptr::null_mut();
        // SAFETY: the strings end in NUL, the library copies them and the
        // struct. `data` outlives the handle, which is ended below.
        let mut code = unsafe {
            (self.start)(service.as_ptr(), user.as_ptr(), &raw const conversation, &raw mut handle)
        };
        let mut authenticated = false;
        if code == SUCCESS {
            code = self.set_items(handle, client);
            if code == SUCCESS {
                // SAFETY: a started handle, which only this thread uses.
                code = unsafe { (self.authenticate)(handle, FLAGS) };
                authenticated = code == SUCCESS;
            }
            if authenticated {
                // SAFETY: as above.
                code = unsafe { (self.account)(handle, FLAGS) };
            }
        }
        let other_user = code == SUCCESS && !self.is_about(handle, &user);
        let text = self.text(handle, code);
        if !handle.is_null() {
            // SAFETY: a handle of pam_start, not used after this.
            unsafe { (self.end)(handle, code) };
        }
        let Answers { prompts, asked_for_more, .. } = answers;
        Some(Outcome { code, text, authenticated, other_user, prompts, asked_for_more })
    }

    /// Tells the modules where the client is. They need not delay a "no": the
    /// gateway does, and a delay would keep the helper from the next question.
    fn set_items(&self, handle: *mut c_void, client: Option<IpAddr>) -> c_int {
        let address = client.and_then(|client| CString::new(client.to_string()).ok());
        let no_delay: unsafe extern "C" fn(c_int, u32, *mut c_void) = no_delay;
        let items = [
            (ITEM_TTY, c"dmail".as_ptr().cast::<c_void>()),
            (ITEM_FAIL_DELAY, no_delay as *const c_void),
        ];
        let host = address.iter().map(|address| (ITEM_REMOTE_HOST, address.as_ptr().cast()));
        for (item, value) in items.into_iter().chain(host) {
            // SAFETY: a started handle. The strings end in NUL and are copied;
            // the delay is a function of the type that pam_fail_delay(3) has.
            let code = unsafe { (self.set_item)(handle, item, value) };
            if code != SUCCESS {
                return code;
            }
        }
        SUCCESS
    }

    /// Whether this is who the transaction is about by now.
    fn is_about(&self, handle: *mut c_void, user: &CStr) -> bool {
        let mut name = ptr::null();
        // SAFETY: a started handle, and a place for the answer.
        let code = unsafe { (self.get_item)(handle, ITEM_USER, &raw mut name) };
        if code != SUCCESS || name.is_null() {
            return false;
        }
        // SAFETY: this item is a text that ends in NUL, which the library keeps
        // until the item is set again.
        unsafe { CStr::from_ptr(name.cast()) == user }
    }

    fn text(&self, handle: *mut c_void, code: c_int) -> String {
        // SAFETY: the handle is not looked at, and may be null; the answer is
        // null or a text that the library keeps.
        let text = unsafe { (self.describe)(handle, code) };
        if text.is_null() {
            return format!("code {code}");
        }
        // SAFETY: not null, see above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

/// What the conversation knows, and what it learns.
struct Answers<'a> {
    secret: &'a Secret,
    prompts: usize,
    asked_for_more: bool,
}

/// Called by modules: gives the password to the first question without echo,
/// and none to any other. What they only tell is not for us.
///
/// Does not panic, for it could not unwind through C.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let length = match usize::try_from(count) {
        Ok(length @ 1..) if count <= MAX_MESSAGES => length,
        _ => return CONVERSATION_ERROR,
    };
    if messages.is_null() || responses.is_null() || data.is_null() {
        return CONVERSATION_ERROR;
    }
    // SAFETY: `data` is the `Answers` of `check`, which waits for this call to
    // return, on the same thread.
    let answers = unsafe { &mut *data.cast::<Answers<'_>>() };
    // SAFETY: calloc has no conditions; the zeroed memory is `length` valid
    // responses without a text.
    let replies = unsafe { libc::calloc(length, size_of::<Response>()) }.cast::<Response>();
    if replies.is_null() {
        return BUFFER_ERROR;
    }
    for index in 0..length {
        // SAFETY: Linux-PAM passes an array of `count` pointers to messages.
        let style = unsafe { (**messages.add(index)).style };
        let failed = match style {
            PROMPT_ECHO_OFF if answers.prompts == 0 => {
                answers.prompts += 1;
                let text = copy(answers.secret);
                // SAFETY: `index` is below the length of the array.
                unsafe { (*replies.add(index)).text = text };
                text.is_null().then_some(BUFFER_ERROR)
            }
            PROMPT_ECHO_OFF | PROMPT_ECHO_ON => {
                answers.asked_for_more = true;
                Some(CONVERSATION_ERROR)
            }
            _ => None,
        };
        if let Some(code) = failed {
            // SAFETY: our own array of `length` responses, which nobody has.
            unsafe { release(replies, length, answers.secret.expose().len()) };
            return code;
        }
    }
    // SAFETY: checked above; the library takes the array over.
    unsafe { *responses = replies };
    SUCCESS
}

/// The secret with a NUL behind it, in memory that C can free.
fn copy(secret: &Secret) -> *mut c_char {
    let bytes = secret.expose();
    // SAFETY: the memory is zeroed, and has a byte more than the copy needs.
    unsafe {
        let text = libc::calloc(bytes.len() + 1, 1).cast::<u8>();
        if !text.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), text, bytes.len());
        }
        text.cast()
    }
}

/// Wipes and frees responses that the library did not take.
///
/// # Safety
///
/// `replies` is an array of `length` responses; a text in it has room for
/// `secret_length` bytes. It is not used after this.
unsafe fn release(replies: *mut Response, length: usize, secret_length: usize) {
    for index in 0..length {
        // SAFETY: the caller's promise.
        unsafe {
            let text = (*replies.add(index)).text;
            if !text.is_null() {
                libc::explicit_bzero(text.cast(), secret_length);
                libc::free(text.cast());
            }
        }
    }
    // SAFETY: the array came from calloc.
    unsafe { libc::free(replies.cast()) };
}

/// Instead of the delay that modules ask for.
unsafe extern "C" fn no_delay(_code: c_int, _micros: u32, _data: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks questions of these styles, as a module would; the texts of the
    /// answers, or the code.
    fn ask(answers: &mut Answers<'_>, styles: &[c_int]) -> Result<Vec<Option<String>>, c_int> {
        let messages: Vec<Message> =
            styles.iter().map(|style| Message { style: *style, text: c"?".as_ptr() }).collect();
        let mut pointers: Vec<*const Message> = messages.iter().map(ptr::from_ref).collect();
        let count = c_int::try_from(styles.len()).expect("a few");
        let mut replies = ptr::null_mut();
        let data = ptr::from_mut(answers).cast();
        // SAFETY: as Linux-PAM calls it.
        let code = unsafe { converse(count, pointers.as_mut_ptr(), &raw mut replies, data) };
        if code != SUCCESS {
            return Err(code);
        }
        let text = |index| {
            // SAFETY: as many replies as there were questions.
            let text = unsafe { (*replies.add(index)).text };
            // SAFETY: not null, so a text that ends in NUL.
            (!text.is_null())
                .then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        let texts = (0..styles.len()).map(text).collect();
        // SAFETY: the library would free them now.
        unsafe { release(replies, styles.len(), answers.secret.expose().len()) };
        Ok(texts)
    }

    #[test]
    fn a_transaction_that_goes_on_about_another_user_is_noticed() {
        let Ok(pam) = Pam::load() else {
            eprintln!("skipped, for this machine has no libpam");
            return;
        };
        let secret = Secret::new(*b"opensesame");
        let mut answers = Answers { secret: &secret, prompts: 0, asked_for_more: false };
        let data = (&raw mut answers).cast::<c_void>();
        let conversation = Conversation { converse, data };
        let mut handle = ptr::null_mut();
        // SAFETY: as in `check`.
        let code = unsafe {
            (pam.start)(
                c"login".as_ptr(),
                c"ann".as_ptr(),
                &raw const conversation,
                &raw mut handle,
            )
        };
        assert_eq!(code, SUCCESS);
        assert!(pam.is_about(handle, c"ann") && !pam.is_about(handle, c"an"));
        // SAFETY: as a module does it; the library copies the text.
        let code = unsafe { (pam.set_item)(handle, ITEM_USER, c"root".as_ptr().cast()) };
        assert_eq!(code, SUCCESS);
        assert!(!pam.is_about(handle, c"ann"));
        // SAFETY: not used after this.
        unsafe { (pam.end)(handle, SUCCESS) };
    }

    #[test]
    fn the_password_is_told_once_and_only_when_it_is_asked_for() {
        let secret = Secret::new(*b"opensesame");
        let fresh = || Answers { secret: &secret, prompts: 0, asked_for_more: false };
        let password = || Some("opensesame".to_owned());
        let mut answers = fresh();
        assert_eq!(ask(&mut answers, &[4, 1, 3]), Ok(vec![None, password(), None]));
        assert_eq!(ask(&mut answers, &[4]), Ok(vec![None]), "what is told needs no answer");
        assert!(!answers.asked_for_more);
        assert_eq!(ask(&mut answers, &[1]), Err(CONVERSATION_ERROR));
        assert!(answers.asked_for_more && answers.prompts == 1);
        for styles in [&[2][..], &[1, 1], &[1, 2], &[], &[4; 33]] {
            assert_eq!(ask(&mut fresh(), styles), Err(CONVERSATION_ERROR), "{styles:?}");
        }
    }
}
