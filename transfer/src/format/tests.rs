//! All formats: what is written is read back, and what strangers write is
//! understood or refused, with its line.

use dmail_core::{DropPath, Info, Secret, Uid};
use proptest::prelude::*;

use super::*;

/// All that a file says, a line for each entry.
fn read(format: Format, text: &[u8]) -> Result<Vec<Entry>, BadFile> {
    let mut reader = format.reader(Fields::default());
    let mut lines = Lines::new(text);
    let mut entries = Vec::new();
    while let Some((number, line)) = lines.read().expect("memory can be read") {
        entries.extend(reader.line(number, line)?);
    }
    entries.extend(reader.end()?);
    Ok(entries)
}

fn write(format: Format, users: &[UserRecord]) -> (Vec<u8>, Vec<String>) {
    let mut writer = format.writer(Fields::default());
    let (mut out, mut losses) = (Vec::new(), Vec::new());
    writer.head(&mut out);
    for user in users {
        match writer.user(user, &mut out) {
            Ok(lost) => losses.extend(lost),
            Err(why) => losses.push(why),
        }
    }
    (out, losses)
}

/// An entry in one line, the password too: these are no real ones.
fn show(entry: &Entry) -> String {
    let what = match &entry.what {
        What::User(user) => show_user(user),
        What::NoUser(why) => format!("no user: {why}"),
        What::Refused { user, why } => {
            let user = user.as_ref().map_or("?", Username::as_str);
            format!("{user} refused: {why}")
        }
    };
    let notes: String = entry.notes.iter().map(|note| format!(" ({note})")).collect();
    format!("{}: {what}{notes}", entry.line)
}

fn show_user(user: &UserRecord) -> String {
    let stored = user
        .stored
        .as_ref()
        .map_or("-".into(), |stored| String::from_utf8_lossy(stored.expose()).into_owned());
    let drop = match &user.drop {
        DropPath::Config => "config".to_owned(),
        DropPath::File(path) => path.display().to_string(),
    };
    let uid = match &user.uid {
        None => "-".to_owned(),
        Some(Uid::Name(name)) => name.clone(),
        Some(Uid::Number(number)) => number.to_string(),
    };
    format!("{} {stored} {drop} {uid} {}", user.user, user.info).trim_end().to_owned()
}

fn shown(format: Format, text: &str) -> Vec<String> {
    let entries = read(format, text.as_bytes()).expect("a file that can be believed");
    entries.iter().map(show).collect()
}

fn user(name: &str, stored: Option<&str>, info: &str) -> UserRecord {
    UserRecord {
        user: Username::parse(name.as_bytes()).expect("a name"),
        stored: stored.map(|stored| Secret::new(stored.as_bytes())),
        drop: DropPath::Config,
        uid: None,
        info: info.parse().expect("info"),
    }
}

#[test]
fn a_passwd_file_is_read_as_dovecot_writes_it() {
    let text = "# users\n\
                bob:{SHA512-CRYPT}$6$s$h:1001:100:Bob Smith:/home/bob:/bin/sh:userdb_quota=5M nopassword\n\
                ann:{PLAIN}x\n\
                eve:$6$s$h:vmail:::::userdb_drop_path=/srv/eve allow_nets=10.0.0.0/8,::1\n\
                root:x:0:0:root:/root:/bin/bash\n\
                \n\
                sys:*:1::::\n\
                nocolon\n\
                two words:x\n\
                bad:x::::::userdb_drop_path=mail/bad\n";
    let expected = [
        "2: bob $6$s$h config 1001 gid=\"100\" name=\"Bob Smith\" home=\"/home/bob\" \
         shell=\"/bin/sh\" quota=\"5M\" nopassword=\"yes\"",
        "3: ann {PLAIN}x config -",
        "4: eve $6$s$h /srv/eve vmail allow_nets=\"10.0.0.0/8,::1\" (allow_nets: here the user may log in from everywhere)",
        "5: root - config - gid=\"0\" name=\"root\" home=\"/root\" shell=\"/bin/bash\" \
         (the password is in another file (x))",
        "7: sys !* config 1",
        "8: nocolon refused: not written user:password:uid:gid:gecos:home:shell:extra",
        "9: ? refused: the user name is a character that is not allowed, at position 4 \
         (the password is in another file (x))",
        "10: bad refused: the drop path \"mail/bad\" is no full path \
         (the password is in another file (x))",
    ];
    assert_eq!(shown(Format::PasswdFile, text), expected);
}

