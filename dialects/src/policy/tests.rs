//! The policy, asked as Postfix asks.

use dmail_core::{Unavailable, UnavailableKind};

use super::*;
use crate::talk;

fn user(name: &str) -> Username {
    Username::parse(name.as_bytes()).expect("a name")
}

/// Ann and bob have accounts in corp.example; ann is the owner of sales, too.
fn look_up(request: &AuthRequest) -> Result<Verdict, Unavailable> {
    assert_eq!((request.origin.service, request.origin.local), (Service::Line, None));
    let name = request.user.as_str().to_ascii_lowercase();
    let account = |name: &str, info: &str| {
        let mut account = Account::named(user(name));
        account.info = info.parse().expect("info");
        Ok(Verdict::accepted(account))
    };
    match name.strip_suffix("@corp.example").unwrap_or(&name) {
        "ann" | "sales" => account("ann", ""),
        "bob" => account("bob", r#"sendas="info@corp.example, *@shop.example""#),
        "late" => account("late", r#"mailstatus="suspended""#),
        "few" => account("few", r#"sendlimit="1/1d""#),
        "down" => Err(Unavailable::new(UnavailableKind::Dead, "down")),
        _ => Ok(Verdict::Rejected(Rejection::unknown_user(&request.user))),
    }
}

fn policy(sender: SenderRule) -> Arc<Policy> {
    let rate = |text: &str| vec![text.parse().expect("a rate")];
    let limits = Limits { messages: rate("3/1h"), recipients: rate("6/1h") };
    let domains = vec![Domain::parse("corp.example").expect("a domain")];
    let standing = |account: &Account, origin: &Origin| match account.info.account_state() {
        Some(_) => {
            assert_eq!(origin.service, Service::Smtp);
            let kind = RejectionKind::Disabled;
            Err(Rejection::new(kind, "suspended").telling("this account is suspended"))
        }
        None => Ok(()),
    };
    Arc::new(Policy::new(Rules { limits, sender, domains }, Box::new(standing)))
}

/// What is replied to `input`: the actions, with `|` behind each.
fn talk(policy: &Arc<Policy>, input: &str) -> String {
    let mut session = PolicySession::new(Arc::clone(policy));
    let (out, end) = talk::with(&mut session, input.as_bytes(), |question| match question {
        Question::Authenticate(request) => Answer::Verdict(look_up(&request)),
        question => panic!("{question:?}"),
    });
    let out = String::from_utf8(out).expect("text").replace("action=", "").replace("\n\n", "|");
    if end.is_empty() { out } else { format!("{out}[{end}]") }
}

/// A request as Postfix 3.7 sends it.
fn request(state: &str, login: &str, sender: &str, instance: &str, more: &str) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state={state}\nprotocol_name=ESMTP\n\
         client_address=192.0.2.7\nclient_name=unknown\nsender={sender}\nsize=0\n\
         sasl_method=plain\nsasl_username={login}\nsasl_sender=\ninstance={instance}\n{more}\n"
    )
}

fn rcpt(login: &str, sender: &str) -> String {
    request("RCPT", login, sender, "1.2.0", "recipient=far@far.example\nrecipient_count=0\n")
}

const FOREIGN: &str = "553 5.7.1 the sender is not an address of the account that has logged in|";

#[test]
fn a_login_sends_as_itself() {
    let rows = [
        ("", "anybody@corp.example", "DUNNO|"),
        ("bob", "bob@corp.example", "DUNNO|"),
        ("bob", "Bob@Corp.Example", "DUNNO|"),
        ("bob@corp.example", "bob@corp.example", "DUNNO|"),
        ("bob", "bob+news@corp.example", "DUNNO|"),
        ("bob", "", "DUNNO|"),
        ("bob", "bob", "DUNNO|"),
        ("ann", "sales@corp.example", "DUNNO|"),
        ("bob", "Info@corp.example", "DUNNO|"),
        ("bob", "any@shop.example", "DUNNO|"),
        ("bob", "ann@corp.example", FOREIGN),
        ("bob", "ann+x@corp.example", FOREIGN),
        ("bob", "nobody+x@corp.example", FOREIGN),
        ("bob", "+x@corp.example", FOREIGN),
        ("ann", "bob@far.example", FOREIGN),
        ("bob", "two words@corp.example", FOREIGN),
        ("nobody", "nobody@corp.example", "550 5.7.1 there is no such account|"),
        ("no body", "", "550 5.7.1 there is no such account|"),
        ("late", "late@corp.example", "550 5.7.1 this account is suspended|"),
        // Nobody can say, so nothing is said.
        ("down", "down@corp.example", "[closed]"),
        ("bob", "down@corp.example", "[closed]"),
    ];
    for (login, sender, expected) in rows {
        let found = talk(&policy(SenderRule::Own), &rcpt(login, sender));
        assert_eq!(found, expected, "{login} as {sender}");
    }
}

#[test]
fn a_site_may_allow_other_senders() {
    for (rule, sender, expected) in [
        (SenderRule::Foreign, "bob@far.example", "DUNNO|"),
        (SenderRule::Foreign, "ann@corp.example", FOREIGN),
        (SenderRule::Foreign, "ann", FOREIGN),
        (SenderRule::Any, "ann@corp.example", "DUNNO|"),
    ] {
        assert_eq!(talk(&policy(rule), &rcpt("bob", sender)), expected, "{rule:?} {sender}");
    }
}

#[test]
fn a_login_sends_so_much_and_no_more() {
    let policy = policy(SenderRule::Own);
    let send = |login: &str, instance: &str, count: u32| {
        let sender = format!("{login}@corp.example");
        let mut input = String::new();
        for number in 0..count {
            let more = format!("recipient=r{number}@far.example\nrecipient_count=0\n");
            input += &request("RCPT", login, &sender, instance, &more);
        }
        let more = format!("recipient=\nrecipient_count={count}\n");
        input += &request("DATA", login, &sender, instance, &more);
        input += &request("END-OF-MESSAGE", login, &sender, instance, &more);
        talk(&policy, &input)
    };
    let messages = "450 4.7.1 this account may send 3 messages in 1h; try again in 66 minutes|";
    let recipients = "450 4.7.1 this account may send 6 recipients in 1h; try again in 66 minutes|";
    assert_eq!(send("bob", "a", 2), "DUNNO|DUNNO|DUNNO|DUNNO|");
    assert_eq!(send("bob", "b", 1), "DUNNO|DUNNO|DUNNO|");
    assert_eq!(send("bob", "c", 3), "DUNNO|DUNNO|DUNNO|DUNNO|DUNNO|");
    assert_eq!(send("bob", "d", 1), messages.repeat(3));
    // Others are not concerned; nor is a message that never began.
    assert_eq!(send("ann", "a", 6), "DUNNO|".repeat(8));
    assert_eq!(send("ann", "b", 1), recipients.repeat(3));
    assert_eq!(send("few", "a", 1), "DUNNO|".repeat(3));
    let own = "450 4.7.1 this account may send 1 message in 1d; try again in 1584 minutes|";
    assert_eq!(send("few", "b", 1), own.repeat(3));
    // A message that is larger than the limit never fits.
    policy.outgoing().clear(None);
    let more = "recipient_count=7\n";
    let large = request("DATA", "ann", "ann@corp.example", "z", more);
    let never = "550 5.7.1 this account may send 6 recipients in 1h, and this message has more|";
    assert_eq!(talk(&policy, &large), never);
    // Other rules from now on; what was sent counts.
    policy.set_rules(Rules {
        limits: Limits::default(),
        sender: SenderRule::Own,
        domains: Vec::new(),
    });
    assert_eq!(send("bob", "d", 9), "DUNNO|".repeat(11));
}

#[test]
fn other_stages_are_not_judged() {
    let policy = policy(SenderRule::Own);
    for state in ["CONNECT", "EHLO", "VRFY", "ETRN"] {
        assert_eq!(talk(&policy, &request(state, "bob", "x@y", "", "")), "DUNNO|", "{state}");
    }
    let mail = request("MAIL", "bob", "ann@corp.example", "", "");
    assert_eq!(talk(&policy, &mail), FOREIGN);
    assert_eq!(policy.outgoing().list(), []);
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let many = "x=1\n".repeat(201);
    for (input, expected) in [
        ("", ""),
        ("request=smtpd_access_policy\nsender=", ""),
        ("\n", "[a request that is not smtpd_access_policy]"),
        ("request=other\n\n", "[a request that is not smtpd_access_policy]"),
        ("GET / HTTP/1.0\n", "[a line that is no attribute]"),
        ("recipient_count=x\n", "[a recipient_count that is none]"),
        (&many, "[a request of too many attributes]"),
    ] {
        assert_eq!(talk(&policy(SenderRule::Own), input), expected, "{input}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(text in "(?s).{0,200}") {
        let _ = talk(&policy(SenderRule::Own), &text);
    }
}
