//! The users of the operating system: real accounts, the real PAM. These tests
//! add accounts to the machine and remove them again, so they need root.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use dmail_tests::login::Way;
use dmail_tests::machine::{self, Account, PamService};
use dmail_tests::program::{self, Said};
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const PASSWORD: &str = "Kz4-hu8-right-Ob2";

/// `unixauth.ini` with these settings, in a folder of its own.
fn ini(settings: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("unixauth.ini");
    fs::write(&file, settings).expect("written");
    (folder, file)
}

/// Asks the module program; its answers.
fn ask(ini: &Path, questions: &[String]) -> Vec<String> {
    let mut program = program::dmail(&["unixauth", "-ini"]);
    program.arg(ini);
    let said: Said = program::run(program, questions.join("\n") + "\n").success();
    said.text().lines().map(str::to_owned).collect()
}

/// A site whose users are those of this machine.
fn site(settings: &str) -> Site {
    let site = Site::new("authent_method unix_user\nauthent_ini unixauth.ini\n");
    fs::write(site.home().join("unixauth.ini"), settings).expect("written");
    site
}

/// The ways to verify passwords: the settings, and the rules that one of them
/// goes by.
fn methods() -> [(String, Option<PamService>); 2] {
    let service = PamService::plain();
    let pam = format!("method pam\npam_service {}\n", service.name());
    [("method shadow\n".to_owned(), None), (pam, Some(service))]
}

#[test]
fn accounts_log_in_by_the_rules_of_the_system() {
    if !machine::is_ours("accounts_log_in_by_the_rules_of_the_system") {
        return;
    }
    let account = |password| Account::with_password(&machine::unique_name(), password);
    let good = account(PASSWORD);
    let locked = account(PASSWORD);
    locked.change(&["usermod", "--lock"]);
    let expired = account(PASSWORD);
    expired.change(&["chage", "--expiredate", "2001-01-01"]);
    let stale = account(PASSWORD);
    stale.change(&["chage", "--lastday", "2001-01-01", "--maxdays", "30"]);
    let to_change = account(PASSWORD);
    to_change.change(&["chage", "--lastday", "0"]);
    let mail_only = account(PASSWORD);
    mail_only.change(&["usermod", "--shell", "/usr/sbin/nologin"]);
    let without = Account::new(&machine::unique_name(), "");
    let service = account(PASSWORD);
    let low = (300..1000).find(|uid| nix::unistd::User::from_uid((*uid).into()) == Ok(None));
    service.change(&["usermod", "--uid", &low.expect("a free number").to_string()]);

    let rows = [
        (good.name(), PASSWORD, "+OK"),
        (good.name(), "guess", "password wrong"),
        (locked.name(), PASSWORD, "password wrong"),
        (expired.name(), PASSWORD, "may not log in: the account has expired"),
        (expired.name(), "guess", "password wrong"),
        (stale.name(), PASSWORD, "may not log in: the password"),
        (to_change.name(), PASSWORD, "may not log in: the password has to be changed"),
        (mail_only.name(), PASSWORD, "+OK"),
        (without.name(), "x", "password wrong"),
        (service.name(), PASSWORD, "password wrong"),
        ("no-such-user", PASSWORD, "password wrong"),
        ("root", PASSWORD, "password wrong"),
        ("nobody", PASSWORD, "password wrong"),
        ("../root", PASSWORD, "password wrong"),
    ];
    let questions: Vec<String> =
        rows.iter().map(|(name, password, _)| format!("check {name} {password}")).collect();
    for (settings, _service) in methods() {
        let (_folder, ini) = ini(&settings);
        let answers = ask(&ini, &questions);
        for ((name, password, expected), answer) in rows.iter().zip(&answers) {
            assert!(answer.contains(expected), "{settings}{name} {password}: {answer}");
        }
        assert_eq!(answers.len(), rows.len());
    }
    // Mail is for those who cannot log in, too; and a shell may be needed.
    let (_folder, ini) = ini("method shadow\nneed_shell true\n");
    let rows = [
        (format!("lookup {}", locked.name()), "+OK"),
        (format!("lookup {}", mail_only.name()), "+OK"),
        (format!("lookup {}", service.name()), "does not exist"),
        ("lookup root".to_owned(), "does not exist"),
        (format!("check {} {PASSWORD}", mail_only.name()), "may not log in: the shell"),
        (format!("check {} {PASSWORD}", good.name()), "+OK"),
        (format!("set {} other", good.name()), "-ERR"),
    ];
    let questions: Vec<String> = rows.iter().map(|(question, _)| question.clone()).collect();
    for ((question, expected), answer) in rows.iter().zip(ask(&ini, &questions)) {
        assert!(answer.contains(expected), "{question}: {answer}");
    }
}