#[test]
fn ldif_is_read_as_directories_dump_it() {
    let text = "version: 1\n\
                \n\
                # the tree\n\
                dn: ou=people,dc=corp,dc=example\n\
                objectClass: organizationalUnit\n\
                ou: people\n\
                \n\
                dn: uid=bob,ou=people,dc=corp,dc=example\n\
                objectClass: inetOrgPerson\n\
                UID: bob\n\
                userPassword:: e0NSWVBUfSQ2JHMkaA==\n\
                cn: Bob\n\
                \x20 Smith\n\
                mail: bob@corp.example\n\
                mail: b@corp.example\n\
                jpegPhoto:: /9j/4AA=\n\
                entryUUID: 1-2-3\n\
                \n\
                \n\
                dn: uid=ann\n\
                changetype: modify\n\
                uid: ann\n\
                \n\
                dn: uid=eve\n\
                uid: eve\n\
                this is no line\n\
                \n\
                dn: uid=joe\n\
                uid: joe\n\
                userPassword: clear\n\
                userPassword: {SSHA}QUJD\n\
                info: a b=\"x\"\n\
                cn:: !\n\
                \n\
                dn: uid=max\n\
                uid: max\n\
                info: two words=\"x\"";
    let expected = [
        "4: no user: ou=people,dc=corp,dc=example has no attribute uid",
        "8: bob $6$s$h config - cn=\"Bob Smith\" mail=\"bob@corp.example\" \
         mail-2=\"b@corp.example\" (the field \"jpegPhoto\" is no text and is left out)",
        "20: ann refused: a change of an entry, and no entry",
        "24: eve refused: line 26: neither attribute: value nor a comment",
        "28: joe refused: line 33: the value is not the base64 that it says \
         (only the first of its passwords is taken)",
        "35: max - config - info=\"two words=\"x\"\"",
    ];
    assert_eq!(shown(Format::Ldif, text), expected);
}

#[test]
fn an_account_that_its_directory_has_locked_is_suspended() {
    let text = "uid: a\nuserPassword: {SSHA}QUJD\npwdAccountLockedTime: 000001010000Z\n\n\
                uid: b\nnsaccountlock: TRUE\nmailstatus: good\n\n\
                uid: c\nnsAccountLock: false\n\n\
                mailstatus: banned\nuid: d\nnsAccountLock: true\n";
    let expected = [
        "1: a {SSHA}QUJD config - mailstatus=\"suspended\" \
         (pwdAccountLockedTime: the account is suspended here (mailstatus))",
        "5: b - config - mailstatus=\"suspended\" \
         (nsaccountlock: the account is suspended here (mailstatus))",
        "9: c - config -",
        "12: d - config - mailstatus=\"banned\"",
    ];
    assert_eq!(shown(Format::Ldif, text), expected);
}

