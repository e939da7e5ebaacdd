//! A user in the making: fields come one by one, from any format.

use std::path::{Component, Path};

use dmail_core::config::{LoginPolicy, StateRule};
use dmail_core::{DropPath, Info, Secret, Uid, UserRecord, Username};

use super::{Entry, What};

/// Most fields of one user. A file from a stranger may hold a million, and each
/// is compared with all others.
const MAX_FIELDS: usize = 1000;

/// Most fields of one label.
const MAX_VALUES: usize = 100;

/// Most bytes of fields that are written in one text.
const MAX_TEXT: usize = 64 * 1024;

/// The field of an account's state, and the one in which nobody may log in
/// for the time being.
const STATE: &str = "mailstatus";
const SUSPENDED: &str = "suspended";

/// What is known so far.
pub(super) struct Draft {
    line: u64,
    pub(super) user: Option<Username>,
    pub(super) stored: Option<Secret>,
    drop: DropPath,
    uid: Option<Uid>,
    info: Info,
    /// How many fields there are in `info`.
    fields: usize,
    /// What says that nobody may log in to the account.
    suspended: Option<String>,
    pub(super) notes: Vec<String>,
    /// The first thing that makes the user impossible to take in.
    fault: Option<String>,
}

impl Draft {
    /// Nothing yet; the entry starts in this line.
    pub(super) fn new(line: u64) -> Self {
        Self {
            line,
            user: None,
            stored: None,
            drop: DropPath::Config,
            uid: None,
            info: Info::default(),
            fields: 0,
            suspended: None,
            notes: Vec::new(),
            fault: None,
        }
    }

    /// Remembers why the user cannot be taken in.
    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.fault.get_or_insert_with(|| why.into());
    }

    pub(super) fn name(&mut self, bytes: &[u8]) {
        match Username::parse(bytes) {
            Ok(user) => self.user = Some(user),
            Err(error) => self.refuse(format!("the user name is {error}")),
        }
    }

    pub(super) fn drop_path(&mut self, text: &str) {
        let path = Path::new(text);
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        if text.is_empty() || text == "config" {
            self.drop = DropPath::Config;
        } else if path.is_absolute() && path.components().all(plain) && path.file_name().is_some() {
            self.drop = DropPath::File(path.to_owned());
        } else {
            self.refuse(format!("the drop path {text:?} is no full path"));
        }
    }

    /// A number or a name; 0 says nothing.
    pub(super) fn owner(&mut self, text: &str) {
        self.uid = match text.parse() {
            Ok(0) => None,
            Ok(number) => Some(Uid::Number(number)),
            Err(_) if text.is_empty() => None,
            Err(_) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                return self.refuse(format!("the owner {text:?} is neither a name nor a number"));
            }
            Err(_) => Some(Uid::Name(text.to_owned())),
        };
    }

    /// An info field. A label that is there already gets a number behind it.
    pub(super) fn info(&mut self, label: &str, value: &str) {
        if self.fault.is_some() {
            return;
        }
        self.fields += 1;
        let mut free = label.to_owned();
        let mut number = 1;
        while self.info.get(&free).is_some() {
            number += 1;
            free = format!("{label}-{number}");
        }
        if self.fields > MAX_FIELDS || number > MAX_VALUES {
            self.refuse("more fields than anybody has");
        } else if let Err(error) = self.info.set(&free, value) {
            self.refuse(format!("the field {label:?} cannot be kept: {error}"));
        }
    }

    /// The account is locked where it comes from, as the field `label` says.
    pub(super) fn suspend(&mut self, label: &str) {
        self.suspended.get_or_insert_with(|| label.to_owned());
    }

    /// Many fields in one text, written `label="value"`; other text is the
    /// value of `label`.
    pub(super) fn info_text(&mut self, label: &str, text: &str) {
        if text.len() > MAX_TEXT {
            return self.refuse("more fields than anybody has");
        }
        match text.parse::<Info>() {
            Ok(info) => info.iter().for_each(|(label, value)| self.info(label, value)),
            Err(_) => self.info(label, text),
        }
    }

    /// The same for bytes, which should be text.
    pub(super) fn info_bytes(&mut self, label: &str, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(value) => self.info(label, value),
            Err(_) => self.notes.push(format!("the field {label:?} is no text and is left out")),
        }
    }

    /// All that was said, as one entry.
    pub(super) fn finish(mut self) -> Entry {
        if let Some(label) = self.suspended.take()
            && !is_refused(&self.info)
        {
            match self.info.set(STATE, SUSPENDED) {
                Ok(()) => {
                    self.notes.push(format!("{label}: the account is suspended here ({STATE})"));
                }
                Err(error) => self.refuse(format!("{label}: {error}")),
            }
        }
        let Self { line, user, stored, drop, uid, info, notes, fault, .. } = self;
        let what = match (fault, user) {
            (Some(why), user) => What::Refused { user, why },
            (None, None) => What::NoUser("no user name".to_owned()),
            (None, Some(user)) => {
                What::User(Box::new(UserRecord { user, stored, drop, uid, info }))
            }
        };
        Entry { line, what, notes }
    }
}

/// Whether the account has a state already that lets nobody log in.
fn is_refused(info: &Info) -> bool {
    let Some(state) = info.account_state() else { return false };
    let rules = StateRule::usual();
    let rule = rules.iter().find(|rule| rule.state.eq_ignore_ascii_case(state));
    rule.is_some_and(|rule| rule.login == LoginPolicy::Refuse)
}

/// The owner of a drop file as text; nothing for nobody.
pub(super) fn owner_text(uid: Option<&Uid>) -> String {
    match uid {
        None => String::new(),
        Some(Uid::Name(name)) => name.clone(),
        Some(Uid::Number(number)) => number.to_string(),
    }
}

/// The drop path as bytes; nothing for the one in dmail.conf.
pub(super) fn drop_bytes(drop: &DropPath) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    match drop {
        DropPath::Config => b"",
        DropPath::File(path) => path.as_os_str().as_bytes(),
    }
}
