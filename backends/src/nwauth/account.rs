//! A record of the files as the rest of the product knows a user, and back.
//!
//! ```text
//!   bob:$6$…:name="Bob" drop_path="/srv/bob" drop_owner="1001"
//!    │   │        │            │                   │
//!   user stored  info     DropPath::File          Uid
//! ```
//!
//! The files of the original have no place for a drop path and an owner: all
//! mail is where dmail.conf says. Users who come from a base that has them keep
//! them in these two info fields, which only a full path and a name or number
//! make effective.

use std::path::{Component, Path};

use dmail_core::{
    Account, DropPath, Info, Rejection, RejectionKind, Secret, Uid, UserRecord, Username,
};
use zeroize::Zeroizing;

use super::record::{Line, Record, key};

/// The info field that holds a drop path other than dmail.conf's.
const DROP_PATH: &str = "drop_path";

/// The info field that holds the owner of the drop file.
const DROP_OWNER: &str = "drop_owner";

/// The info field for old text that is no `label="value"`.
const BARE_TEXT: &str = "info";

/// What a lookup answers. Nobody's uid is written 0, as the original does.
pub(super) fn account(user: &Username, record: &Record) -> Account {
    let Parts { drop, uid, info } = parts(info(record));
    Account { name: user.clone(), drop, uid: uid.or(Some(Uid::Number(0))), info }
}

/// The whole record, for `export`. `None` if the name is none. Info that is no
/// field becomes one, so that nothing of an old file is lost.
pub(super) fn user_record(record: &Record) -> Option<UserRecord> {
    let user = Username::parse(record.name.as_bytes()).ok()?;
    let text = record.info_text();
    let Parts { drop, uid, info } = parts(text.parse().unwrap_or_else(|_| bare(&text)));
    let stored = (!record.hash.is_empty()).then(|| Secret::new(record.hash.as_slice()));
    Some(UserRecord { user, stored, drop, uid, info })
}

/// The record to write for a user who comes from elsewhere.
pub(super) fn record(user: &UserRecord) -> Result<Record, Rejection> {
    let mut info = user.info.clone();
    let bad = |reason: &str| Rejection::new(RejectionKind::BadInput, reason);
    let drop = match &user.drop {
        DropPath::Config => None,
        DropPath::File(path) => Some(path.to_str().ok_or_else(|| bad("the path is not UTF-8"))?),
    };
    let owner = match &user.uid {
        None => None,
        Some(Uid::Name(name)) => Some(name.clone()),
        Some(Uid::Number(number)) => Some(number.to_string()),
    };
    for (label, value) in [(DROP_PATH, drop), (DROP_OWNER, owner.as_deref())] {
        if let Some(value) = value {
            info.set(label, value).map_err(|_| bad("the path or owner is not one line"))?;
        }
    }
    let record = Record {
        name: key(user.user.as_str()),
        hash: Zeroizing::new(user.stored.as_ref().map_or(&[][..], Secret::expose).to_vec()),
        info: info_field(&info)?,
    };
    // A path that would not be believed when it is read back, for example.
    let same = parts(self::info(&record));
    if (same.drop, same.uid, same.info) != (user.drop.clone(), user.uid.clone(), user.info.clone())
    {
        return Err(bad("the drop path or its owner would read back as something else"));
    }
    Ok(record)
}

/// The info fields; text that is none says nothing about the account.
pub(super) fn info(record: &Record) -> Info {
    record.info_text().parse().unwrap_or_default()
}

/// The text to store, if it reads back as the same fields: a value such as
/// `x" admin="1` would read back as two.
pub(super) fn info_field(info: &Info) -> Result<Vec<u8>, Rejection> {
    let text = info.to_string();
    if text.parse().as_ref() == Ok(info) {
        Ok(text.into_bytes())
    } else {
        let reason = "an info value would read back as another one";
        Err(Rejection::new(RejectionKind::BadInput, reason))
    }
}

/// New info for a record whose mail stays where it is, unless the new info says
/// otherwise: nobody who sets a name means to move a mailbox.
pub(super) fn keep_place(old: &Record, new: &[u8]) -> Vec<u8> {
    let kept = || {
        let mut info: Info = std::str::from_utf8(new).ok()?.parse().ok()?;
        let present = info_of_place(old);
        let missing = present.iter().filter(|(label, _)| info.get(label).is_none());
        let missing: Vec<_> = missing.map(|(l, v)| (l.to_owned(), v.to_owned())).collect();
        for (label, value) in &missing {
            info.set(label, value).ok()?;
        }
        (!missing.is_empty()).then_some(info)
    };
    kept().and_then(|info| info_field(&info).ok()).unwrap_or_else(|| new.to_vec())
}

/// The fields of drop path and owner, as far as they are effective.
fn info_of_place(record: &Record) -> Info {
    let all = info(record);
    let mut place = Info::default();
    for (label, value) in all.iter() {
        let effective = (label == DROP_PATH && full_path(value).is_some())
            || (label == DROP_OWNER && owner(value).is_some());
        if effective {
            // It was a field a moment ago, so it is one.
            let _ = place.set(label, value);
        }
    }
    place
}

/// One line of `nwauth.txt`, as somebody who is not the base reads it.
pub enum TextLine {
    /// Nothing.
    Blank,
    /// `user:(DELETE):` takes out whom an earlier line has put in.
    Deletion(Username),
    /// No record: no colon, a name that cannot be asked for, too long.
    Unreadable,
    /// A user.
    User(Box<UserRecord>),
}

