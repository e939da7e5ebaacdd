//! Several user bases behind one gateway: order, outages, domains, a base that
//! is only compared, and one that fills with every login.

use std::fs;
use std::path::PathBuf;

use dmail_tests::login::Way;
use dmail_tests::module;
use dmail_tests::program;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

/// A site whose user bases `multiauth.ini` names. `PYTHON` in it is the module
/// program, which knows bob and every uN and collects its requests.
fn site(multiauth: &str) -> Site {
    let site = Site::new(
        "authent_method multi\nauthent_ini multiauth.ini\nauthent_cache 0\nnwauth_scheme ssha512\n",
    );
    rewrite(&site, multiauth);
    site
}

/// Writes `multiauth.ini` anew.
fn rewrite(site: &Site, multiauth: &str) {
    let command = module::logging_command("good", &site.request_log());
    let words: Vec<String> = command.iter().map(|word| format!("\"{word}\"")).collect();
    let text = multiauth.replace("PYTHON", &words.join(" "));
    fs::write(site.home().join("multiauth.ini"), text).expect("room");
}

/// An NWAuth base of the site, with users `name:*password:info`.
fn base(site: &Site, name: &str, users: &[&str]) -> PathBuf {
    let folder = site.home().join(name);
    fs::create_dir(&folder).expect("a directory");
    let lines: String = users.iter().map(|user| format!("{user}\n")).collect();
    fs::write(folder.join("nwauth.txt"), lines).expect("room");
    folder
}

/// What an NWAuth base says of a user, without the chain.
fn looked_up(folder: &std::path::Path, user: &str) -> String {
    let path = folder.display().to_string();
    program::run(program::dmail(&["nwauth", "-path", &path, "lookup", user]), "").text()
}

/// The reply to a recipient of our domain.
fn recipient(server: &Server, user: &str, expected: &str) {
    let mut client = server.smtp_client();
    client.ask("MAIL FROM:<>", "250 ");
    client.ask(&format!("RCPT TO:<{user}>"), expected);
}

