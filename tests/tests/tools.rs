//! The commands for the administrator: what is wrong with a configuration,
//! what a setting means, and why a login went as it did.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use dmail_tests::program::{self, Said};
use dmail_tests::site::Site;

fn check_config(path: &Path) -> Said {
    program::run(program::dmail(&["check-config", &path.display().to_string()]), "")
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_places() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("dmail.conf");
    let text = "host_domain corp.example\n\
                drop_pth /var/mail\n\
                smtp_port hello\n\
                authent_method nwauht\n\
                work_path work\n\
                #include more.conf\n";
    fs::write(&path, text).expect("room");
    fs::write(folder.path().join("more.conf"), "\nhash_spool 3\n").expect("room");
    let said = check_config(&path);
    assert_eq!(said.code, Some(1));
    let expected = [
        "dmail.conf:2:1",
        "did you mean `drop_path`?",
        "dmail.conf:3:11",
        "dmail.conf:4:16",
        "did you mean `nwauth`?",
        "more.conf:2:12",
        "one of 0, 1, 2",
    ];
    for part in expected {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    // A server does not start with it, and says the same.
    let served = program::run(program::dmail(&["serve", "-c", &path.display().to_string()]), "");
    assert_eq!(served.code, Some(1));
    assert!(served.err.contains("dmail.conf:4:16"), "{}", served.err);
}

#[test]
fn a_good_file_is_good_and_a_doubtful_one_warns() {
    let site = Site::nwauth();
    let good = check_config(&site.config());
    assert_eq!((good.code, &*good.err), (Some(0), ""));
    let doubtful = check_config(&site.set("no_such_setting 1").config());
    assert_eq!(doubtful.code, Some(0));
    assert!(doubtful.err.contains("no_such_setting"), "{}", doubtful.err);
    let missing = check_config(Path::new("/nonexistent/dmail.conf"));
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("/nonexistent/dmail.conf"), "{}", missing.err);
}

#[test]
fn the_samples_are_good() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
    for sample in fs::read_dir(samples).expect("samples").flatten() {
        let said = check_config(&sample.path());
        assert_eq!((said.code, &*said.err), (Some(0), ""), "{}", sample.path().display());
    }
}

#[test]
fn the_manual_knows_every_setting() {
    let all = program::run(program::dmail(&["settings"]), "").success().text();
    for name in ["authent_process", "hash_spool", "vdomain", "smtp_port", "drain_timeout"] {
        assert!(all.contains(name), "{name}");
        let one = program::run(program::dmail(&["settings", name]), "").success().text();
        assert!(one.contains(name) && one.contains("Example: ") && one.len() < 2000, "{one}");
    }
    let unknown = program::run(program::dmail(&["settings", "no_such_setting"]), "");
    assert_eq!(unknown.code, Some(2));
}