#[test]
fn csv_is_read_as_spreadsheets_write_it() {
    let text = "\u{feff}User,password,Full Name,uid,info,quota\r\n\
                bob,$6$s$h,\"Smith, Bob\",1001,\"lang=\"\"de\"\" x=\"\"y\"\"\",5M\r\n\
                \r\n\
                ann,,,,free text,\r\n\
                eve,x\r\n\
                ,x,,,,\r\n\
                joe,\"a\"b,,,,\r\n\
                max,x,a\"b,,,\r\n\
                tim,x,\"two\r\nlines\",,,\r\n\
                last,x,,0,,\r\n\
                open,\"x,,,,\r\n";
    let expected = [
        "2: bob $6$s$h config 1001 Full_Name=\"Smith, Bob\" lang=\"de\" x=\"y\" quota=\"5M\"",
        "4: ann - config - info=\"free text\"",
        "5: eve refused: the row has 2 values, the header 6",
        "6: ? refused: no user name",
        "7: ? refused: text behind a closing quote",
        "8: ? refused: a quote inside a value that has none around it",
        "9: tim refused: the field \"Full_Name\" cannot be kept: an info value is one line \
         between two quotes",
        "11: last x config -",
        "12: ? refused: a quote that opens here does not close",
    ];
    assert_eq!(shown(Format::Csv, text), expected);
    let semicolons = "uid;user;clear_password\n7;bob;a,b\n";
    assert_eq!(shown(Format::Csv, semicolons), ["2: bob {PLAIN}a,b config 7"]);
    let bad = [
        ("", "line 1: the file is empty"),
        (
            "name,uid\n",
            "line 1: no column is called \"user\": the first line names the columns (--user-field names this one)",
        ),
        ("user,User\n", "line 1: the column \"User\" is there twice"),
        ("user,\"x\n", "line 1: the header is one line, with the names of the columns"),
    ];
    for (text, expected) in bad {
        let error = read(Format::Csv, text.as_bytes()).expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn nwauth_lines_are_read_one_by_one() {
    let text = "bob:$6$s$h:name=\"Bob\" drop_path=\"/srv/bob\"\nann:(DELETE):\n# no\n\neve::\n";
    let entries = shown(Format::Nwauth, text);
    assert_eq!(entries[0], "1: bob $6$s$h /srv/bob - name=\"Bob\"");
    assert!(entries[1].starts_with("2: ann refused: a deletion"), "{entries:?}");
    assert_eq!(entries[2], "3: ? refused: not written user:hash:info");
    assert_eq!(entries[3], "5: eve - config -");
}

#[test]
fn what_a_format_cannot_hold_is_said() {
    let old = user("bob", Some("qrQ\\Wd"), "a=\"two words\"");
    for (format, expected) in [
        (
            Format::PasswdFile,
            &["the stored password has no form for Dovecot", "the field a cannot be written here"]
                [..],
        ),
        (Format::Ldif, &["the stored password has no form for a directory"]),
        (Format::Csv, &[]),
        (Format::Nwauth, &[]),
    ] {
        let (_, losses) = write(format, std::slice::from_ref(&old));
        assert_eq!(losses, expected, "{}", format.name());
    }
    let colon = user("a:b", None, "");
    assert_eq!(write(Format::PasswdFile, std::slice::from_ref(&colon)).0, b"");
    assert_eq!(write(Format::Nwauth, &[colon]).0, b"");
}

#[test]
fn ldif_is_folded_and_what_is_not_plain_is_base64() {
    let mut bob = user("b,b", Some("$6$s$h"), "cn=\" led\" two_words=\"x\"");
    bob.info.set("long", &"x".repeat(100)).expect("a field");
    bob.info.set("name", "J\u{f6}rg").expect("a field");
    let (text, _) = write(Format::Ldif, &[bob]);
    let text = String::from_utf8(text).expect("text");
    let expected = "version: 1\n\ndn: uid=b\\,b,ou=people\nobjectClass: account\n\
                    objectClass: simpleSecurityObject\nobjectClass: extensibleObject\n\
                    uid: b,b\nuserPassword: {CRYPT}$6$s$h\ncn:: IGxlZA==\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.contains("name:: SsO2cmc=\n") && text.contains("info: two_words=\"x\"\n"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() <= 76), "{text}");
}

