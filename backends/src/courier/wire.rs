//! What is said to authdaemond and what it answers. Without any IO.
//!
//! ```text
//!   AUTH 25 · pop3 · login · bob · s3cret        PRE . pop3 bob      ENUMERATE
//!   UID=1000 · HOME=/home/bob · ADDRESS=bob · .  │ FAIL  │ the end of the connection
//! ```
//!
//! The end of the connection without an answer is how it says that nobody can
//! say now.

use dmail_core::{
    Found, Hit, Info, Origin, Rejection, RejectionKind, Search, Secret, Service, Unavailable,
    UnavailableKind, Username,
};
use zeroize::Zeroizing;

use crate::foreign::Described;

/// Longest body of `AUTH` that authdaemond reads.
const MAX_BODY: usize = 8_000;

/// A question about a password. `Err` if the protocol cannot carry it.
pub(super) fn check(
    user: &Username,
    secret: &Secret,
    origin: &Origin,
) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    let password = secret.expose();
    if password.iter().any(|byte| matches!(byte, 0 | b'\n')) {
        return Err(too_odd("a password with a line end or a NUL"));
    }
    let head = format!("{}\nlogin\n{user}\n", service(origin));
    let length = head.len() + password.len() + 1;
    if length > MAX_BODY {
        return Err(too_odd("so long a password"));
    }
    // Room for all of it, so that no copy stays behind when it grows.
    let mut question = Zeroizing::new(Vec::with_capacity(length + 128));
    put_address(&mut question, origin);
    question.extend_from_slice(format!("AUTH {length}\n{head}").as_bytes());
    question.extend_from_slice(password);
    question.push(b'\n');
    Ok(question)
}

/// A question about a user.
pub(super) fn look_up(user: &Username, origin: &Origin) -> Zeroizing<Vec<u8>> {
    let mut question = Zeroizing::new(Vec::new());
    put_address(&mut question, origin);
    question.extend_from_slice(format!("PRE . {} {user}\n", service(origin)).as_bytes());
    question
}

/// A question for all users.
pub(super) fn enumerate() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(b"ENUMERATE\n".to_vec())
}

fn put_address(question: &mut Vec<u8>, origin: &Origin) {
    if let Some(address) = origin.client {
        question.extend_from_slice(format!("TCPREMOTEIP={address}\n").as_bytes());
    }
}

/// The names that Courier's own programs give themselves.
fn service(origin: &Origin) -> &'static str {
    match origin.service {
        Service::Imap => "imap",
        Service::Pop3 => "pop3",
        Service::Smtp => "esmtp",
        Service::Web => "webmail",
        Service::Admin | Service::Line => "login",
    }
}

fn too_odd(what: &str) -> Rejection {
    Rejection::new(RejectionKind::BadInput, format!("authdaemond takes no {what}"))
}

/// Whether all of an answer is here, so that nothing more needs to be read.
pub(super) fn is_whole(answer: &[u8]) -> bool {
    answer == b"FAIL\n" || answer == b".\n" || answer.ends_with(b"\n.\n")
}

