//! `nwauth`, the module program and command line, under its classic name.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dmail_tests::login::Way;
use dmail_tests::program::{self, Said};
use dmail_tests::site::Site;
use dmail_tests::wait;
use tempfile::TempDir;

/// A folder for a user base, with the program under its old name beside it.
fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a directory");
    let nwauth = folder.path().join("nwauth");
    symlink(program::path(), &nwauth).expect("a link");
    (folder, nwauth)
}

fn nwauth(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("-path").arg(program.parent().expect("a folder")).args(arguments);
    command
}

fn once(program: &Path, arguments: &[&str]) -> Said {
    program::run(nwauth(program, arguments), "")
}

/// The program, speaking the line protocol.
struct Module {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Module {
    fn start(program: &Path) -> Self {
        let mut command = nwauth(program, &[]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program is there");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, stdin, stdout }
    }

    fn send(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it listens");
        stdin.write_all(text.as_bytes()).expect("it listens");
    }

    /// The next line; empty at the end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        line
    }

    fn ask(&mut self, request: &str) -> String {
        self.send(&format!("{request}\n"));
        self.line()
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn it_answers_the_line_protocol() {
    let (_folder, program) = folder();
    let mut module = Module::start(&program);
    let rows = [
        ("lookup bob", "-ERR bob does not exist\n"),
        ("set bob secret name=\"Bob Jones\" quota=\"5M\"", "+OK bob added to database\n"),
        ("lookup bob", "+OK bob config 0 name=\"Bob Jones\" quota=\"5M\"\n"),
        ("lookup BOB", "+OK BOB config 0 name=\"Bob Jones\" quota=\"5M\"\n"),
        ("check bob secret", "+OK bob config 0 name=\"Bob Jones\" quota=\"5M\"\n"),
        ("check bob secret 192.0.2.7", "+OK bob config 0 name=\"Bob Jones\" quota=\"5M\"\n"),
        ("check bob Secret", "-ERR bob password wrong or not a valid user\n"),
        ("check nobody secret", "-ERR nobody password wrong or not a valid user\n"),
        ("set bob (NULL) name=\"Bob\"", "+OK bob added to database\n"),
        ("check bob secret", "+OK bob config 0 name=\"Bob\"\n"),
        ("set ann x", "+OK ann added to database\n"),
        ("del ann", "+OK ann deleted from database\n"),
        ("lookup ann", "-ERR ann does not exist\n"),
        ("frob", "-ERR unknown command, try help\n"),
        ("check bob", "-ERR usage: check user password [ip]\n"),
    ];
    for (request, expected) in rows {
        assert_eq!(module.ask(request), expected, "{request}");
    }
    assert!(module.ask("version").starts_with("+OK NWAuth "));
    assert!(module.ask("help").starts_with("+OK "));
    assert_eq!(module.ask("exit"), "+OK goodbye\n");
    assert_eq!(module.line(), "");
    assert!(module.child.wait().expect("its end").success());
}

#[test]
fn requests_in_one_piece_are_answered_in_order_and_half_a_line_is_not_run() {
    let (_folder, program) = folder();
    let mut module = Module::start(&program);
    module.send("set u1 p1\nset u2 p2\r\nlookup u1\nlookup u2\ndel u1\nlookup u1\ndel u2");
    drop(module.stdin.take());
    let answers: Vec<String> =
        std::iter::from_fn(|| Some(module.line()).filter(|l| !l.is_empty())).collect();
    let expected = [
        "+OK u1 added to database\n",
        "+OK u2 added to database\n",
        "+OK u1 config 0\n",
        "+OK u2 config 0\n",
        "+OK u1 deleted from database\n",
        "-ERR u1 does not exist\n",
    ];
    assert_eq!(answers, expected);
    assert!(once(&program, &["lookup", "u2"]).success().text().starts_with("+OK u2"));
}

#[test]
fn it_searches_with_from_and_max() {
    let (_folder, program) = folder();
    assert!(once(&program, &["-generate", "20"]).success().text().contains("21 users"));
    let mut module = Module::start(&program);
    module.send("search test1* -from 2 -max 3\n");
    let answers: Vec<String> = (0..4).map(|_| module.line()).collect();
    assert!(answers[..3].iter().all(|line| line.starts_with("+DATA test1")), "{answers:?}");
    assert_eq!(answers[3], "+OK Search Complete 3 items found out of 21\n");
    assert_eq!(module.ask("check test20 test"), "+OK test20 config 0\n");
}

#[test]
fn its_command_line_does_one_thing_and_says_how_it_went() {
    let (folder, program) = folder();
    let set = ["set", "bob", "secret", "info=two words"];
    assert_eq!(once(&program, &set).success().text(), "+OK bob added to database\n");
    let found = once(&program, &["lookup", "bob"]).success().text();
    assert_eq!(found, "+OK bob config 0 info=\"two words\"\n");
    let _ = once(&program, &["check", "bob", "secret"]).success();
    let wrong = once(&program, &["check", "bob", "guess"]);
    assert_eq!(
        (wrong.code, &*wrong.text()),
        (Some(1), "-ERR bob password wrong or not a valid user\n")
    );
    let refused = once(&program, &["-readonly", "set", "bob", "other"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.text().starts_with("-ERR "), "{}", refused.text());
    let usage = once(&program, &["-nonsense"]);
    assert_eq!(usage.code, Some(2));
    assert!(usage.err.contains("unknown option -nonsense"), "{}", usage.err);
    // The longer name of the same program.
    let mut dmail = program::dmail(&["nwauth", "-path"]);
    dmail.arg(folder.path()).args(["del", "bob"]);
    assert_eq!(program::run(dmail, "").success().text(), "+OK bob deleted from database\n");
}

#[test]
fn two_programs_share_the_files() {
    let (folder, program) = folder();
    let (mut one, mut two) = (Module::start(&program), Module::start(&program));
    for round in 0..5 {
        let (change, check) = (format!("set bob p{round}"), format!("check bob p{round}"));
        assert!(one.ask(&change).starts_with("+OK"));
        // Each looks at the files once in a while.
        wait::until("the other sees the change", || two.ask(&check).starts_with("+OK"));
        std::mem::swap(&mut one, &mut two);
    }
    assert_eq!(one.ask("del bob"), "+OK bob deleted from database\n");
    wait::until("the other sees the deletion", || two.ask("lookup bob").starts_with("-ERR"));
    let stored: String = ["nwauth.txt", "nwauth.add"]
        .map(|name| fs::read_to_string(folder.path().join(name)).unwrap_or_default())
        .concat();
    assert!(stored.contains("bob:") && !stored.contains(":p4"), "hashed: {stored}");
}

#[test]
fn the_servers_can_ask_it_as_their_module() {
    let (_folder, program) = folder();
    let _ = once(&program, &["set", "bob", "bobs-password"]).success();
    let path = program.parent().expect("a folder").display().to_string();
    let module = [program.display().to_string(), "-path".to_owned(), path];
    let site = Site::with_module(&module);
    let server = site.serve();
    for way in Way::ALL {
        let yes = way.answer(&server, "bob", "bobs-password");
        assert!(yes.starts_with(way.yes()), "{way:?}: {yes}");
        let no = way.answer(&server, "bob", "guess");
        assert!(no.starts_with(way.no()), "{way:?}: {no}");
    }
    server.smtp_client().deliver(&["bob@corp.example"], "Subject: hello\r\n\r\n");
    assert_eq!(site.messages(&server, "bob", "bobs-password").len(), 1);
    site.set_user("ann", "anns-password");
    assert!(Way::PopUser.answer(&server, "ann", "anns-password").starts_with("+OK"));
    server.stop();
}