#[test]
fn hostile_sizes_are_refused_and_the_next_user_is_read() {
    let long = "x".repeat(MAX_LINE + 1);
    let rows = [
        (Format::PasswdFile, format!("bob:{long}\nann:!\n")),
        (Format::Nwauth, format!("bob:{long}\nann:!\n")),
        (Format::Ldif, format!("dn: x\nuid: bob\nx: {long}\n\ndn: y\nuid: ann\n")),
        (Format::Ldif, format!("uid: bob\n{}\nuid: ann\n", "x: y\n".repeat(MAX_ENTRY / 3))),
    ];
    for (format, text) in rows {
        let entries = shown(format, &text);
        assert_eq!(entries.len(), 2, "{}", format.name());
        assert!(entries[0].contains("refused"), "{}", entries[0]);
        assert!(entries[1].contains("ann"), "{}", entries[1]);
    }
}

#[test]
fn what_is_too_long_for_csv_begins_no_row() {
    // A line of somebody's endless name looks like a user.
    let long = format!("{}\n", "x".repeat(1000)).repeat(MAX_ENTRY / 1000 + 1);
    let text = format!("user,name\nbob,\"{long}eve,\"\"E\"\"\nmax,M\n\"\nann,A\n");
    let entries = shown(Format::Csv, &text);
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(entries[0], "2: ? refused: a row that is too long");
    assert!(entries[1].contains("ann - config - name=\"A\""), "{}", entries[1]);
    // And what was passed over may have opened a quote.
    let text = format!("user,name\nbob,\"{}\neve,E\n\"\n", "x".repeat(MAX_LINE + 1));
    let error = read(Format::Csv, text.as_bytes()).expect_err("rows cannot be told");
    assert!(error.to_string().starts_with("line 2: a line of more than"), "{error}");
}

#[test]
fn a_header_of_csv_is_bounded() {
    let names: Vec<String> = (0..100_000).map(|n| format!("c{n}")).collect();
    let error = read(Format::Csv, format!("user,{}\n", names.join(",")).as_bytes());
    assert_eq!(error.expect_err("a header").to_string(), "line 1: more than 10,000 columns");
}

#[test]
fn of_two_passwords_of_csv_the_first_is_taken() {
    let text = "user,password,clear_password\nbob,$6$s$h,x\nann,,y\n";
    let expected = [
        "2: bob $6$s$h config - (only the first of its passwords is taken)",
        "3: ann {PLAIN}y config -",
    ];
    assert_eq!(shown(Format::Csv, text), expected);
}

#[test]
fn whom_dovecot_keeps_out_is_not_let_in() {
    let text = "bob:{CRYPT}$6$s$h::::::nologin\nann:$6$s$h::::::allow_nets=192.0.2.0/24\n\
                eve:$6$s$h::::::userdb_nologin=y\n";
    let expected = [
        "1: bob !$6$s$h config - nologin=\"yes\" (nologin: the account is locked here)",
        "2: ann $6$s$h config - allow_nets=\"192.0.2.0/24\" \
         (allow_nets: here the user may log in from everywhere)",
        "3: eve $6$s$h config - nologin=\"y\"",
    ];
    assert_eq!(shown(Format::PasswdFile, text), expected);
}

#[test]
fn an_owner_is_a_name_or_a_number() {
    let text = "bob:!:-1\nann:!:5000000000\neve:!:4294967295\nmax:!:mail\n";
    let entries = shown(Format::PasswdFile, text);
    assert_eq!(entries[0], "1: bob refused: the owner \"-1\" is neither a name nor a number");
    assert!(entries[1].contains("refused"), "{}", entries[1]);
    assert_eq!(entries[3], "4: max ! config mail");
}

