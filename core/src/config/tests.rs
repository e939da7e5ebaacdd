//! Whole files: what they are read as, and what is said about them.

use proptest::prelude::*;

use super::*;

const GOOD: &str = "\
host_domain corp.example
work_path /var/spool/dmail
drop_path /var/spool/mail
authent_method nwauth
pop_auth_plaintext false
";

fn load_text(text: &str) -> Loaded {
    load(Path::new("dmail.conf"), &mut |_| Ok(text.to_owned()))
}

fn settings(text: &str) -> Settings {
    let loaded = load_text(text);
    assert_eq!(loaded.diagnostics, [], "{}", render_all(&loaded.diagnostics, false));
    loaded.settings.expect("settings without errors")
}

/// What is said about `lines` that follow those of a good file, without the
/// name of the file. The first of `lines` is line 6.
fn said(lines: &str) -> Vec<String> {
    let loaded = load_text(&format!("{GOOD}{lines}"));
    let has_errors = loaded.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(loaded.settings.is_none(), has_errors, "{lines}");
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.to_string().replacen("dmail.conf:", "", 1))
        .collect()
}

#[test]
fn the_defaults_are_those_of_the_manual() {
    let settings = settings(GOOD);
    assert_eq!(settings.server.work_path, Path::new("/var/spool/dmail"));
    assert_eq!(settings.server.log_path, settings.server.work_path);
    assert_eq!(settings.server.log_level, LogLevel::Info);
    assert_eq!(settings.nwauth.path, settings.server.work_path);
    assert_eq!(settings.nwauth.scheme, "argon2id");
    assert_eq!(settings.module.number, 2);
    assert_eq!(settings.module.queue_age, settings.module.timeout);
    assert_eq!(settings.cache.life.as_secs(), 43200);
    assert_eq!(settings.drop.max_message_size, 50 << 20);
    assert_eq!(settings.drop.hash_spool, crate::HashSpool::Flat);
    assert!(settings.drop.locks_by(LockMethod::Dot) && settings.drop.locks_by(LockMethod::Fcntl));
    assert_eq!(settings.smtp.ports[0].to_string(), "*:25");
    assert_eq!(settings.pop.ports[0].blame(), "pop_port (its default)");
    assert!(settings.drop.drop_prefix && settings.module.send_ip && settings.cache.grace);
    assert!(settings.domains.vdomains.is_empty());
    let client = std::net::IpAddr::from([192, 0, 2, 1]);
    assert!(settings.pop.admits(client));
    assert!(!settings.smtp.bans(client) && !settings.throttle.spares(client));
}

#[test]
fn a_default_follows_the_setting_that_it_is_taken_from() {
    let moved = settings(&format!("{GOOD}dsmtp_path /opt/dmail\nauthent_timeout 3\n"));
    assert_eq!(moved.nwauth.path, Path::new("/opt/dmail"));
    assert_eq!(moved.server.log_path, Path::new("/var/spool/dmail"));
    assert_eq!(moved.module.queue_age.as_secs(), 3);
}

#[test]
fn one_line_of_user_ip_address_is_enough_to_be_let_in() {
    let lines = "user_ip_address 10.0.0.0/8,!10.9.*\nuser_ip_address 192.0.2.0/24\n";
    let pop = settings(&format!("{GOOD}{lines}")).pop;
    for (client, expected) in [
        ([10, 1, 1, 1], true),
        ([10, 9, 1, 1], false),
        ([192, 0, 2, 9], true),
        ([198, 51, 100, 1], false),
    ] {
        assert_eq!(pop.admits(client.into()), expected, "{client:?}");
    }
}

#[test]
fn states_groups_and_delays_must_fit_together() {
    let rows = [
        ("account_state closed refuse later\naccount_state CLOSED refuse refuse\n", "two lines"),
        ("access_group office pop3 *\naccess_default office,home\n", "no access group `home`"),
        ("throttle_delay_first 9\nthrottle_delay_max 5\n", "is longer than"),
        ("throttle_free 30\n", "nothing is ever delayed"),
    ];
    for (lines, expected) in rows {
        let diagnostics = load_text(&format!("{GOOD}{lines}")).diagnostics;
        let found = diagnostics.iter().any(|found| found.message.contains(expected));
        assert!(found, "{lines}: {diagnostics:?}");
    }
    let good = "access_group office pop3 *\naccess_group office smtp 192.0.2.1\n\
                access_default Office\naccount_state closed refuse later Gone\n";
    let access = settings(&format!("{GOOD}{good}")).access;
    assert_eq!((access.groups.len(), access.states.len()), (2, 1));
}

#[test]
fn a_socket_remembers_the_line_that_asked_for_it() {
    let smtp = settings(&format!("{GOOD}smtp_port 2525\nsmtp_port 127.0.0.1:2526\n")).smtp;
    let blamed: Vec<String> = smtp.ports.iter().map(Listen::blame).collect();
    assert_eq!(blamed, ["smtp_port (dmail.conf:6)", "smtp_port (dmail.conf:7)"]);
}

