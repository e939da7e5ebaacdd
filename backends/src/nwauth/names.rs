//! Which names may be added to the base.
//!
//! Only new records are judged: whoever is in an old file can still log in.

use dmail_core::Username;

/// Characters that no new name holds unless `-badchar` says otherwise: what
/// means something to a shell, a path, a robot command line or a mail address.
/// The original's own list is not known.
pub const DEFAULT_BAD_CHARACTERS: &str = "\"'`/\\%*?<>|()[]{},;&!$";

/// The rules for new names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePolicy {
    /// `-badchar`: characters that may be nowhere in a name.
    pub forbidden: String,
    /// `-badchar_localpart`: characters that may not be before the `@`, on top
    /// of those.
    pub forbidden_in_local_part: String,
    /// `-allowats`: more than one `@`.
    pub allow_ats: bool,
    /// `-allowhighascii`: characters beyond ASCII, in UTF-8.
    pub allow_high: bool,
}

impl Default for NamePolicy {
    fn default() -> Self {
        Self {
            forbidden: DEFAULT_BAD_CHARACTERS.to_owned(),
            forbidden_in_local_part: String::new(),
            allow_ats: false,
            allow_high: false,
        }
    }
}

/// Why a name may not be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// More than one `@`.
    #[error("a name has one '@' at most (-allowats allows more)")]
    Ats,
    /// A character that the setting, or the file format, forbids.
    #[error("a name may not hold {0:?}")]
    Forbidden(char),
    /// Beyond ASCII.
    #[error("a name is plain ASCII (-allowhighascii allows more)")]
    High,
    /// A leading `-` or `.`, or `..`, which paths and programs take for something else.
    #[error("a name may not begin with '-' or '.', nor hold \"..\"")]
    Path,
}

impl NamePolicy {
    /// Judges a name. Blanks and control characters are out already, by type.
    ///
    /// # Errors
    ///
    /// The first rule that the name breaks.
    pub fn judge(&self, user: &Username) -> Result<(), NameFault> {
        let name = user.as_str();
        let (local, _) = user.split_domain();
        // The format's own separator is not for a setting to allow.
        let forbidden = name
            .chars()
            .find(|c| *c == ':' || self.forbidden.contains(*c))
            .or_else(|| local.chars().find(|c| self.forbidden_in_local_part.contains(*c)));
        if let Some(character) = forbidden {
            return Err(NameFault::Forbidden(character));
        }
        if !self.allow_high && !name.is_ascii() {
            return Err(NameFault::High);
        }
        if !self.allow_ats && name.matches('@').count() > 1 {
            return Err(NameFault::Ats);
        }
        if name.starts_with(['-', '.']) || name.contains("..") {
            return Err(NameFault::Path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_are_judged_by_the_settings() {
        use NameFault::{Ats, Forbidden, High, Path};
        let usual = NamePolicy::default();
        let lax = NamePolicy {
            forbidden: String::new(),
            allow_ats: true,
            allow_high: true,
            ..NamePolicy::default()
        };
        let strict_local =
            NamePolicy { forbidden_in_local_part: "+".to_owned(), ..NamePolicy::default() };
        let rows = [
            (&usual, "bob", Ok(())),
            (&usual, "bob+x@corp.example", Ok(())),
            (&usual, "bob:x", Err(Forbidden(':'))),
            (&usual, "o'brien", Err(Forbidden('\''))),
            (&usual, "a/b", Err(Forbidden('/'))),
            (&usual, "a@b@c", Err(Ats)),
            (&usual, "jos\u{e9}", Err(High)),
            (&usual, "-rf", Err(Path)),
            (&usual, ".lock", Err(Path)),
            (&usual, "a..b", Err(Path)),
            (&lax, "o'brien", Ok(())),
            (&lax, "a@b@c", Ok(())),
            (&lax, "jos\u{e9}", Ok(())),
            (&lax, "bob:x", Err(Forbidden(':'))),
            (&lax, "-rf", Err(Path)),
            (&strict_local, "bob+x@corp.example", Err(Forbidden('+'))),
            (&strict_local, "bob@a+b", Ok(())),
        ];
        for (policy, name, expected) in rows {
            let user = Username::parse(name.as_bytes()).expect("a name");
            assert_eq!(policy.judge(&user), expected, "{name}");
        }
    }
}
