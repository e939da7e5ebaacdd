//! Courier's authdaemond with a program behind it (authpipe). Its places are
//! compiled into it, so it runs where a folder of ours stands in theirs. Only
//! root can do that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::program::{Said, run};

/// Puts `etc` and `run` of the folder `$1` where Courier looks.
const PLACES: &str = "\
set -e
mount --make-rprivate /
mount --bind \"$1/etc\" /etc/courier
mount --bind \"$1/run\" /run/courier/authdaemon
shift
";

/// An authdaemond. It is killed when dropped.
#[derive(Debug)]
pub struct Authdaemond {
    folder: TempDir,
    _process: Process,
}

impl Authdaemond {
    /// Starts it with the line that says which modules it has, and the program
    /// that authpipe asks.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(modules: &str, program: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["etc", "run"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let settings = format!(
            "{modules}authmodulelistorig=\"authpipe\"\ndaemons=2\n\
             authdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=\"\"\n"
        );
        fs::write(folder.path().join("etc/authdaemonrc"), settings).expect("room");
        let script = folder.path().join("etc/authProg");
        fs::write(&script, program).expect("room");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
        let daemon = "set -a\n. /etc/courier/authdaemonrc\n\
                      exec /usr/lib/courier/courier-authlib/authdaemond";
        let mut process = Process::start(in_places(folder.path(), daemon, &[]), folder.path());
        let socket = folder.path().join("run/socket");
        process.until("authdaemond listens", |_| UnixStream::connect(&socket).is_ok());
        Self { folder, _process: process }
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/socket")
    }

    /// What a tool of Courier's (`authtest`, `authenumerate`) says.
    #[must_use]
    pub fn ask(&self, words: &[&str]) -> Said {
        run(in_places(self.folder.path(), "exec \"$@\"", words), "")
    }
}

fn in_places(folder: &Path, script: &str, words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("{PLACES}{script}"), "sh"]).arg(folder);
    command.args(words);
    command
}
