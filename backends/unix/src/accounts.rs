//! Which accounts of the system are mail users, and what is known of them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use dmail_core::{
    Account, DropPath, Found, Hit, Info, Search, Uid, Unavailable, UnavailableKind, Username,
};
use nix::unistd::User;

use crate::names;
use crate::nss;
use crate::settings::AccountSettings;

/// Most users that one search returns; more are to be asked for in parts.
const MAX_HITS: usize = 100_000;

/// The numbers of accounts that own nothing: root does not read mail here, and
/// the others stand for "nobody".
const NEVER: [u32; 3] = [0, 65_534, 65_535];

impl AccountSettings {
    /// The account that `user` is, if it is a mail user. Blocks.
    pub(crate) fn find(&self, user: &Username) -> Result<Option<User>, Unavailable> {
        if !names::is_sane(user) {
            return Ok(None);
        }
        let found = nss::user(user.as_str()).map_err(|error| {
            let text = format!("the system cannot look up {user}: {error}");
            Unavailable::new(UnavailableKind::Dead, text)
        })?;
        // A directory may answer with somebody who is only similar.
        let is_meant = |found: &User| found.name.eq_ignore_ascii_case(user.as_str());
        Ok(found.filter(|found| is_meant(found) && self.admits(found.uid.as_raw())))
    }

    fn admits(&self, uid: u32) -> bool {
        (self.min_uid..=self.max_uid).contains(&uid) && !NEVER.contains(&uid)
    }

    /// What a source says of `user`, who is the account `found`.
    pub(crate) fn describe(&self, user: &Username, found: &User) -> Result<Account, Unavailable> {
        Ok(Account {
            name: user.clone(),
            drop: self.drop_file(user, &found.dir)?,
            uid: Some(Uid::Number(found.uid.as_raw())),
            info: info(&found.name, &found.gecos.to_string_lossy()),
        })
    }

    fn drop_file(&self, user: &Username, home: &Path) -> Result<DropPath, Unavailable> {
        let Some(below_home) = &self.drop_path else {
            return Ok(DropPath::Config);
        };
        let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        // A line of the protocol keeps blanks for itself.
        let printable = home.as_os_str().as_bytes().iter().all(u8::is_ascii_graphic);
        if home.parent().is_none() || !home.is_absolute() || !home.components().all(plain) {
            return Err(no_home(user, "not a full path to a folder"));
        }
        if !printable {
            return Err(no_home(user, "it has blanks, or letters beyond ASCII"));
        }
        Ok(DropPath::File(home.join(below_home)))
    }

    /// Whether this shell keeps its owner from logging in.
    pub(crate) fn refuses_shell(&self, shell: &Path) -> Result<bool, Unavailable> {
        self.refuses_shell_by(shell, Path::new("/etc/shells"))
    }

    /// The same by another list. One that cannot be read says nothing about a
    /// shell.
    fn refuses_shell_by(&self, shell: &Path, list: &Path) -> Result<bool, Unavailable> {
        if !self.need_shell {
            return Ok(false);
        }
        let shells = fs::read_to_string(list).map_err(|error| {
            let text = format!("need_shell: cannot read {}: {error}", list.display());
            Unavailable::new(UnavailableKind::Fault, text)
        })?;
        Ok(!is_listed(shell, &shells))
    }

    /// Lists mail users; `None` if they are too many for one answer. Blocks.
    pub(crate) fn search(&self, search: &Search) -> Result<Option<Found>, Unavailable> {
        let mut found = Found::default();
        let mut matched = 0_usize;
        let mut too_many = false;
        let listing = nss::each_user(|user| {
            let Ok(name) = Username::parse(user.name.as_bytes()) else { return };
            if !names::is_sane(&name) || !self.admits(user.uid) {
                return;
            }
            found.scanned += 1;
            if !search.matches(name.as_str()) {
                return;
            }
            matched += 1;
            if matched <= search.from || search.max.is_some_and(|max| found.hits.len() >= max) {
                return;
            }
            too_many |= found.hits.len() == MAX_HITS;
            if !too_many {
                let info = info(&user.name, &user.gecos);
                found.hits.push(Hit { user: name, info });
            }
        });
        listing.map_err(|error| {
            let text = format!("the system cannot list its users: {error}");
            Unavailable::new(UnavailableKind::Dead, text)
        })?;
        Ok((!too_many).then_some(found))
    }
}

fn no_home(user: &Username, why: &str) -> Unavailable {
    let text = format!("the home folder of {user} cannot hold mail: {why}");
    Unavailable::new(UnavailableKind::Fault, text)
}

/// Whether the text of `/etc/shells` lists `shell`. No shell is `/bin/sh`.
fn is_listed(shell: &Path, shells: &str) -> bool {
    let shell: PathBuf = match shell.as_os_str().is_empty() {
        true => "/bin/sh".into(),
        false => shell.to_owned(),
    };
    shells.lines().map(str::trim).any(|line| !line.starts_with('#') && Path::new(line) == shell)
}

