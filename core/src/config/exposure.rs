//! Files with secrets in them that others on the machine may read.

use std::path::Path;

use super::Given;
use super::Severity::Warning;

/// The permission to read for those who are neither the owner nor of the group.
const OTHERS_READ: u32 = 0o004;

/// The permission to read for the file's group.
const GROUP_READS: u32 = 0o040;

/// The owner of what the system keeps.
const ROOT: u32 = 0;

impl Given<'_> {
    /// Warns if others may read a file with a line that sets the secret `name`:
    /// the file itself, or one that it includes. `mode` tells the permission
    /// bits of a file, if they can be had.
    pub fn guard_secret(&mut self, name: &str, mode: impl Fn(&Path) -> Option<u32>) {
        if let Some(place) = self.places(name).pop() {
            self.guard_file(name, &place.file, mode(&place.file));
        }
    }

    /// Warns if others may read `file`, which has the secret of the setting
    /// `name` in it. `mode` is its permission bits, if they could be had.
    pub fn guard_file(&mut self, name: &str, file: &Path, mode: Option<u32>) {
        if mode.is_some_and(|mode| mode & OTHERS_READ != 0) {
            let shown = file.display();
            let message = format!("everybody on this machine may read the password in {shown}");
            self.report(Warning, &[name], &message, &format!("chmod o-rwx {shown}"));
        }
    }

    /// Warns if others may read the private key in `file`, which the setting
    /// `name` names. `found` is the file's permission bits and the number of
    /// its owner, if they could be had. A group may read a key of root's: that
    /// is how a service that runs as somebody else gets at it.
    pub fn guard_key(&mut self, name: &str, file: &Path, found: Option<(u32, u32)>) {
        let Some((mode, owner)) = found else { return };
        let (who, whom) = match (mode & OTHERS_READ != 0, mode & GROUP_READS != 0) {
            (true, _) => ("everybody on this machine", if owner == ROOT { "o" } else { "go" }),
            (false, true) if owner != ROOT => ("the file's group", "go"),
            _ => return,
        };
        let shown = file.display();
        let message = format!("{who} may read the private key in {shown}");
        self.report(Warning, &[name], &message, &format!("chmod {whom}-rwx {shown}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DMAIL_CONF, Loaded, load_with};

    #[test]
    fn a_private_key_is_read_by_its_owner_and_by_a_group_that_root_lets() {
        let warnings = |mode: u32, owner: u32| {
            let text = "# x\nauthent_number 4\n".to_owned();
            let Loaded { diagnostics, .. } =
                load_with(Path::new("x.ini"), &mut |_| Ok(text.clone()), &DMAIL_CONF, |given| {
                    given.guard_key("authent_number", Path::new("x.key"), Some((mode, owner)));
                    Some(())
                });
            diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let everybody = "everybody on this machine may read the private key in x.key";
        let rows = [
            (0o600, 0, None),
            (0o100_400, 1000, None),
            (0o640, 0, None),
            (
                0o640,
                1000,
                Some(
                    "the file's group may read the private key in x.key; chmod go-rwx x.key"
                        .to_owned(),
                ),
            ),
            (0o644, 1000, Some(format!("{everybody}; chmod go-rwx x.key"))),
            (0o644, 0, Some(format!("{everybody}; chmod o-rwx x.key"))),
            (0o604, 1000, Some(format!("{everybody}; chmod go-rwx x.key"))),
        ];
        for (mode, owner, expected) in rows {
            let expected: Vec<_> =
                expected.map(|text| format!("x.ini:2:16: warning: {text}")).into_iter().collect();
            assert_eq!(warnings(mode, owner), expected, "{mode:o} {owner}");
        }
    }

    #[test]
    fn a_secret_that_others_may_read_is_warned_of_at_its_line() {
        // Any setting would do.
        let warnings = |text: &str, mode: Option<u32>| {
            let Loaded { diagnostics, .. } =
                load_with(Path::new("x.ini"), &mut |_| Ok(text.to_owned()), &DMAIL_CONF, |given| {
                    given.guard_secret("authent_number", |file| {
                        assert_eq!(file, Path::new("x.ini"));
                        mode
                    });
                    Some(())
                });
            diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let set = "# x\nauthent_number 4\n";
        let expected = "x.ini:2:16: warning: everybody on this machine may read the password in \
                        x.ini; chmod o-rwx x.ini";
        for mode in [0o644, 0o100_604, 0o777] {
            assert_eq!(warnings(set, Some(mode)), [expected], "{mode:o}");
        }
        for mode in [Some(0o640), Some(0o100_600), Some(0o662), None] {
            assert_eq!(warnings(set, mode), [] as [&str; 0], "{mode:?}");
        }
        assert_eq!(warnings("", Some(0o644)), [] as [&str; 0], "there is no secret in it");
    }
}
