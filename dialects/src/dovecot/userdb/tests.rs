//! The conversations of mail processes and of `doveadm`.

use std::path::PathBuf;

use dmail_core::{DropPath, Found, Hit, Info, Rejection, Uid, Unavailable, UnavailableKind};

use super::account::home_of;
use super::*;
use crate::talk;

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

fn ann() -> Account {
    Account {
        name: user("ann@corp.example"),
        drop: DropPath::File("/mail/ann".into()),
        uid: Some(Uid::Number(1001)),
        info: r#"quota="5000000" name="Ann""#.parse().expect("info"),
    }
}

/// What is replied to `input`, asked of a base that knows only Ann.
fn talk(input: &str) -> String {
    talk_as(None, input)
}

/// The same, on a master socket if there are logins to take up.
fn talk_as(master: Option<Arc<Logins>>, input: &str) -> String {
    let home = Some("/home/%d/%n".to_owned());
    let (uid, gid) = (None, None);
    let config = Config { pid: 7, home, uid, gid, tells_drop_file: true, master };
    let mut session = UserdbSession::new(config);
    let input = format!("VERSION\t1\t0\n{input}");
    let (out, end) = talk::with(&mut session, input.as_bytes(), |question| match question {
        Question::Authenticate(request) => Answer::Verdict(match request.user.as_str() {
            "ann" => Ok(Verdict::accepted(ann())),
            "down" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
            "locked" => {
                let kind = RejectionKind::NotAllowed;
                Ok(Verdict::Rejected(Rejection::new(kind, "locked")))
            }
            _ => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
        }),
        Question::Forget(masks) => Answer::Forgotten(masks.len()),
        Question::CacheStatus(reset) => Answer::CacheStatus(CacheStatus {
            hits: if reset { 70 } else { 7 },
            misses: 3,
            users: 2,
            room: 1000,
        }),
        Question::Search(search) => {
            assert_eq!(search.pattern, "a*");
            let hits = vec![Hit { user: user("ann"), info: Info::default() }];
            Answer::Found(Ok(SearchOutcome::Found(Found { hits, scanned: 1 })))
        }
        question @ Question::Change(_) => panic!("{question:?}"),
    });
    let out = String::from_utf8(out).expect("text");
    if end.is_empty() { out } else { format!("{out}[{end}]") }
}

#[test]
fn every_request_gets_its_reply() {
    for (input, expected) in [
        (
            "USER\t1\tann\tservice=lmtp\n",
            "USER\t1\tann@corp.example\tuid=1001\thome=/home/corp.example/ann\
             \tmail=mbox:~/mail:INBOX=/mail/ann\tquota_rule=*:bytes=5000000\n",
        ),
        ("USER\t2\tnobody\tservice=lmtp\n", "NOTFOUND\t2\n"),
        ("USER\t3\tdown\tservice=lmtp\n", "FAIL\t3\n"),
        ("USER\t4\tlocked\tservice=lmtp\n", "FAIL\t4\n"),
        ("USER\t4\t\tservice=lmtp\n", "NOTFOUND\t4\n"),
        ("PASS\t5\tann\tservice=lmtp\n", "PASS\t5\tuser=ann@corp.example\n"),
        ("LIST\t6\tuser=a*\n", "LIST\t6\tann\nDONE\t6\t\n"),
        ("NOOP\t1\n", ""),
        ("USER\tx\n", "[a request without id]"),
        ("USER\t1\n", "[a request without a name]"),
    ] {
        assert_eq!(talk(input), expected, "{input}");
    }
}

#[test]
fn a_mail_process_takes_up_the_login_that_was_made_for_it() {
    let logins = Arc::new(Logins::new());
    logins.will_be_taken_up();
    let cookie = "000102030405060708090a0b0c0d0eff";
    let secret = u128::from_str_radix(cookie, 16).expect("a number").to_be_bytes();
    for (id, name) in [(5, "ann"), (6, "down"), (7, "nobody")] {
        logins.put(secret, 77, id, user(name));
    }
    let ann = "ann@corp.example\tuid=1001\thome=/home/corp.example/ann\
               \tmail=mbox:~/mail:INBOX=/mail/ann\tquota_rule=*:bytes=5000000\n";
    let status = |hits: u32| {
        format!(
            "OK\t4\thits={hits}\tmisses=3\tpos_entries=2\tneg_entries=0\t\
             used_size=2\tmax_size=1000\n"
        )
    };
    let request = |rest: &str| format!("REQUEST\t1\t{rest}\tsession_pid=9\n");
    for (input, expected) in [
        (request(&format!("78\t5\t{cookie}")), "FAIL\t1\n".to_owned()),
        (request(&format!("77\t9\t{cookie}")), "FAIL\t1\n".to_owned()),
        (request(&format!("77\t5\t{}", "0".repeat(32))), "FAIL\t1\n".to_owned()),
        (request(&format!("77\t5\t{cookie}")), format!("USER\t1\t{ann}")),
        (request(&format!("77\t5\t{cookie}")), "FAIL\t1\n".to_owned()),
        (request(&format!("77\t6\t{cookie}")), "FAIL\t1\n".to_owned()),
        (request(&format!("77\t7\t{cookie}")), "NOTFOUND\t1\n".to_owned()),
        (request("77\t5\tshort"), "[a REQUEST without a cookie]".to_owned()),
        (request("77"), "[a REQUEST without a login]".to_owned()),
        ("CACHE-FLUSH\t4\tann\tb*\n".to_owned(), "OK\t4\t2\n".to_owned()),
        ("CACHE-FLUSH\t4\n".to_owned(), "OK\t4\t0\n".to_owned()),
        ("CACHE-STATUS\t4\n".to_owned(), status(7)),
        ("CACHE-STATUS\t4\treset\n".to_owned(), status(70)),
        ("CACHE-STATUS\n".to_owned(), "[a request without id]".to_owned()),
    ] {
        assert_eq!(talk_as(Some(Arc::clone(&logins)), &input), expected, "{input}");
    }
    // A userdb socket has neither.
    assert_eq!(talk(&request(&format!("77\t5\t{cookie}"))), "");
    assert_eq!(talk("CACHE-FLUSH\t4\nCACHE-STATUS\t4\n"), "");
}

#[test]
fn no_name_leaves_the_folder_of_homes() {
    for (template, name, expected) in [
        ("/home/%u", "bob", "/home/bob"),
        ("/home/%d/%n", "bob@a.example", "/home/a.example/bob"),
        ("/home/%d/%n", "bob", "/home//bob"),
        ("/home/%u", "../../etc", "/home/______etc"),
        ("/h%%%x/%u", "b", "/h%%x/b"),
        ("/home/%", "b", "/home/%"),
    ] {
        assert_eq!(home_of(template, &user(name)), PathBuf::from(expected), "{template} {name}");
    }
}

#[test]
fn the_owner_of_an_account_is_never_root() {
    for (uid, own, expected) in [
        (Some(Uid::Number(1001)), Some(8), "\tuid=1001\tgid=9"),
        (Some(Uid::Number(0)), Some(8), "\tuid=8\tgid=9"),
        (Some(Uid::Name("ann".into())), Some(8), "\tuid=8\tgid=9"),
        (Some(Uid::Number(0)), None, "\tgid=9"),
        (None, None, "\tgid=9"),
    ] {
        let account = Account { uid, ..Account::named(user("ann")) };
        let (home, uid, gid, master) = (None, own, Some(9), None);
        let config = Config { pid: 7, home, uid, gid, tells_drop_file: false, master };
        let mut out = Vec::new();
        account::put(&mut out, &config, &account);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