#[test]
fn whoever_has_seen_enough_is_not_a_failure() {
    let site = Site::nwauth().user("alice", "secret");
    let config = site.config().display().to_string();
    let users = site.home().join("users").display().to_string();
    let commands: &[&[&str]] = &[
        &["settings"],
        &["settings", "--markdown"],
        &["settings", "smtp_port"],
        &["--help"],
        &["ldapauth", "-help"],
        &["nwauth", "-path", &users, "version"],
        &["tcpauthsvr", "-help"],
        &["check-config", &config],
        &["explain", "-c", &config, "alice"],
        &["authent", "-c", &config, "lookup", "alice"],
        &["nwauth", "-path", &users, "lookup", "alice"],
    ];
    for arguments in commands {
        let mut command = program::dmail(arguments);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let output = command.output().expect("it runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*err), (Some(0), ""), "{arguments:?}");
    }
    // A full disk is a failure.
    let mut command = program::dmail(&["settings"]);
    command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there"));
    let output = command.stderr(Stdio::piped()).output().expect("it runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.starts_with("dmail: standard output: "), "{err}");
}

/// The layers that an explanation names, in its order.
fn layers(said: &Said) -> Vec<String> {
    let layer = |line: &str| line.split_whitespace().nth(2).map(str::to_owned);
    said.text().lines().skip(1).filter_map(layer).collect()
}

#[test]
fn a_login_is_explained_step_by_step() {
    let site = Site::module().unset("throttle_except");
    let wrong = ["bob@corp.example", "--check", "--service", "pop3", "--ip", "192.0.2.7"];
    let said = site.dmail(&["explain"], &wrong, "guess\n");
    assert_eq!(said.code, Some(1));
    assert_eq!(layers(&said), ["mapping", "throttle", "cache", "module", "throttle", "verdict"]);
    for part in ["for pop3", "bob@corp.example is bob", "not-verified"] {
        assert!(said.text().contains(part), "{part}: {}", said.text());
    }
    assert_eq!(site.requests()[0], "check bob guess 192.0.2.7");

    let right = site.dmail(&["explain"], &["bob", "--check"], "s3cret\n").success();
    assert_eq!(layers(&right), ["mapping", "throttle", "cache", "module", "access", "verdict"]);
    let drop_file = site.drop_file("bob");
    assert!(right.text().contains(&drop_file.display().to_string()), "{}", right.text());

    let dead = site.dmail(&["explain"], &["dead"], "");
    assert_eq!(dead.code, Some(75), "try again later");
    assert!(dead.text().contains("temporary failure"), "{}", dead.text());

    let site = Site::nwauth().user("bob", "bobs-password");
    let said = site.dmail(&["explain"], &["bob"], "").success();
    assert_eq!(layers(&said), ["mapping", "cache", "nwauth", "access", "verdict"]);
    let foreign = site.dmail(&["explain"], &["bob@far.example"], "");
    assert_eq!(
        (foreign.code, layers(&foreign)),
        (Some(1), vec!["mapping".into(), "verdict".into()])
    );
}

#[test]
fn a_configuration_named_from_its_own_folder_means_the_same_files() {
    let site = Site::nwauth().user("bob", "bobs-password");
    let config = site.config();
    let mut explain = program::dmail(&["explain", "-c", "dmail.conf", "bob"]);
    explain.current_dir(config.parent().expect("it is in a folder"));
    let said = program::run(explain, "").success();
    let drop_file = site.drop_file("bob").display().to_string();
    assert!(said.text().contains(&format!("drop file {drop_file}")), "{}", said.text());
}

#[test]
fn the_gateway_can_be_asked_by_hand() {
    let site = Site::nwauth();
    let ask = |command: &[&str], input: &str| {
        let said = site.dmail(&["authent", command[0]], &command[1..], input);
        (said.code, said.text())
    };
    let yes = |text: &str| (Some(0), text.to_owned());
    let no = |text: &str| (Some(1), text.to_owned());
    assert_eq!(
        ask(&["set", "bob", "name=Bob Jones"], "secret\n"),
        yes("+OK bob added to database\n")
    );
    let account = yes("+OK bob config 0 name=\"Bob Jones\"\n");
    let drop_file = site.drop_file("bob").display().to_string();
    let full = yes(&account.1.replace("config", &drop_file));
    assert_eq!(ask(&["lookup", "BOB@corp.example"], ""), full);
    assert_eq!(ask(&["check", "bob"], "secret\n"), full);
    let wrong = "-ERR bob password wrong or not a valid user\n";
    assert_eq!(ask(&["check", "bob"], "guess\n"), no(wrong));
    assert_eq!(
        ask(&["set", "bob", "--keep-password", "name=Bob"], ""),
        yes("+OK bob added to database\n")
    );
    assert_eq!(ask(&["check", "bob"], "secret\n").0, Some(0));
    let found = yes("+DATA bob name=\"Bob\"\n+OK Search Complete 1 items found out of 1\n");
    assert_eq!(ask(&["search", "b*"], ""), found);
    assert_eq!(ask(&["del", "bob"], ""), yes("+OK bob deleted from database\n"));
    assert_eq!(ask(&["lookup", "bob"], ""), no("-ERR bob does not exist\n"));
    let site = Site::module();
    let dead = site.dmail(&["authent", "lookup"], &["dead"], "");
    assert_eq!(dead.code, Some(75));
    assert!(dead.text().starts_with("-DEAD "), "{}", dead.text());
}
