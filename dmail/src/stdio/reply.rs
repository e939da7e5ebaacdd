//! `checkpassword-reply`: what a site's own checkpassword program becomes when
//! it is a source. It says on descriptor 4 what it finds in its environment.

use std::io::Write;
use std::process::ExitCode;

use dmail_dialects::checkpassword::{Exit, MAX_REPLY, Reply};

use super::descriptor;
use crate::failure::Failure;
use crate::terminal;

/// Its name.
pub(super) const NAME: &str = "checkpassword-reply";
/// Where it answers.
const DESCRIPTOR: i32 = 4;
/// What it looks for in its environment, beside what `EXTRA` names.
const VARIABLES: [&str; 5] = ["USER", "HOME", "SHELL", "AUTHORIZED", "EXTRA"];

/// Says it. A reply that cannot be given is no answer at all.
pub(super) fn run() -> Result<ExitCode, Failure> {
    let bytes = gather(|name| std::env::var(name).ok()).bytes();
    let written = if bytes.len() > MAX_REPLY {
        Err(std::io::Error::other("the environment is too long for an answer"))
    } else {
        descriptor::open_for_writing(DESCRIPTOR).and_then(|mut pipe| pipe.write_all(&bytes))
    };
    match written {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            terminal::complain(format_args!(
                "{NAME}: cannot answer on descriptor {DESCRIPTOR}: {error}"
            ));
            Ok(ExitCode::from(Exit::Later as u8))
        }
    }
}

fn gather(variable: impl Fn(&str) -> Option<String>) -> Reply {
    let mut reply = Reply::default();
    let extra = variable("EXTRA").unwrap_or_default();
    for name in VARIABLES.into_iter().chain(extra.split_whitespace()) {
        if let Some(value) = variable(name)
            && reply.get(name).is_none()
        {
            reply.add(name, &value);
        }
    }
    reply.add("uid", &nix::unistd::getuid().to_string());
    reply.add("gid", &nix::unistd::getgid().to_string());
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_extra_names_is_said_too() {
        let reply = gather(|name| match name {
            "USER" => Some("bob".into()),
            "EXTRA" => Some("userdb_uid USER missing".into()),
            "userdb_uid" => Some("1234".into()),
            "PATH" => Some("/bin".into()),
            _ => None,
        });
        let own = nix::unistd::getuid().to_string();
        assert_eq!((reply.get("USER"), reply.get("userdb_uid")), (Some("bob"), Some("1234")));
        assert_eq!((reply.get("uid"), reply.get("PATH")), (Some(own.as_str()), None));
        assert_eq!(reply.fields().count(), 5);
    }
}