/// The full name: the first field of the GECOS text, in which `&` stands for
/// the account's name. Users change it themselves, so it must not read as
/// anything but a name: a quote would begin a field of its own.
fn info(name: &str, gecos: &str) -> Info {
    let full_name = gecos.split(',').next().unwrap_or_default();
    let mut letters = name.chars();
    let capital: String =
        letters.next().iter().flat_map(|c| c.to_uppercase()).chain(letters).collect();
    let full_name: String = full_name.replace('&', &capital);
    let full_name: String = full_name
        .chars()
        .filter(|c| !c.is_control())
        .map(|c| if c == '"' { '\'' } else { c })
        .collect();
    let mut info = Info::default();
    if !full_name.trim().is_empty() {
        info.set("name", full_name.trim())
            .expect("a label, and a value without control characters");
    }
    info
}

#[cfg(test)]
mod tests {
    use dmail_core::{Origin, Service};

    use super::*;

    fn settings(min_uid: u32, drop_path: Option<&str>) -> AccountSettings {
        let drop_path = drop_path.map(PathBuf::from);
        AccountSettings { min_uid, max_uid: u32::MAX - 1, need_shell: true, drop_path }
    }

    fn user(name: &str) -> Username {
        Username::parse(name.as_bytes()).expect("a name")
    }

    #[test]
    fn root_is_nobody_whatever_the_settings_say() {
        let everybody = settings(1, None);
        assert!(everybody.find(&user("daemon")).expect("an answer").is_some());
        for name in ["root", "nobody", "no-such-user", "../etc/passwd", "root:x"] {
            assert!(everybody.find(&user(name)).expect("an answer").is_none(), "{name}");
        }
        let people = settings(1000, None);
        assert!(people.find(&user("daemon")).expect("an answer").is_none());
    }

    #[test]
    fn the_full_name_is_a_name_and_nothing_else() {
        let rows = [
            ("Ann Lee,Room 5,555-1234", Some("Ann Lee")),
            ("& Lee", Some("Ann Lee")),
            ("", None),
            (",,,", None),
            ("x\" fwd=\"|/bin/sh", Some("x' fwd='|/bin/sh")),
            ("a\tb\u{1b}[2J", Some("ab[2J")),
        ];
        for (gecos, expected) in rows {
            let info = info("ann", gecos);
            assert_eq!(info.get("name"), expected, "{gecos:?}");
            assert_eq!(info.to_string().parse().as_ref(), Ok(&info), "{gecos:?} read back");
        }
    }

    #[test]
    fn a_drop_file_in_the_home_folder_is_a_full_path() {
        let at_home = settings(1000, Some("Mail/inbox"));
        let rows = [
            ("/home/ann", Some("/home/ann/Mail/inbox")),
            ("/", None),
            ("", None),
            ("home/ann", None),
            ("/home/../root", None),
            ("/home/ann lee", None),
        ];
        for (home, expected) in rows {
            let drop = at_home.drop_file(&user("ann"), Path::new(home)).ok();
            assert_eq!(drop, expected.map(|path| DropPath::File(path.into())), "{home}");
        }
        let drop = settings(1000, None).drop_file(&user("ann"), Path::new("")).ok();
        assert_eq!(drop, Some(DropPath::Config));
    }

    #[test]
    fn a_shell_is_one_that_is_listed() {
        let shells = "# /etc/shells\n/bin/sh\n/bin/bash \n";
        let rows = [
            ("/bin/bash", true),
            ("", true),
            ("/usr/sbin/nologin", false),
            ("# /etc/shells", false),
            ("/bin", false),
        ];
        for (shell, expected) in rows {
            assert_eq!(is_listed(Path::new(shell), shells), expected, "{shell}");
        }
    }

    #[test]
    fn a_list_of_shells_that_cannot_be_read_refuses_no_shell() {
        let folder = tempfile::tempdir().expect("a directory");
        let list = folder.path().join("shells");
        let demanding = settings(1, None);
        let indifferent = AccountSettings { need_shell: false, ..settings(1, None) };
        let refuses = |accounts: &AccountSettings| {
            let refuses = accounts.refuses_shell_by(Path::new("/bin/sh"), &list);
            refuses.map_err(|error| error.kind)
        };
        assert_eq!(refuses(&demanding), Err(UnavailableKind::Fault), "there is none");
        assert_eq!(refuses(&indifferent), Ok(false));
        for (text, expected) in [
            (&b"/bin/sh\n"[..], Ok(false)),
            (b"/bin/bash\n", Ok(true)),
            (b"/bin/sh\n# f\xfcr alle\n", Err(UnavailableKind::Fault)),
        ] {
            fs::write(&list, text).expect("written");
            assert_eq!(refuses(&demanding), expected, "{text:?}");
            assert_eq!(refuses(&indifferent), Ok(false));
        }
    }

    #[test]
    fn a_search_lists_mail_users_only() {
        let search = |pattern: &str, from, max| {
            let origin = Origin::local(Service::Admin);
            let search = Search { pattern: pattern.into(), from, max, origin };
            settings(1, None).search(&search).expect("a list").expect("not too many")
        };
        let all = search("*", 0, None);
        let names: Vec<&str> = all.hits.iter().map(|hit| hit.user.as_str()).collect();
        assert!(names.contains(&"daemon") && !names.contains(&"root"), "{names:?}");
        assert_eq!(all.scanned, all.hits.len());
        assert_eq!(search("*", 1, Some(1)).hits, all.hits[1..2]);
        assert_eq!(search("daemo", 0, None).hits.len(), 1);
    }
}
