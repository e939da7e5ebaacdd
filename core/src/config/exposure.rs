//! Files with secrets in them that everybody on the machine may read.

use std::path::Path;

use super::Given;
use super::Severity::Warning;

/// The permission to read for those who are neither the owner nor of the group.
const OTHERS_READ: u32 = 0o004;

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DMAIL_CONF, Loaded, load_with};

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