/// The lines of the log with `text` in them.
fn logged(site: &Site, text: &str) -> Vec<String> {
    let log = fs::read_to_string(site.home().join("log/dmail.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

const THREE: &str = "timeout 3\n\
    module 10\nsource nwauth first\n\
    module 20\nsource nwauth second\n\
    module 30\nbinary PYTHON\n";

#[test]
fn each_user_is_found_where_he_is() {
    let site = site(THREE);
    base(&site, "first", &["ann:*anns-password:", "both:*first-password:"]);
    base(&site, "second", &["cat:*cats-password:", "both:*second-password:"]);
    let server = site.serve();
    for way in [Way::PopUser, Way::SmtpPlain] {
        for (user, password) in
            [("ann", "anns-password"), ("cat", "cats-password"), ("bob", "s3cret"), ("u7", "p7")]
        {
            let yes = way.answer(&server, user, password);
            assert!(yes.starts_with(way.yes()), "{user}, {way:?}: {yes}");
            let no = way.answer(&server, user, "guess");
            assert!(no.starts_with(way.no()), "{user}, {way:?}: {no}");
        }
        for password in ["second-password", "guess"] {
            let no = way.answer(&server, "both", password);
            assert!(no.starts_with(way.no()), "the first base decides: {no}");
        }
    }
    for user in ["ann", "cat", "bob"] {
        recipient(&server, &format!("{user}@corp.example"), "250 ");
    }
    recipient(&server, "nobody@corp.example", "550 ");
    let seen = site.requests().join("\n");
    assert!(!seen.contains("ann") && !seen.contains("both"), "found before: {seen}");
    server.stop();
    assert!(site.requests().contains(&"exit".to_owned()), "the module was asked to leave");
}

#[test]
fn an_outage_of_one_base_is_felt_by_its_users_only() {
    let site = site(THREE);
    base(&site, "first", &["ann:*anns-password:"]);
    base(&site, "second", &["cat:*cats-password:"]);
    let server = site.serve();
    let way = Way::PopUser;
    for user in ["dead", "crash", "hang"] {
        let later = way.answer(&server, user, "s3cret");
        assert!(later.starts_with(way.later()), "{user}: {later}");
        recipient(&server, &format!("{user}@corp.example"), "451 4.3.0 ");
    }
    server.stop();

    // A module that never stays alive: nobody is unknown any more.
    let broken = THREE.replace("PYTHON", "/bin/false");
    rewrite(&site, &broken);
    let server = site.serve();
    assert!(way.answer(&server, "ann", "anns-password").starts_with(way.yes()));
    assert!(way.answer(&server, "cat", "cats-password").starts_with(way.yes()));
    assert!(way.answer(&server, "cat", "guess").starts_with(way.no()));
    assert!(way.answer(&server, "bob", "s3cret").starts_with(way.later()));
    recipient(&server, "ann@corp.example", "250 ");
    recipient(&server, "nobody@corp.example", "451 4.3.0 ");
    server.stop();

    // A stand-in behind it takes over, if it is declared as one.
    rewrite(
        &site,
        "module 10\nbinary /bin/false\non_unavailable next\nmodule 20\nsource nwauth first\n",
    );
    let server = site.serve();
    assert!(way.answer(&server, "ann", "anns-password").starts_with(way.yes()));
    assert!(way.answer(&server, "ann", "guess").starts_with(way.no()));
    recipient(&server, "nobody@corp.example", "451 4.3.0 ");
    server.stop();
}

#[test]
fn the_cache_carries_known_users_over_an_outage_of_the_chain() {
    let site = site("timeout 2\nmodule 10\nsource nwauth first\nmodule 20\nbinary PYTHON\n")
        .set("authent_cache 100")
        .set("authent_cache_fresh 0");
    base(&site, "first", &["ann:*anns-password:"]);
    let server = site.serve();
    let way = Way::PopUser;
    assert!(way.answer(&server, "bob", "s3cret").starts_with(way.yes()));
    // Every copy hangs from now on.
    wait::children_of(server.pid()).into_iter().for_each(|(pid, _)| stop(pid));
    let yes = way.answer(&server, "bob", "s3cret");
    assert!(yes.starts_with(way.yes()), "verified before: {yes}");
    assert!(!logged(&site, "accepted from memory").is_empty());
    let no = way.answer(&server, "ann", "guess");
    assert!(no.starts_with(way.no()), "the first base can say that: {no}");
    server.kill();
}

/// SIGSTOP.
fn stop(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a process id is small"));
    kill(pid, Signal::SIGSTOP).expect("it runs");
}

#[test]
fn domains_go_to_bases_of_their_own() {
    let site = site(
        "module 10\nsource nwauth first\nmatch *@corp.example\nstrip_suffix @corp.example \n\
         module 20\nbinary PYTHON\nmatch *@sub.example\nstrip_suffix @sub.example\n\
         send_ip false\n",
    )
    .set("authent_domain true")
    .set("vdomain sub @sub.example sub.example mail/sub");
    fs::create_dir(site.home().join("mail/sub")).expect("a directory");
    base(&site, "first", &["ann:*anns-password:", "bob:*bobs-password:"]);
    let server = site.serve();
    let way = Way::PopUser;
    let rows = [
        ("ann", "anns-password", true),
        ("ann@corp.example", "anns-password", true),
        ("ann@sub.example", "anns-password", false),
        ("bob@corp.example", "bobs-password", true),
        ("bob@sub.example", "bobs-password", false),
        ("bob@sub.example", "s3cret", true),
        ("bob", "s3cret", false),
    ];
    for (user, password, expected) in rows {
        let answer = way.answer(&server, user, password);
        let start = if expected { way.yes() } else { way.no() };
        assert!(answer.starts_with(start), "{user} {password}: {answer}");
    }
    recipient(&server, "u9@sub.example", "250 ");
    recipient(&server, "u9@corp.example", "550 ");
    assert!(site.requests().contains(&"check bob s3cret".to_owned()), "{:?}", site.requests());
    server.stop();
}

#[test]
fn a_base_that_is_compared_changes_nothing_and_each_difference_is_logged() {
    let site = site(
        "module 10\nsource nwauth first\n\
         module 20\nsource nwauth second\nrole shadow\n\
         module 30\nbinary PYTHON\nrole shadow\nmatch dead\n",
    );
    base(
        &site,
        "first",
        &["ann:*anns-password:name=\"Ann\" quota=\"5\"", "cat:*cats-password:", "dead:*x:"],
    );
    base(
        &site,
        "second",
        &["ann:*anns-password:name=\"Ann L.\"", "cat:*other-password:", "eve:*e:"],
    );
    let server = site.serve();
    let way = Way::PopUser;
    assert!(way.answer(&server, "ann", "anns-password").starts_with(way.yes()));
    assert!(way.answer(&server, "cat", "cats-password").starts_with(way.yes()));
    assert!(way.answer(&server, "cat", "other-password").starts_with(way.no()));
    assert!(way.answer(&server, "dead", "x").starts_with(way.yes()));
    recipient(&server, "eve@corp.example", "550 ");
    let expected = [
        ("user=ann", "info", "info field name has another value there"),
        ("user=ann", "info", "info field quota is missing there"),
        ("user=cat", "verdict", "accepted, and rejected (not-verified) there"),
        ("user=cat", "verdict", "rejected (not-verified), and accepted there"),
        ("user=eve", "verdict", "rejected (unknown-user), and accepted there"),
        ("user=dead", "unanswered", "no answer there, source-down"),
    ];
    for (user, reason, text) in expected {
        wait::until(text, || {
            logged(&site, &format!("shadow: {text}"))
                .iter()
                .any(|line| line.contains(user) && line.contains(&format!("reason=\"{reason}\"")))
        });
    }
    server.stop();
    let log = logged(&site, "").join("\n");
    assert!(!log.contains("s-password") && !log.contains("other-password"), "no secret");
}

#[test]
fn users_move_as_they_log_in_until_the_old_base_is_switched_off() {
    let site = site(
        "module 10\nsource nwauth new\n\
         module 20\nsource nwauth old\nmigrate 10\n\
         module 30\nbinary PYTHON\nmigrate 10\n",
    );
    let new = base(&site, "new", &[]);
    let users: Vec<String> =
        (0..20).map(|n| format!("user{n}:*password-{n}:name=\"User {n}\"")).collect();
    base(&site, "old", &users.iter().map(|line| &**line).collect::<Vec<_>>());
    let server = site.serve();
    let way = Way::PopUser;
    let moved = |name: &str| looked_up(&new, name).starts_with("+OK ");
    assert!(way.answer(&server, "user0", "guess").starts_with(way.no()));
    assert!(!moved("user0"), "a wrong password moves nobody");
    // Half of them log in, some at the same time.
    std::thread::scope(|scope| {
        for n in 0..10 {
            let server = &server;
            scope.spawn(move || {
                for way in [Way::SmtpPlain, Way::PopUser] {
                    let yes = way.answer(server, &format!("user{n}"), &format!("password-{n}"));
                    assert!(yes.starts_with(way.yes()), "user{n}: {yes}");
                }
            });
        }
    });
    assert!(way.answer(&server, "bob", "s3cret").starts_with(way.yes()));
    for name in (0..10).map(|n| format!("user{n}")).chain(["bob".to_owned()]) {
        wait::until("the user has moved", || moved(&name));
    }
    wait::until("all moves are done", || logged(&site, "migrate: moved").len() == 11);
    assert!(looked_up(&new, "user3").contains("name=\"User 3\""), "with the info fields");
    let files = fs::read_to_string(new.join("nwauth.add")).expect("a journal");
    assert!(files.contains("user3:{SSHA512}"), "in the scheme of the new base: {files}");
    assert!(!moved("user15"));
    let no = way.answer(&server, "user3", "guess");
    assert!(no.starts_with(way.no()), "{no}");
    server.stop();

    rewrite(&site, "module 10\nsource nwauth new\n");
    let server = site.serve();
    for n in 0..10 {
        let yes = way.answer(&server, &format!("user{n}"), &format!("password-{n}"));
        assert!(yes.starts_with(way.yes()), "user{n}: {yes}");
    }
    assert!(way.answer(&server, "bob", "s3cret").starts_with(way.yes()));
    assert!(way.answer(&server, "user15", "password-15").starts_with(way.no()), "too late");
    server.stop();
    assert!(!logged(&site, "").join("\n").contains("password-3"), "no secret is logged");
}

#[test]
fn the_chain_is_explained_step_by_step() {
    let site = site(THREE);
    base(&site, "first", &["ann:*anns-password:"]);
    base(&site, "second", &["cat:*cats-password:"]);
    let explain = |arguments: &[&str], input: &str| {
        let text = site.dmail(&["explain"], arguments, input).text();
        // Without the times, and the layers above the chain.
        let steps = text.lines().filter_map(|line| line.split_once(" ms  ")).map(|(_, step)| step);
        let words = |step: &str| step.split_whitespace().collect::<Vec<_>>().join(" ");
        let above = |step: &String| step.starts_with("mapping") || step.starts_with("throttle");
        steps.map(words).filter(|step| !above(step)).collect::<Vec<_>>()
    };
    assert_eq!(
        explain(&["cat", "--check"], "cats-password\n")[..8],
        [
            "chain module 10 (nwauth) is asked",
            "nwauth rejected: not-verified",
            "chain module 10 (nwauth): not verified; is the user there?",
            "nwauth rejected: unknown-user",
            "chain module 10 (nwauth): unknown user (on_unknown next)",
            "chain module 20 (nwauth) is asked",
            "nwauth accepted",
            "chain module 20 (nwauth): accepted (on_accepted stop)",
        ]
    );
    let steps = explain(&["dead"], "").join("\n");
    assert!(
        steps.contains("module 30 (python3): unavailable, source-down (on_unavailable stop)"),
        "{steps}"
    );
    assert!(
        steps.contains("verdict temporary failure, source-down: module 30 (python3): "),
        "{steps}"
    );
}

#[test]
fn the_chain_is_administered_as_one_base() {
    let site = site(
        "module 10\nsource nwauth first\ndo_set true\ndo_del true\nmodule 20\nsource nwauth second\n",
    );
    let first = base(&site, "first", &["ann:*a:"]);
    let second = base(&site, "second", &["ann:*old:", "cat:*c:"]);
    let ask = |command: &[&str], input: &str| {
        site.dmail(&["authent", command[0]], &command[1..], input).text()
    };
    assert_eq!(ask(&["set", "ann"], "new\n"), "+OK ann added to database\n");
    for base in [&first, &second] {
        let journal = fs::read_to_string(base.join("nwauth.add")).expect("a journal");
        assert!(journal.contains("ann:{SSHA512}"), "{journal}");
    }
    assert_eq!(ask(&["set", "dan", "name=Dan"], "new\n"), "+OK dan added to database\n");
    assert!(looked_up(&first, "dan").starts_with("+OK dan"));
    let found = "+DATA ann\n+DATA dan name=\"Dan\"\n+DATA cat\n\
                 +OK Search Complete 3 items found out of 4\n";
    assert_eq!(ask(&["search", "*"], ""), found);
    let said = ask(&["del", "ann"], "");
    assert_eq!(said, "+OK ann deleted from database; still in module 20 (nwauth)\n");
    assert_eq!(ask(&["del", "cat"], ""), "-ERR cat does not exist\n");
}

#[test]
fn the_chain_is_a_module_for_other_servers() {
    let site = site(THREE);
    base(&site, "first", &["ann:*anns-password:"]);
    base(&site, "second", &["cat:*cats-password:"]);
    let home = site.home().display().to_string();
    let questions = "check ann anns-password\ncheck cat guess\nlookup bob\nlookup nobody\n\
                     lookup dead\nexit\n";
    let said = program::run(program::dmail(&["multiauth", "-path", &home]), questions);
    let answers = said.success().text();
    let expected = [
        "+OK ann config",
        "-ERR cat password wrong or not a valid user",
        "+OK bob config",
        "-ERR nobody does not exist",
        "-DEAD module 30 (python3): the database is down",
        "+OK goodbye",
    ];
    let lines: Vec<&str> = answers.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{answers}");
    for (line, start) in lines.iter().zip(expected) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(site.requests().contains(&"exit".to_owned()), "its own module was asked to leave");
}

#[test]
fn a_mistake_in_the_file_is_shown_with_its_line() {
    let site = site("module 10\nsource nwauth first\non_unknown maybe\nmodule 10\nbinary /x\n");
    let path = site.config().display().to_string();
    let said = program::run(program::dmail(&["check-config", &path]), "");
    assert_eq!(said.code, Some(1));
    for part in ["multiauth.ini:3:12", "one of stop, next"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

/// As the rotation of the logs does it every night.
#[test]
fn a_reload_during_an_outage_locks_out_nobody_who_was_here() {
    let site =
        site("module 10\nbinary PYTHON\n").set("authent_cache 100").set("authent_cache_fresh 0");
    let server = site.serve();
    let way = Way::PopUser;
    assert!(way.answer(&server, "bob", "s3cret").starts_with(way.yes()));
    rewrite(&site, "module 10\nbinary /bin/false\n");
    for reloads in 1..=2 {
        server.process().signal(nix::sys::signal::Signal::SIGHUP);
        let reloaded = || logged(&site, "reloaded the gateway's settings").len() == reloads;
        wait::until("the server has reloaded", reloaded);
        let yes = way.answer(&server, "bob", "s3cret");
        assert!(yes.starts_with(way.yes()), "verified before: {yes}");
        let later = way.answer(&server, "bob", "guess");
        assert!(later.starts_with(way.later()), "nobody knows: {later}");
    }
    server.kill();
}