#[test]
fn an_account_is_shown_with_its_name_and_its_drop_file() {
    if !machine::is_ours("an_account_is_shown_with_its_name_and_its_drop_file") {
        return;
    }
    let ann = Account::new(&machine::unique_name(), "Ann Lee,Room 5");
    let (name, uid) = (ann.name(), ann.uid());
    let (_folder, file) = ini("");
    let answers = ask(&file, &[format!("lookup {name}"), format!("search {name}")]);
    assert_eq!(answers[0], format!("+OK {name} config {uid} name=\"Ann Lee\""));
    assert_eq!(answers[1], format!("+DATA {name} name=\"Ann Lee\""));
    assert!(answers[2].starts_with("+OK Search Complete 1 items found out of "), "{answers:?}");
    let (_folder, file) = ini("drop_path ~/Mail/inbox\n");
    let answers = ask(&file, &[format!("lookup {name}")]);
    assert_eq!(answers[0], format!("+OK {name} /home/{name}/Mail/inbox {uid} name=\"Ann Lee\""));
}

#[test]
fn the_servers_log_users_in_and_take_their_mail() {
    if !machine::is_ours("the_servers_log_users_in_and_take_their_mail") {
        return;
    }
    // What a line without percent-encoding could not carry.
    let password = "two words %41 \"q\" gr\u{fc}n";
    let bob = Account::with_password(&machine::unique_name(), password);
    let name = bob.name();
    for (settings, service) in methods() {
        let site = site(&settings);
        let server = site.serve();
        for way in Way::ALL {
            let yes = way.answer(&server, name, password);
            assert!(yes.starts_with(way.yes()), "{settings}{way:?}: {yes}");
            let no = way.answer(&server, name, "guess");
            assert!(no.starts_with(way.no()), "{settings}{way:?}: {no}");
        }
        for (user, guess) in [("no-such-user", password), ("root", "x")] {
            let no = Way::PopPlain.answer(&server, user, guess);
            assert!(no.starts_with(Way::PopPlain.no()), "{settings}{user}: {no}");
        }
        server.smtp_client().deliver(&[&format!("{name}@corp.example")], "Subject: hi\r\n\r\n");
        let owner = fs::metadata(site.drop_file(name)).expect("a drop file").uid();
        assert_eq!(owner, bob.uid(), "the drop file is the user's");
        assert_eq!(site.messages(&server, name, password).len(), 1);
        let mut client = server.smtp_client();
        client.ask("MAIL FROM:<s@far.example>", "250 ");
        for stranger in ["root", "daemon", "no-such-user"] {
            client.ask(&format!("RCPT TO:<{stranger}@corp.example>"), "550 ");
        }
        server.stop();
        let log = fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
        let method = if service.is_some() { "method=\"pam\"" } else { "method=\"shadow\"" };
        assert!(log.contains(method), "{log}");
        assert!(!log.contains("two words") && !log.contains("%20words"), "{log}");
    }
}

#[test]
fn mail_may_lie_in_the_home_folder() {
    if !machine::is_ours("mail_may_lie_in_the_home_folder") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    let site = site("method shadow\ndrop_path ~/mbox\n").set("drop_root /home");
    let server = site.serve();
    let recipient = format!("{}@corp.example", bob.name());
    server.smtp_client().deliver(&[&recipient], "Subject: at home\r\n\r\n");
    let mbox = Path::new("/home").join(bob.name()).join("mbox");
    assert_eq!(fs::metadata(mbox).expect("a drop file").uid(), bob.uid());
    assert_eq!(site.messages(&server, bob.name(), PASSWORD).len(), 1);
    server.stop();
}