/// Users as bases have them: any info that is written and read back as it is.
fn any_user() -> impl Strategy<Value = UserRecord> {
    // NWAuth files do not tell capitals.
    let name = "[!-9;-@\\[-~]{1,20}";
    let stored = prop_oneof![
        Just(None),
        "[./a-z]{1,8}".prop_map(|text| Some(format!("$6$salt${text}"))),
        "[A-Za-z0-9+/]{4}".prop_map(|text| Some(format!("{{SSHA}}{text}"))),
        "[ -9;-~]{1,12}".prop_map(|text| Some(format!("{{PLAIN}}{text}"))),
        Just(Some("!".to_owned())),
    ];
    let drop = prop_oneof![
        Just(DropPath::Config),
        "(/[a-z0-9@+]{1,8}){1,3}".prop_map(|path| DropPath::File(path.into())),
    ];
    let uid = prop_oneof![
        Just(None),
        (1_u32..).prop_map(|number| Some(Uid::Number(number))),
        "[a-z]{2,8}"
            .prop_filter("not root", |name| name != "root")
            .prop_map(|name| Some(Uid::Name(name))),
    ];
    let info = proptest::collection::vec(("[a-zA-Z_.:-]{1,8}", "[^\"\r\n\0]{0,30}"), 0..6);
    (name, stored, drop, uid, info).prop_filter_map(
        "parsable",
        |(name, stored, drop, uid, info)| {
            let mut all = Info::default();
            for (label, value) in info {
                if !["drop_path", "drop_owner"].contains(&&*label) {
                    all.set(&label, &value).ok()?;
                }
            }
            // Text that a line protocol cannot hold is nothing a base has.
            (all.to_string().parse() == Ok(all.clone())).then_some(())?;
            let user = Username::parse(name.as_bytes()).ok()?;
            let stored = stored.map(|stored| Secret::new(stored.into_bytes()));
            Some(UserRecord { user, stored, drop, uid, info: all })
        },
    )
}

fn in_order(user: &UserRecord) -> String {
    let mut fields: Vec<_> = user.info.iter().collect();
    fields.sort_unstable();
    format!("{} {fields:?}", show_user(&UserRecord { info: Info::default(), ..user.clone() }))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(users in proptest::collection::vec(any_user(), 1..4)) {
        for format in Format::ALL {
            for user in &users {
                let (text, losses) = write(format, std::slice::from_ref(user));
                if !losses.is_empty() {
                    continue;
                }
                let entries = read(format, &text).expect("a file of ours");
                prop_assert_eq!(entries.len(), 1, "{}", String::from_utf8_lossy(&text));
                let What::User(back) = &entries[0].what else {
                    return Err(TestCaseError::fail(show(&entries[0])));
                };
                prop_assert_eq!(in_order(back), in_order(user), "{}", String::from_utf8_lossy(&text));
            }
        }
    }

    #[test]
    fn no_file_is_too_strange(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in Format::ALL {
            let _ = read(format, &text);
        }
    }

    #[test]
    fn no_text_of_the_right_letters_is_too_strange(text in "([a-z]|user|uid|dn| |:|,|\"|\n|=|\\{|\\}|#|::|-){0,120}") {
        for format in Format::ALL {
            let header = if format == Format::Csv { "user,password,x\n" } else { "" };
            let _ = read(format, format!("{header}{text}").as_bytes());
        }
    }
}

#[test]
fn a_user_with_a_hundred_thousand_fields_is_refused_at_once() {
    let distinct: String = (0..100_000).map(|n| format!("f{n}=x ")).collect();
    let ldif: String = (0..90_000).map(|n| format!("f{n}: x\n")).collect();
    let rows = [
        (Format::PasswdFile, format!("bob:!::::::{distinct}\n")),
        (Format::PasswdFile, format!("bob:!::::::{}\n", "f ".repeat(100_000))),
        (Format::Ldif, format!("uid: bob\n{ldif}")),
        (Format::Ldif, format!("uid: bob\n{}", "f: x\n".repeat(100_000))),
        (Format::Csv, format!("user,info\nbob,\"{}\"\n", "f=\"\"x\"\" ".repeat(50_000))),
    ];
    let started = std::time::Instant::now();
    for (format, text) in rows {
        let entries = shown(format, &text);
        assert!(entries[0].contains("refused: more fields"), "{}", entries[0]);
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
