//! A site of ours and the Postfix in front of it.

use std::fs;
use std::path::PathBuf;

use dmail_tests::integration;
use dmail_tests::peer::postfix::{self, Postfix};
use dmail_tests::peer::swaks;
use dmail_tests::program::Said;
use dmail_tests::server::Server;
use dmail_tests::site::Site;

/// The folder that the page names.
const PRIVATE: &str = "/var/spool/postfix/private";

/// Both of them, running.
pub(crate) struct Pair {
    pub(crate) postfix: Postfix,
    pub(crate) site: Site,
    pub(crate) server: Server,
}

impl Pair {
    /// Starts `site` with the lines of the page for dmail.conf, and a Postfix
    /// with those of `blocks` for main.cf. `None` if Postfix cannot run here.
    pub(crate) fn start(test: &str, site: impl FnOnce() -> Site, blocks: &[&str]) -> Option<Self> {
        Self::start_with(test, site, blocks, "")
    }

    /// The same, with more lines of main.cf.
    pub(crate) fn start_with(
        test: &str,
        site: impl FnOnce() -> Site,
        blocks: &[&str],
        more: &str,
    ) -> Option<Self> {
        let mut postfix = Postfix::new(test)?;
        let private = postfix.private().display().to_string();
        let mut site = site();
        for line in integration::lines("postfix", "dmail.conf").lines() {
            site = site.set(&line.replace(PRIVATE, &private));
        }
        postfix::open_to_all(site.folder());
        postfix::open_to_all(&site.home());
        let server = site.serve();
        let main_cf: Vec<_> =
            blocks.iter().map(|block| integration::lines("postfix", block)).collect();
        let dsmtp = format!("[127.0.0.1]:{}", server.smtp().port());
        let main_cf = main_cf.concat().replace("[127.0.0.1]:2525", &dsmtp);
        postfix.start(&format!("{main_cf}\n{more}"));
        Some(Self { postfix, site, server })
    }

    /// Sends a message as a client that has logged in as `user`.
    pub(crate) fn send_as(&self, user: &str, from: &str, recipients: &str) -> String {
        let login = ["--auth", "PLAIN", "--auth-user", user, "--auth-password", "s3cret"];
        self.send(recipients, &[&login[..], &["--from", from]].concat())
    }

    /// Sends a message, and returns the whole dialogue.
    pub(crate) fn send(&self, recipients: &str, more: &[&str]) -> String {
        dialogue(&swaks::send(self.postfix.smtp(), recipients, "hello", more))
    }
}

/// What was said.
pub(crate) fn dialogue(said: &Said) -> String {
    said.text() + &said.err
}

/// Adds a user with the password `s3cret` and info fields.
pub(crate) fn add(site: &Site, user: &str, info: &[&str]) {
    let words = [&[user], info].concat();
    let _ = site.dmail(&["authent", "set"], &words, "s3cret\n").success();
}

/// A user base that a test can switch off: it knows everybody whose name does
/// not start with `no`, with the password `s3cret`.
pub(crate) struct Switch {
    file: PathBuf,
}

const SWITCHED: &str = r#"
import sys, time
for line in sys.stdin:
    words = line.split()
    state = open(sys.argv[1]).read()
    if state == "slow":
        time.sleep(3600)
    elif state == "down":
        print("-DEAD the database is down", flush=True)
    elif words[1].startswith("no") or words[0] == "check" and words[2] != "s3cret":
        print("-ERR wrong", flush=True)
    else:
        print("+OK %s config 0" % words[1], flush=True)
"#;

impl Switch {
    /// A site that asks it at each question.
    pub(crate) fn site() -> (Site, Self) {
        let site = Site::new("");
        let (script, file) = (site.folder().join("switched.py"), site.folder().join("state"));
        fs::write(&script, SWITCHED).expect("room");
        let line = format!("authent_process python3 {} {}", script.display(), file.display());
        let switch = Self { file };
        switch.to("up");
        let site = site.set("authent_method external").set(&line);
        (site.set("authent_cache 0").set("authent_timeout 1"), switch)
    }

    /// `up`, `down` or `slow`.
    pub(crate) fn to(&self, state: &str) {
        fs::write(&self.file, state).expect("room");
    }
}