#[test]
fn a_user_of_a_virtual_domain_is_an_account_with_its_prefix() {
    if !machine::is_ours("a_user_of_a_virtual_domain_is_an_account_with_its_prefix") {
        return;
    }
    let prefix = machine::unique_name();
    let fred = Account::with_password(&format!("{prefix}_fred"), PASSWORD);
    let line = format!("vdomain {prefix} 127.0.0.9 abc.example mail");
    let site = site("method shadow\n").set(&line);
    let server = site.serve();
    for login in ["fred@abc.example", fred.name()] {
        let yes = Way::PopUser.answer(&server, login, PASSWORD);
        assert!(yes.starts_with("+OK"), "{login}: {yes}");
    }
    let no = Way::PopUser.answer(&server, "fred", PASSWORD);
    assert!(no.starts_with("-ERR [AUTH]"), "{no}");
    server.stop();
}

/// A script for PAM that notes what it is told, and hangs for one user until
/// its folder is gone.
fn script(folder: &Path, hangs_for: &str) -> PathBuf {
    let script = folder.join("check.sh");
    let (notes, folder) = (folder.join("notes"), folder.display());
    let text = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\necho \"$PAM_USER $PAM_RHOST $PAM_TTY\" >> '{}'\n\
         if [ \"$PAM_USER\" = '{hangs_for}' ]; then\n\
         \x20   while [ -d '{folder}' ]; do sleep 0.1; done\n\
         fi\nread -r password || [ -n \"$password\" ]\n[ \"$password\" = '{PASSWORD}' ]\n",
        notes.display()
    );
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
    script
}

#[test]
fn a_pam_module_that_hangs_holds_up_its_own_question_only() {
    if !machine::is_ours("a_pam_module_that_hangs_holds_up_its_own_question_only") {
        return;
    }
    let bob = Account::new(&machine::unique_name(), "");
    let stuck = Account::new(&machine::unique_name(), "");
    let folder = tempfile::tempdir().expect("a directory");
    let service = PamService::script(&script(folder.path(), stuck.name()));
    let settings = format!("method pam\npam_service {}\nhelpers 2\ntimeout 3\n", service.name());
    let site = site(&settings);
    let server = site.serve();
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| Way::PopUser.answer(&server, stuck.name(), PASSWORD));
        let notes = || fs::read_to_string(folder.path().join("notes")).unwrap_or_default();
        wait::until("the script hangs", || notes().contains(stuck.name()));
        for _ in 0..3 {
            let yes = Way::SmtpPlain.answer(&server, bob.name(), PASSWORD);
            assert!(yes.starts_with("235 "), "{yes}");
            let no = Way::SmtpPlain.answer(&server, bob.name(), "guess");
            assert!(no.starts_with("535 "), "{no}");
        }
        let expected = format!("{} 127.0.0.1 dmail", bob.name());
        assert!(notes().contains(&expected), "the rules can go by the client: {}", notes());
        // Mail for the same user does not wait for his password.
        let recipient = format!("{}@corp.example", stuck.name());
        server.smtp_client().deliver(&[&recipient], "Subject: hi\r\n\r\n");
        let later = hanging.join().expect("no panic");
        assert!(later.starts_with(Way::PopUser.later()), "{later}");
    });
    let log = || fs::read_to_string(site.home().join("log/dmail.log")).expect("a log");
    wait::until("the log tells of the helper's end", || log().contains("authent module killed"));
    server.stop();
    assert!(!log().contains(PASSWORD), "{}", log());
}

#[test]
fn rules_that_decide_nothing_are_no_wrong_password() {
    if !machine::is_ours("rules_that_decide_nothing_are_no_wrong_password") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    let rows = [
        // Everybody would be let in.
        ("auth required pam_permit.so\naccount required pam_permit.so\n", "without asking"),
        // As root, everybody would be let in here as well.
        ("auth sufficient pam_rootok.so\naccount required pam_permit.so\n", "without asking"),
        // A module that is not installed.
        ("auth required pam_missing.so\naccount required pam_permit.so\n", "pam: "),
    ];
    for (rules, expected) in rows {
        let service = PamService::new(rules);
        let (_folder, ini) = ini(&format!("method pam\npam_service {}\n", service.name()));
        for password in [PASSWORD, "guess"] {
            let answer = &ask(&ini, &[format!("check {} {password}", bob.name())])[0];
            assert!(answer.starts_with("-DEAD") && answer.contains(expected), "{rules}: {answer}");
        }
    }
    // Rules that vanish while the server runs.
    let service = PamService::plain();
    let site = site(&format!("method pam\npam_service {}\n", service.name()));
    let server = site.serve();
    drop(service);
    let answer = Way::PopUser.answer(&server, bob.name(), PASSWORD);
    assert!(answer.starts_with(Way::PopUser.later()), "{answer}");
    server.stop();
    let said = program::run(
        {
            let mut check = program::dmail(&["check-config"]);
            check.arg(site.config());
            check
        },
        "",
    );
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("make the file /etc/pam.d/dmail-test-"), "{}", said.err);
}

