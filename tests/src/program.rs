//! The built program `dmail`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Where the program is. The first call in a process builds it, with the
/// profile that the tests themselves were built with.
///
/// # Panics
///
/// If it cannot be built.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(build)
}

fn build() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let folder = own.ancestors().nth(2).expect("a test is in <target>/<profile>/deps");
    let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile's name");
    let profile = if profile == "debug" { "dev" } else { profile };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "dmail", "--profile", profile, "--target-dir"])
        .arg(folder.parent().expect("a target folder"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.expect("cargo runs").success(), "dmail is built");
    folder.join("dmail")
}

/// A command of the program: `dmail`, and then `arguments`.
#[must_use]
pub fn dmail(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(arguments);
    command
}

/// What a command that ended has said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// The same, if the command succeeded.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[must_use]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.text(), self.err);
        self
    }
}

/// Runs `command` with `input` on its standard input, up to its end.
///
/// # Panics
///
/// If it cannot be started: then it has to be installed.
pub fn run(mut command: Command, input: impl AsRef<[u8]>) -> Said {
    let input = input.as_ref();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot run {:?}: {error}", command.get_program()),
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    let Output { status, stdout, stderr } = std::thread::scope(|scope| {
        // Whoever does not read all of it had enough.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("a child ends")
    });
    let err = String::from_utf8_lossy(&stderr).into_owned();
    Said { code: status.code(), out: stdout, err }
}
