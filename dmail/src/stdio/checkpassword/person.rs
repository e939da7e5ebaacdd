//! Whoever logged in, as the programs of a Unix machine know people: a name,
//! numbers, a home and a shell.

use std::ffi::CString;
use std::path::PathBuf;
use std::process::Command;

use dmail_core::{Account, DropName, DropPath, Uid};
use nix::unistd::{Gid, User, chdir, geteuid, initgroups, setgid, setgroups, setuid};

use super::super::options::Options;

/// What follows a right password knows of who it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person {
    name: String,
    /// The account of this machine, if the owner has one.
    login: Option<String>,
    /// The owner and group, if they are known.
    owner: Option<(u32, u32)>,
    home: Option<PathBuf>,
    shell: PathBuf,
    /// The drop file, if it is named.
    mail: Option<PathBuf>,
}

impl Person {
    /// The person behind an account.
    pub(super) fn of(account: &Account, options: &Options) -> Result<Self, String> {
        let found = match &account.uid {
            Some(Uid::Name(name)) => {
                let found = User::from_name(name).map_err(|error| error.to_string())?;
                Some(found.ok_or_else(|| format!("no account {name} on this machine"))?)
            }
            _ => None,
        };
        // Number 0 means that no owner is given.
        let number = match account.uid {
            Some(Uid::Number(number)) if number != 0 => Some(number),
            _ => options.uid,
        };
        let found = match (found, number) {
            (None, Some(number)) => known(number)?,
            (found, _) => found,
        };
        let owner = match &found {
            Some(user) => Some((user.uid.as_raw(), user.gid.as_raw())),
            None => number.map(|number| (number, options.owner().1)),
        };
        let home = match (&options.home, &found) {
            (Some(template), _) => Some(home(template, account)?),
            (None, Some(user)) if options.setuid => Some(user.dir.clone()),
            (None, _) => None,
        };
        let mail = match &account.drop {
            DropPath::File(path) => Some(path.clone()),
            DropPath::Config => None,
        };
        let shell = found.as_ref().map_or("/bin/sh".into(), |user| user.shell.clone());
        let login = found.map(|user| user.name);
        Ok(Self { name: account.name.to_string(), login, owner, home, shell, mail })
    }

    /// Tells `command` in its environment. Dovecot gets no home that is not
    /// known, and the numbers in variables that `EXTRA` names, beside those
    /// that it named before.
    pub(super) fn introduce(&self, command: &mut Command, dovecot: Option<Option<String>>) {
        command.env("USER", &self.name).env("SHELL", &self.shell);
        match (&self.home, &dovecot) {
            (Some(home), _) => command.env("HOME", home),
            (None, Some(_)) => command.env_remove("HOME"),
            (None, None) => command.env("HOME", "/"),
        };
        if let Some(mail) = &self.mail {
            command.env("MAIL", mail);
        }
        if let (Some(before), Some((uid, gid))) = (dovecot, self.owner) {
            let before = before.unwrap_or_default();
            command
                .env("EXTRA", format!("{before} userdb_uid userdb_gid").trim_start())
                .env("userdb_uid", uid.to_string())
                .env("userdb_gid", gid.to_string());
        }
    }

    /// Gives this process to the person, in the home folder.
    pub(super) fn become_user(&self) -> Result<(), String> {
        let Some((uid, gid)) = self.owner.filter(|(uid, _)| *uid != 0) else {
            return Err(format!("{} has no number that a mail user may have", self.name));
        };
        if !geteuid().is_root() {
            return Err("only root can become the user".into());
        }
        let (uid, gid) = (nix::unistd::Uid::from_raw(uid), Gid::from_raw(gid));
        let groups = match self.login.as_deref().and_then(|login| CString::new(login).ok()) {
            Some(login) => initgroups(&login, gid),
            None => setgroups(&[gid]),
        };
        let become_them = || -> nix::Result<()> {
            groups?;
            setgid(gid)?;
            setuid(uid)?;
            match &self.home {
                Some(home) => chdir(home.as_path()),
                None => chdir("/"),
            }
        };
        become_them().map_err(|error| format!("cannot become {}: {error}", self.name))
    }
}

/// The account of this machine with this number, if there is one.
fn known(number: u32) -> Result<Option<User>, String> {
    User::from_uid(nix::unistd::Uid::from_raw(number)).map_err(|error| error.to_string())
}

/// The home folder, with the name in place of `%u`.
fn home(template: &str, account: &Account) -> Result<PathBuf, String> {
    if !template.contains("%u") {
        return Ok(template.into());
    }
    let name = DropName::of(&account.name)
        .map_err(|error| format!("{}: no folder can have this name: {error}", account.name))?;
    Ok(template.replace("%u", name.as_str()).into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use dmail_core::Username;

    use super::*;

    fn options(line: &str) -> Options {
        let words = line.split_whitespace().map(OsString::from).collect();
        Options::parse(words).expect(line).expect(line)
    }

    fn account(name: &str, uid: Option<Uid>) -> Account {
        let name = Username::parse(name.as_bytes()).expect("a name");
        Account { uid, ..Account::named(name) }
    }

    /// The variables that the next program gets; an empty one is taken away.
    fn told(person: &Person, dovecot: Option<Option<String>>) -> Vec<(String, String)> {
        let mut command = Command::new("true");
        person.introduce(&mut command, dovecot);
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        let variables = command.get_envs();
        variables.map(|(name, value)| (text(name), value.map(text).unwrap_or_default())).collect()
    }

    #[test]
    fn a_person_is_told_in_the_environment() {
        let person = Person::of(&account("bob", None), &options("")).expect("a person");
        let told_of = |name: &str, variables: &[(String, String)]| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let variables = told(&person, None);
        assert_eq!(told_of("USER", &variables).as_deref(), Some("bob"));
        assert_eq!(told_of("HOME", &variables).as_deref(), Some("/"));
        assert_eq!(told_of("EXTRA", &variables), None);
        let variables = told(&person, Some(None));
        assert_eq!(told_of("HOME", &variables).as_deref(), Some(""));

        let numbered = account("bob", Some(Uid::Number(54_321)));
        let line = "-home /var/mail/%u -gid 54322";
        let person = Person::of(&numbered, &options(line)).expect("a person");
        let variables = told(&person, Some(Some("mine".into())));
        assert_eq!(told_of("HOME", &variables).as_deref(), Some("/var/mail/bob"));
        assert_eq!(told_of("EXTRA", &variables).as_deref(), Some("mine userdb_uid userdb_gid"));
        assert_eq!(told_of("userdb_uid", &variables).as_deref(), Some("54321"));
        assert_eq!(told_of("userdb_gid", &variables).as_deref(), Some("54322"));
    }

    #[test]
    fn nobody_becomes_root_or_leaves_the_folder_of_homes() {
        for root in [Uid::Number(0), Uid::Name("root".into())] {
            let person = Person::of(&account("bob", Some(root)), &options(""));
            let error = person.expect("a person").become_user().expect_err("root");
            assert!(error.contains("has no number"), "{error}");
        }
        let home = options("-home /var/mail/%u");
        assert!(Person::of(&account("../root", None), &home).is_err());
        let nobody = account("bob", Some(Uid::Name("no such account".into())));
        assert!(Person::of(&nobody, &home).is_err());
    }
}