/// Reads a line of `nwauth.txt`, with or without its end.
#[must_use]
pub fn read_line(line: &[u8]) -> TextLine {
    let line = Line::parse(line);
    let name = line.name().and_then(|name| Username::parse(name.as_bytes()).ok());
    match (line, name) {
        (Line::Blank, _) => TextLine::Blank,
        (Line::Deleted { .. }, Some(name)) => TextLine::Deletion(name),
        (line @ Line::User { .. }, Some(_)) => {
            let user = Record::of(line).and_then(|record| user_record(&record));
            user.map_or(TextLine::Unreadable, |user| TextLine::User(Box::new(user)))
        }
        _ => TextLine::Unreadable,
    }
}

/// The line of `nwauth.txt` for a user, its LF included.
///
/// # Errors
///
/// If the line would not read back as this user.
pub fn write_line(user: &UserRecord) -> Result<Vec<u8>, Rejection> {
    let record = record(user)?;
    let unwritable = || Rejection::new(RejectionKind::BadInput, UNWRITABLE);
    record.line().ok_or_else(unwritable)
}

/// Why a record is refused whose line would not read back.
pub(super) const UNWRITABLE: &str = "the record does not fit a line of nwauth.txt";

/// A record without name and hash.
struct Parts {
    drop: DropPath,
    uid: Option<Uid>,
    info: Info,
}

fn parts(all: Info) -> Parts {
    let drop = all.get(DROP_PATH).and_then(full_path);
    let uid = all.get(DROP_OWNER).and_then(owner);
    if drop.is_none() && uid.is_none() {
        return Parts { drop: DropPath::Config, uid: None, info: all };
    }
    let mut info = Info::default();
    for (label, value) in all.iter() {
        let used = (label == DROP_PATH && drop.is_some()) || (label == DROP_OWNER && uid.is_some());
        if !used {
            // It was a field a moment ago, so it is one.
            let _ = info.set(label, value);
        }
    }
    Parts { drop: drop.unwrap_or(DropPath::Config), uid, info }
}

fn bare(text: &str) -> Info {
    let mut info = Info::default();
    // A line holds no line end, and no NUL.
    let _ = info.set(BARE_TEXT, text.trim());
    info
}

fn full_path(text: &str) -> Option<DropPath> {
    let path = Path::new(text);
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    (path.is_absolute() && path.file_name().is_some() && path.components().all(plain))
        .then(|| DropPath::File(path.to_owned()))
}

/// A number, but not root's, or a name.
fn owner(text: &str) -> Option<Uid> {
    match text.parse::<u32>() {
        Ok(0) => None,
        Ok(number) => Some(Uid::Number(number)),
        Err(_)
            if text.is_empty()
                || text == "root"
                || text.starts_with(|c: char| !c.is_alphabetic()) =>
        {
            None
        }
        Err(_) => Some(Uid::Name(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> UserRecord {
        match read_line(text.as_bytes()) {
            TextLine::User(user) => *user,
            _ => panic!("{text} is a user"),
        }
    }

    #[test]
    fn drop_path_and_owner_are_kept_in_info() {
        let text = "bob:$6$s$h:name=\"Bob\" drop_path=\"/srv/bob\" drop_owner=\"1001\"\n";
        let bob = user(text);
        assert_eq!(bob.drop, DropPath::File("/srv/bob".into()));
        assert_eq!(bob.uid, Some(Uid::Number(1001)));
        assert_eq!(bob.info.to_string(), "name=\"Bob\"");
        assert_eq!(write_line(&bob).expect("a line"), text.as_bytes());
    }

    #[test]
    fn new_info_does_not_move_the_mail_unless_it_says_so() {
        let rows = [
            ("name=\"B\"", "name=\"B\" drop_path=\"/srv/bob\" drop_owner=\"7\""),
            ("drop_path=\"/x\"", "drop_path=\"/x\" drop_owner=\"7\""),
            ("drop_path=\"\" drop_owner=\"\"", "drop_path=\"\" drop_owner=\"\""),
        ];
        let old = Record {
            name: "bob".to_owned(),
            hash: Zeroizing::default(),
            info: b"drop_path=\"/srv/bob\" drop_owner=\"7\" name=\"A\"".to_vec(),
        };
        for (new, expected) in rows {
            let kept = keep_place(&old, new.as_bytes());
            assert_eq!(String::from_utf8_lossy(&kept), expected, "{new}");
        }
    }

    #[test]
    fn only_what_makes_sense_takes_effect() {
        for info in [
            "drop_path=\"mail/bob\"",
            "drop_path=\"/srv/../etc/passwd\"",
            "drop_path=\"/\"",
            "drop_owner=\"0\"",
            "drop_owner=\"root\"",
            "drop_owner=\"\"",
        ] {
            let bob = user(&format!("bob:h:{info}"));
            assert_eq!((&bob.drop, &bob.uid), (&DropPath::Config, &None), "{info}");
            assert_eq!(bob.info.to_string(), info);
        }
    }

    #[test]
    fn text_that_is_no_field_becomes_one() {
        assert_eq!(user("bob:h:just some text").info.to_string(), "info=\"just some text\"");
        assert_eq!(user("bob:h:").info.to_string(), "");
    }

    #[test]
    fn what_would_not_read_back_is_refused() {
        let bob = user("bob:h:");
        let mut info = Info::default();
        info.set("a", "1\" b=\"2").expect("a field");
        let rows = [
            UserRecord { info, ..bob.clone() },
            UserRecord { drop: DropPath::File("relative".into()), ..bob.clone() },
            UserRecord { uid: Some(Uid::Number(0)), ..bob.clone() },
            UserRecord { stored: Some(Secret::new(*b"{PLAIN}a:b")), ..bob.clone() },
            UserRecord { user: Username::parse(b"a:b").expect("a name"), ..bob },
        ];
        for row in rows {
            assert!(write_line(&row).is_err(), "{row:?}");
        }
    }
}
