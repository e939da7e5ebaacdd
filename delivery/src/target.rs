//! From an account to the drop file that its mail goes into. Blocks: it looks
//! at the file system and at the system's user base.

use std::io;
use std::path::{Component, Path, PathBuf};

use dmail_core::Account;
use dmail_mailbox::DropFile;

use crate::error::Trouble;

/// The drop file of `account`, which must lie below one of `roots`.
///
/// # Errors
///
/// Says what is wrong with the account, or with the way to its drop file.
pub(crate) fn of(account: &Account, roots: &[PathBuf]) -> Result<DropFile, Trouble> {
    let path = DropFile::path_of(account)?;
    let root = roots.iter().find(|root| is_below(path, root));
    check_resolved(path, root.ok_or_else(|| Trouble::OutsideRoots(path.to_owned()))?)?;
    Ok(DropFile::of(account)?)
}

/// Whether `path`, as it is written, is a file below `root`.
fn is_below(path: &Path, root: &Path) -> bool {
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    path != root && path.starts_with(root) && path.is_absolute() && path.components().all(is_plain)
}

/// Checks that no symbolic link leads out of `root` on the way to `path`.
/// Directories that are not there yet will be made by us. The file itself is
/// never followed; the mailbox sees to that.
fn check_resolved(path: &Path, root: &Path) -> Result<(), Trouble> {
    let real_root = resolve(root)?.ok_or_else(|| Trouble::Resolve {
        path: root.to_owned(),
        source: io::ErrorKind::NotFound.into(),
    })?;
    for directory in path.ancestors().skip(1) {
        let Some(to) = resolve(directory)? else { continue };
        if to.starts_with(&real_root) {
            return Ok(());
        }
        return Err(Trouble::LeadsOutside { path: path.to_owned(), to });
    }
    Err(Trouble::OutsideRoots(path.to_owned()))
}

/// Where a path really leads; `None` if there is nothing.
fn resolve(path: &Path) -> Result<Option<PathBuf>, Trouble> {
    match path.canonicalize() {
        Ok(real) => Ok(Some(real)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Trouble::Resolve { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use dmail_core::{DropPath, Username};
    use dmail_mailbox::AccountError;

    use super::*;

    fn account(path: PathBuf) -> Account {
        let name = Username::parse(b"bob").expect("a name");
        Account { drop: DropPath::File(path), ..Account::named(name) }
    }

    #[test]
    fn a_drop_file_lies_below_a_mail_root() {
        let home = tempfile::tempdir().expect("a directory");
        let root = home.path().join("mail");
        fs::create_dir_all(root.join("b")).expect("directories");
        let roots = [home.path().join("other"), root.clone()];
        for good in ["bob", "b/bob", "b/o/bob"] {
            let target = of(&account(root.join(good)), &roots).expect(good);
            assert_eq!(target, DropFile { path: root.join(good), owner: None });
        }
        let outside = ["", "../bob", "b/../../bob", "/etc/passwd", "../mailbox", "../mail2/bob"];
        for bad in outside {
            let target = of(&account(root.join(bad)), &roots);
            assert!(matches!(target, Err(Trouble::OutsideRoots(_))), "{bad}: {target:?}");
        }
        let relative = of(&account("mail/bob".into()), &["mail".into()]);
        assert!(matches!(relative, Err(Trouble::OutsideRoots(_))));
    }

    #[test]
    fn no_link_leads_out_of_a_mail_root() {
        let home = tempfile::tempdir().expect("a directory");
        let (root, away) = (home.path().join("mail"), home.path().join("away"));
        fs::create_dir_all(root.join("real")).expect("a directory");
        fs::create_dir(&away).expect("a directory");
        symlink(&away, root.join("out")).expect("a link");
        symlink("real", root.join("in")).expect("a link");
        let roots = [root.clone()];
        for bad in ["out/bob", "out/x/y/bob"] {
            let target = of(&account(root.join(bad)), &roots);
            assert!(matches!(target, Err(Trouble::LeadsOutside { .. })), "{bad}: {target:?}");
        }
        assert!(of(&account(root.join("in/bob")), &roots).is_ok());
        // The root itself may be a link: it is the administrator's.
        symlink(&root, home.path().join("linked")).expect("a link");
        let linked = home.path().join("linked");
        assert!(of(&account(linked.join("bob")), &[linked]).is_ok());
    }

    #[test]
    fn a_root_that_is_not_mounted_is_not_replaced() {
        let home = tempfile::tempdir().expect("a directory");
        let root = home.path().join("mail");
        let target = of(&account(root.join("b/bob")), &[root]);
        assert!(matches!(target, Err(Trouble::Resolve { .. })), "{target:?}");
    }

    #[test]
    fn an_account_without_a_drop_file_gets_no_mail() {
        let account = Account::named(Username::parse(b"bob").expect("a name"));
        let target = of(&account, &["/".into()]);
        assert!(matches!(target, Err(Trouble::Account(AccountError::NoDropFile))));
    }
}