#[test]
fn every_example_of_the_table_is_understood() {
    // `access_default` names a group of another line.
    let group = DMAIL_CONF.row("access_group").expect("a setting").example;
    for row in DMAIL_CONF.rows() {
        let others: String = GOOD
            .lines()
            .filter(|line| !line.starts_with(row.name))
            .map(|line| format!("{line}\n"))
            .collect();
        let loaded = load_text(&format!("{others}{}\n{group}\n", row.example));
        let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.is_error()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", row.name);
    }
}

#[test]
fn every_default_is_a_good_value() {
    for row in DMAIL_CONF.rows() {
        if let Unset::Value(value) = row.default {
            let others: String = GOOD
                .lines()
                .filter(|line| !line.starts_with(row.name))
                .map(|line| format!("{line}\n"))
                .collect();
            settings(&format!("{others}{} {value}\n", row.name));
        }
        if let Unset::SameAs(other) = row.default {
            assert!(DMAIL_CONF.row(other).is_some(), "{}", row.name);
        }
    }
}

#[test]
fn an_empty_file_lacks_what_has_no_default() {
    let said: Vec<String> = load_text("")
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(ToString::to_string)
        .collect();
    let lacks = |name: &str, example: &str| {
        format!(
            "dmail.conf: error: `{name}` is not set, and has no default; \
             add a line such as: {name} {example}"
        )
    };
    assert_eq!(
        said,
        [
            lacks("work_path", "/var/spool/dmail"),
            lacks("host_domain", "corp.example"),
            lacks("drop_path", "/var/spool/mail"),
            lacks("authent_method", "nwauth"),
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_one_error() {
    let loaded = load(Path::new("no.conf"), &mut |_| Err(io::ErrorKind::PermissionDenied.into()));
    assert_eq!(
        loaded.diagnostics[0].to_string(),
        "no.conf: error: cannot read `no.conf`: permission denied"
    );
    assert_eq!(loaded.diagnostics.len(), 1);
    assert!(loaded.settings.is_none());
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_the_file() {
    let lines = "\
authent_number many
bulletin_path /x
log_levle info
drop_path /elsewhere
authent_cache
log_level debug # for now
a\0b
";
    assert_eq!(
        said(lines),
        [
            "6:16: error: `authent_number` needs a number from 1 to 256: not a whole number; \
             for example: authent_number 4",
            "7:1: warning: `bulletin_path` is known to the original, and not used here yet",
            "8:1: warning: there is no setting `log_levle`; the line has no effect; \
             did you mean `log_level`?",
            "9:1: error: `drop_path` is set twice, and may be set once (first set here: line 3)",
            "10:14: error: `authent_cache` needs a number from 0 to 100000000: there is no value; \
             for example: authent_cache 20000",
            "11:11: error: `log_level` needs one of error, warn, info, debug: \
             not one of the words known here; a comment needs a line of its own",
            "12:2: error: a control character (U+0000) in the line",
        ]
    );
}

#[test]
fn contradictions_are_errors() {
    let rows: &[(&str, &str)] = &[
        (
            "authent_cache_life 100",
            "6:20: error: `authent_cache_fresh` (300 seconds) is longer than \
             `authent_cache_life` (100 seconds); for example: authent_cache_fresh 100",
        ),
        (
            "authent_process /bin/x",
            "6:17: warning: `authent_process` is not used, for `authent_method` is nwauth; \
             to ask the module: authent_method external",
        ),
        (
            "smtp_port 110",
            "6:11: error: *:110 of `pop_port` and *:110 of `smtp_port` are the same port; \
             give one of them another port, or an address of its own",
        ),
        (
            "smtp_port 127.0.0.1:99\npop_port 99",
            "7:10: error: *:99 of `pop_port` and 127.0.0.1:99 of `smtp_port` are the same port \
             (taken here: line 6)",
        ),
        (
            "user_ip_address 10.0.0.0/8,192.0.2.0/24",
            "6:17: error: no client can be in all the networks of this list; \
             a client must pass every item of a line: give each network a line of its own",
        ),
        (
            "vdomain a_b /a a.example /mail/a",
            "6:9: error: the prefix `a_b` holds `_`, which ends a prefix; \
             choose a prefix of letters and digits",
        ),
        (
            "vdomain a /a corp.example /mail/a",
            "6:9: error: corp.example is both a `vdomain` and a `host_domain` \
             (a name of the main domain here: line 1)",
        ),
        (
            "host_domain CORP.example",
            "6:13: warning: `host_domain corp.example` is there twice; one of the lines is enough",
        ),
        (
            "vdomain a /a a.example /mail/a\nvdomain A /b b.example /mail/b",
            "7:9: error: the prefix `A` is that of a.example (used for another domain here: line 6)",
        ),
        (
            "vdomain a /a a.example /mail/a\nvdomain b /b a.example /mail/a",
            "7:9: error: the prefix of a.example is `a` (another prefix here: line 6)",
        ),
        (
            "vdomain a /a a.example /mail/a\nvdomain a /b a.example /mail/b",
            "7:9: error: the mail of a.example would be in two folders \
             (another drop path here: line 6)",
        ),
        (
            "vdomain a 192.0.2.1 a.example /a\nvdomain b ::ffff:192.0.2.1 b.example /b",
            "7:9: error: the address 192.0.2.1 is taken (taken here: line 6)",
        ),
        (
            "vdomain a /x a.example /mail/a\nvdomain b /X b.example /mail/b",
            "7:9: error: the suffix `/x` is taken (taken here: line 6)",
        ),
        (
            "vdomain a @x.example a.example /a\nvdomain b .example b.example /b",
            "7:9: error: a login that ends in `@x.example` ends in `.example` too \
             (the other suffix is here: line 6)",
        ),
        (
            "drop_prefix false\nvdomain a /a a.example /var/spool/mail",
            "7:9: error: users of the same name in a.example and in the main domain would share \
             a drop file; give each domain a folder of its own, or set: drop_prefix true",
        ),
        (
            "drop_prefix false\nvdomain a /a a.example /m\nvdomain b /b b.example /m",
            "8:9: error: users of the same name in b.example and in a.example would share \
             a drop file; give each domain a folder of its own, or set: drop_prefix true",
        ),
        (
            "dialect http unix:a certificate=/a.pem key=/a.key",
            "6:9: warning: a unix socket has no TLS: `certificate=` and `key=` have no effect; \
             take both away, or listen on an address and a port",
        ),
    ];
    for (lines, expected) in rows {
        assert_eq!(said(lines), [*expected], "{lines}");
    }
}

#[test]
fn what_only_looks_like_a_contradiction_is_none() {
    for lines in [
        "vdomain a /a a.example /mail/a\nvdomain a 192.0.2.1 a.example /mail/a",
        "vdomain_separator -\nvdomain a_b /a a.example /mail/a",
        "vdomain a /a a.example /var/spool/mail",
        "vdomain a @a.example a.example /a\nvdomain b @b.a.example b.example /b",
        "smtp_port 127.0.0.1:110\npop_port 192.0.2.1:110",
        "smtp_port 0\npop_port 0",
        "authent_cache_fresh 43200",
    ] {
        assert_eq!(said(lines), [""; 0], "{lines}");
    }
}

#[test]
fn a_module_is_needed_to_ask_one() {
    let text = GOOD.replace("nwauth", "external");
    let found = load_text(&text).diagnostics;
    assert_eq!(
        found[0].to_string(),
        "dmail.conf:4:16: error: `authent_method external` needs a module to ask; \
         add a line such as: authent_process /usr/local/dmail/myauth"
    );
    let process = "authent_process auth \"two words\" x\n";
    let command = settings(&(text + process)).module.process.expect("a module");
    assert_eq!(command.arguments, ["two words", "x"]);
}

#[test]
fn a_server_for_others_says_whether_plain_passwords_will_do() {
    let silent = GOOD.replace("pop_auth_plaintext false\n", "");
    let found = load_text(&silent).diagnostics;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Warning);
    settings(&format!("{silent}pop_port 127.0.0.1:1110\n"));
    settings(&format!("{silent}pop_auth_plaintext true\n"));
}

#[test]
fn the_sample_files_are_in_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("the samples are there") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            let loaded = load(&path, &mut |path| std::fs::read_to_string(path));
            let said = render_all(&loaded.diagnostics, false);
            assert!(loaded.settings.is_some() && said.is_empty(), "{said}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}

/// Lines that begin like settings and go on as they like.
fn lines() -> impl Strategy<Value = String> {
    let names: Vec<&str> =
        DMAIL_CONF.rows().map(|row| row.name).chain(["#include", "db_secret"]).collect();
    let line = (prop::sample::select(names), "[ \t]", "(\\PC|[,.:/@*!\"0-9-]){0,20}");
    let line = line.prop_map(|(name, blank, value)| format!("{name}{blank}{value}\n"));
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn whatever_a_file_holds_can_be_talked_about(text in lines()) {
        let loaded = load_text(&text);
        let errors = loaded.diagnostics.iter().any(Diagnostic::is_error);
        prop_assert_eq!(loaded.settings.is_none(), errors);
        for diagnostic in &loaded.diagnostics {
            prop_assert!(!diagnostic.render(true).is_empty());
            prop_assert_eq!(diagnostic.to_string().lines().count(), 1);
        }
    }
}

#[test]
fn a_line_that_is_no_text_is_named() {
    let error = text(b"host_domain a.example\n# gr\xfcn\n".to_vec()).expect_err("Latin-1");
    assert_eq!(error.to_string(), "line 2 is not UTF-8");
    assert_eq!(text(b"# fine\n".to_vec()).expect("UTF-8"), "# fine\n");
}