#[test]
fn helpers_that_are_killed_are_replaced() {
    if !machine::is_ours("helpers_that_are_killed_are_replaced") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    let site = site("method shadow\nhelpers 2\n").set("authent_cache 0");
    let server = site.serve();
    let logs_in = |server: &Server| {
        let answer = Way::PopUser.answer(server, bob.name(), PASSWORD);
        assert!(!answer.starts_with("-ERR [AUTH]"), "trouble is no wrong password: {answer}");
        answer.starts_with("+OK")
    };
    assert!(logs_in(&server));
    for _ in 0..3 {
        for (helper, _) in wait::children_of(server.pid()) {
            let helper = i32::try_from(helper).expect("a process id is small");
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(helper), Signal::SIGKILL);
        }
        wait::until("a new helper answers", || logs_in(&server));
    }
    let helpers = || wait::children_of(server.pid()).iter().filter(|(_, s)| *s != 'Z').count();
    wait::until("all helpers are there again", || helpers() == 4);
    let pids: Vec<u32> = wait::children_of(server.pid()).iter().map(|(pid, _)| *pid).collect();
    server.kill();
    wait::until("no helper outlives the server", || !pids.iter().any(|pid| wait::is_running(*pid)));
}

#[test]
fn a_no_takes_the_same_time_whether_or_not_there_is_such_a_user() {
    if !machine::is_ours("a_no_takes_the_same_time_whether_or_not_there_is_such_a_user") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    for (settings, _service) in methods() {
        let site = site(&settings);
        let server = site.serve();
        let fastest = |name: &str| {
            let once = |round| {
                let (mut client, last) = (server.pop_client(), format!("PASS wrong{round}"));
                client.ask(&format!("USER {name}"), "+OK");
                let asked = Instant::now();
                client.ask(&last, "-ERR [AUTH]");
                asked.elapsed()
            };
            (0..5).map(once).min().expect("five of them")
        };
        let step = Duration::from_millis(100);
        for name in [bob.name(), "no-such-user", "root"] {
            let took = fastest(name);
            eprintln!("{settings}{name}: {took:?}");
            assert!(took >= step, "{settings}{name}: {took:?}");
        }
        server.stop();
    }
}

#[test]
fn a_helper_without_the_rights_says_so_and_not_no() {
    if !machine::is_ours("a_helper_without_the_rights_says_so_and_not_no") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    for (settings, _service) in methods() {
        let (folder, ini) = ini(&settings);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own");
        let mut program = program::dmail(&["unixauth", "-ini"]);
        program.arg(&ini).uid(65_534).gid(65_534);
        // The program itself may lie where only root can run it.
        if program.output().is_err() {
            eprintln!("skipped, for nobody cannot run {}", program::path().display());
            return;
        }
        let questions = format!("check {0} {PASSWORD}\ncheck {0} guess\n", bob.name());
        let said = program::run(program, questions).success();
        let text = said.text();
        assert!(text.lines().count() == 2, "{text}");
        assert!(text.lines().all(|line| line.starts_with("-DEAD ")), "{settings}{text}");
    }
}

/// Builds a module of PAM or NSS in `folder`.
fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (text, library) = (folder.join("module.c"), folder.join(name));
    fs::write(&text, source).expect("written");
    let mut compiler = std::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&text);
    let _ = program::run(compiler, "").success();
    library
}