/// The lines of an answer; `None` if it is a no.
fn lines(answer: &[u8]) -> Result<Option<Vec<String>>, Unavailable> {
    let unavailable = |kind, text: &str| Unavailable::new(kind, format!("courier: {text}"));
    if answer.is_empty() {
        let text = "authdaemond says that nobody can say now: its own log says why";
        return Err(unavailable(UnavailableKind::Dead, text));
    }
    if !is_whole(answer) {
        return Err(unavailable(UnavailableKind::Dead, "authdaemond went away in its answer"));
    }
    if answer == b"FAIL\n" {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(answer);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.pop();
    Ok(Some(lines))
}

/// What an answer says of a user; `None` if it is a no.
pub(super) fn account(answer: &[u8]) -> Result<Option<Described>, Unavailable> {
    let Some(lines) = lines(answer)? else { return Ok(None) };
    let mut described = Described::default();
    for line in &lines {
        let Some((name, value)) = line.split_once('=') else {
            let text = "courier: authdaemond answered with a line without =";
            return Err(Unavailable::new(UnavailableKind::Fault, text));
        };
        match name {
            "ADDRESS" => described.name = Some(value.to_owned()),
            "UID" => described.uid = value.parse().ok(),
            "USERNAME" => described.uid = described.uid.or_else(|| uid_of(value)),
            "HOME" => described.home = Some(value.to_owned()),
            // What cannot be a field is not told: it is somebody's name.
            "NAME" => drop(described.info.set("name", value)),
            // PASSWD and PASSWD2 are nobody's business here.
            _ => {}
        }
    }
    Ok(Some(described))
}

/// The number of an account of this machine.
fn uid_of(name: &str) -> Option<u32> {
    nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

/// The users that a search means, of the answer to `ENUMERATE`. Beyond `most`
/// hits nothing is collected.
pub(super) fn found(
    answer: &[u8],
    search: &Search,
    most: usize,
) -> Result<Option<Found>, Unavailable> {
    let Some(lines) = lines(answer)? else { return Ok(None) };
    let users = lines.iter().filter_map(|line| {
        Username::parse(line.split('\t').next().unwrap_or_default().as_bytes()).ok()
    });
    let hits = users.filter(|user| search.matches(user.as_str())).skip(search.from);
    let hits = hits.take(most).map(|user| Hit { user, info: Info::default() }).collect();
    Ok(Some(Found { hits, scanned: lines.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Username {
        Username::parse(b"bob").expect("a name")
    }

    #[test]
    fn questions_are_those_of_couriers_programs() {
        let local = Origin::local(Service::Pop3);
        let client = "192.0.2.7".parse().ok();
        let text = |question: &[u8]| String::from_utf8_lossy(question).into_owned();
        let question = check(&bob(), &Secret::new(*b"s3 cret"), &local).expect("a question");
        assert_eq!(text(&question), "AUTH 23\npop3\nlogin\nbob\ns3 cret\n");
        let question = look_up(&bob(), &Origin { client, ..local });
        assert_eq!(text(&question), "TCPREMOTEIP=192.0.2.7\nPRE . pop3 bob\n");
        for bad in [&b"a\nb"[..], b"a\0b", &[b'a'; MAX_BODY]] {
            assert!(check(&bob(), &Secret::new(bad), &local).is_err());
        }
    }

    #[test]
    fn an_answer_is_an_account_a_no_or_none() {
        let full = b"UID=1000\nGID=1000\nHOME=/home/bob\nADDRESS=bob\nNAME=Bob B\n.\n";
        let described = account(full).expect("an answer").expect("an account");
        assert_eq!((described.uid, described.home.as_deref()), (Some(1000), Some("/home/bob")));
        assert_eq!(described.info.get("name"), Some("Bob B"));
        let described = account(b"USERNAME=root\nADDRESS=bob\n.\n").expect("an answer");
        assert_eq!(described.expect("an account").uid, Some(0));
        assert!(account(b"FAIL\n").expect("an answer").is_none());
        let rows = [
            (&b""[..], UnavailableKind::Dead),
            (b"UID=1000\nHOME=/h", UnavailableKind::Dead),
            (b"FAIL", UnavailableKind::Dead),
            (b"nonsense\n.\n", UnavailableKind::Fault),
        ];
        for (answer, kind) in rows {
            let error = account(answer).err().map(|error| error.kind);
            assert_eq!(error, Some(kind), "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn users_are_listed_in_parts() {
        let answer =
            b"ann\t1\t1\t/h\t\t\nbob\t1\t1\t/h\t\t\nbo b\t1\t1\t/h\t\t\nbobby\t\t\t\t\t\n.\n";
        let search = |pattern: &str, from| Search {
            pattern: pattern.into(),
            from,
            max: None,
            origin: Origin::local(Service::Admin),
        };
        let names = |search: Search, most| {
            let found = found(answer, &search, most).expect("an answer").expect("a list");
            assert_eq!(found.scanned, 4);
            found.hits.iter().map(|hit| hit.user.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(search("*", 0), 9), ["ann", "bob", "bobby"]);
        assert_eq!(names(search("bo", 1), 9), ["bobby"]);
        assert_eq!(names(search("*", 0), 1), ["ann"]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes: Vec<u8>) {
            let _ = account(&bytes);
        }
    }
}
