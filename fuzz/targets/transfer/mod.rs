//! What the four formats of users have in common: whatever a file holds, every
//! entry is a user or refused, and a user who is written in the same format is
//! read back.

use dmail_transfer::format::{Lines, What};
use dmail_transfer::{Fields, Format};

/// Reads a file of this format, and writes and reads each of its users again.
pub fn read_write_read(format: Format, text: &[u8]) {
    for what in read(format, text) {
        let What::User(user) = what else { continue };
        let mut writer = format.writer(Fields::default());
        let mut out = Vec::new();
        writer.head(&mut out);
        match writer.user(&user, &mut out) {
            Ok(losses) if losses.is_empty() => {}
            _ => continue,
        }
        let back = read(format, &out);
        let [What::User(back)] = back.as_slice() else { panic!("{user:?} is one user") };
        assert!(back.user.as_str().eq_ignore_ascii_case(user.user.as_str()), "{user:?}");
        assert_eq!(back.drop, user.drop);
    }
}

fn read(format: Format, text: &[u8]) -> Vec<What> {
    let mut reader = format.reader(Fields::default());
    let mut lines = Lines::new(text);
    let mut entries = Vec::new();
    while let Some((number, line)) = lines.read().expect("memory can be read") {
        let Ok(entry) = reader.line(number, line) else { return Vec::new() };
        entries.extend(entry);
    }
    if let Ok(last) = reader.end() {
        entries.extend(last);
    }
    entries.into_iter().map(|entry| entry.what).collect()
}