/// A module that writes what nobody asked for, and starts a program that reads
/// what is not for it: neither may reach the questions and answers.
#[test]
fn a_pam_module_that_talks_and_listens_disturbs_no_answer() {
    if !machine::is_ours("a_pam_module_that_talks_and_listens_disturbs_no_answer") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    let folder = tempfile::tempdir().expect("a directory");
    let noisy = compile(
        folder.path(),
        "pam_noisy.so",
        "#include <stdlib.h>\n\
         int pam_sm_authenticate(void *h, int f, int c, const char **v) {\n\
           system(\"echo '+OK noise config 0'; timeout 1 cat > /dev/null\"); return 25; }\n\
         int pam_sm_setcred(void *h, int f, int c, const char **v) { return 25; }\n",
    );
    let rules = format!(
        "auth optional {}\nauth required pam_unix.so\naccount required pam_unix.so\n",
        noisy.display()
    );
    let service = PamService::new(&rules);
    let (_folder, ini) = ini(&format!("method pam\npam_service {}\n", service.name()));
    let (name, mut program) = (bob.name(), program::dmail(&["unixauth", "-ini"]));
    program.arg(&ini).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut helper = program.spawn().expect("it starts");
    let mut questions = helper.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(helper.stdout.take().expect("a pipe")).lines();
    for (question, expected) in [
        (format!("check {name} guess\nlookup {name}"), "-ERR"),
        (String::new(), "+OK"),
        (format!("check {name} {PASSWORD}"), "+OK"),
    ] {
        if !question.is_empty() {
            writeln!(questions, "{question}").expect("it listens");
        }
        let answer = answers.next().expect("an answer").expect("text");
        assert!(answer.starts_with(expected) && answer.contains(name), "{question}: {answer}");
    }
    drop(questions);
    assert!(answers.next().is_none());
    assert!(helper.wait().expect("it ends").success());
}

/// What the server has chosen when it started, it has told the log; a helper
/// that starts while the rules are being replaced must not go by other ones.
#[test]
fn a_helper_goes_by_the_method_that_the_server_has_chosen() {
    if !machine::is_ours("a_helper_goes_by_the_method_that_the_server_has_chosen") {
        return;
    }
    let bob = Account::with_password(&machine::unique_name(), PASSWORD);
    // Rules that refuse everybody, which shadow passwords know nothing of.
    let service = PamService::new("auth required pam_deny.so\naccount required pam_deny.so\n");
    let settings = format!("method auto\npam_service {}\nhelpers 1\n", service.name());
    let site = site(&settings).set("authent_cache 0");
    let server = site.serve();
    let answer = || Way::PopUser.answer(&server, bob.name(), PASSWORD);
    assert!(answer().starts_with(Way::PopUser.no()), "{}", answer());
    drop(service);
    let helpers = || wait::children_of(server.pid());
    let old: Vec<u32> = helpers().iter().map(|(pid, _)| *pid).collect();
    for pid in &old {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(i32::try_from(*pid).expect("small")), Signal::SIGKILL);
    }
    wait::until("there are new helpers", || {
        let new =
            helpers().iter().filter(|(pid, state)| *state != 'Z' && !old.contains(pid)).count();
        new == old.len()
    });
    for _ in 0..3 {
        let later = answer();
        assert!(later.starts_with(Way::PopUser.later()), "{later}");
    }
    server.stop();
}

/// What nslcd's module says of every name while nslcd is down.
#[test]
fn a_module_of_nss_without_its_server_makes_nobody_unknown() {
    if !machine::is_ours("a_module_of_nss_without_its_server_makes_nobody_unknown") {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let home = folder.path();
    let _ = compile(
        home,
        "libnss_gone.so.2",
        "#include <errno.h>\n#include <nss.h>\n#include <pwd.h>\n\
         enum nss_status _nss_gone_getpwnam_r(const char *n, struct passwd *p, char *b,\n\
           size_t l, int *e) { *e = ENOENT; return NSS_STATUS_UNAVAIL; }\n",
    );
    fs::write(home.join("nsswitch.conf"), "passwd: files gone\n").expect("written");
    let (_folder, ini) = ini("method shadow\nmin_uid 1\n");
    // The file is another one for this process alone.
    let mut program = std::process::Command::new("unshare");
    program.args(["--mount", "sh", "-c"]).env("LD_LIBRARY_PATH", home).arg(format!(
        "mount --bind '{}/nsswitch.conf' /etc/nsswitch.conf && exec '{}' unixauth -ini '{}'",
        home.display(),
        program::path().display(),
        ini.display()
    ));
    let said = program::run(program, "lookup daemon\nlookup no-such-user\n");
    if said.text().is_empty() {
        eprintln!("skipped, for this machine mounts nothing: {}", said.err);
        return;
    }
    let answers: Vec<String> = said.text().lines().map(str::to_owned).collect();
    assert!(answers[0].starts_with("+OK daemon config 1"), "{answers:?}");
    assert!(answers[1].starts_with("-DEAD"), "{answers:?}");
}
