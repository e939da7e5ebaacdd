//! An account in the fields that Dovecot's mail processes understand.

use std::path::PathBuf;

use dmail_core::{Account, DropPath, Uid, Username};

use super::Config;
use crate::dovecot::line::put_escaped;

/// Writes the fields of an account, each with a tab in front.
pub(super) fn put(out: &mut Vec<u8>, config: &Config, account: &Account) {
    let uid = match account.owner() {
        Some(Uid::Number(uid)) => Some(*uid),
        Some(Uid::Name(_)) | None => config.uid,
    };
    if let Some(uid) = uid {
        field(out, "uid", uid.to_string().as_bytes());
    }
    if let Some(gid) = config.gid {
        field(out, "gid", gid.to_string().as_bytes());
    }
    if let Some(home) = &config.home {
        let home = home_of(home, &account.name);
        field(out, "home", home.as_os_str().as_encoded_bytes());
    }
    if let (true, DropPath::File(path)) = (config.tells_drop_file, &account.drop) {
        let mut mail = b"mbox:~/mail:INBOX=".to_vec();
        mail.extend_from_slice(path.as_os_str().as_encoded_bytes());
        field(out, "mail", &mail);
    }
    if let Some(quota) = account.info.get("quota") {
        field(out, "quota_rule", format!("*:bytes={quota}").as_bytes());
    }
}

pub(super) fn home_of(template: &str, user: &Username) -> PathBuf {
    let (local, domain) = user.split_domain();
    // No name leaves the folder it is put into.
    let part = |text: &str| text.replace('/', "_").replace("..", "__");
    let mut home = String::with_capacity(template.len() + user.as_str().len());
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        home.push_str(&rest[..at]);
        let (value, used) = match rest[at..].chars().nth(1) {
            Some('u') => (part(user.as_str()), 2),
            Some('n') => (part(local), 2),
            Some('d') => (part(domain.unwrap_or_default()), 2),
            Some('%') => ("%".to_owned(), 2),
            _ => ("%".to_owned(), 1),
        };
        home.push_str(&value);
        rest = &rest[at + used..];
    }
    home.push_str(rest);
    home.into()
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(b'\t');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    put_escaped(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_be_root() {
        let mut account = Account::named(Username::parse(b"ann").expect("a name"));
        account.uid = Some(Uid::Number(0));
        for (uid, expected) in [(None, ""), (Some(8), "\tuid=8")] {
            let (home, gid, master) = (None, None, None);
            let config = Config { pid: 7, home, uid, gid, tells_drop_file: true, master };
            let mut out = Vec::new();
            put(&mut out, &config, &account);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
