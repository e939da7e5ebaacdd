//! The line protocol with values and bytes that nobody would think of: what
//! can be written reads back as it was, and no bytes are too much.

use std::net::IpAddr;
use std::path::PathBuf;

use bytes::BytesMut;
use dmail_authent::line::{
    DataLine, Quoting, Reply, ReplyCodec, ReplyLine, Request, RequestCodec, Status,
};
use dmail_core::{Account, DropPath, Hit, Info, Secret, Uid, Username};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio_util::codec::Decoder;

fn username() -> impl Strategy<Value = Username> {
    let parse = |text: String| Username::parse(text.as_bytes()).ok();
    "[!-~]{1,40}|\\PC{1,20}".prop_filter_map("not a name", parse)
}

/// Mostly what a line can carry, so that most cases come that far.
fn secret() -> impl Strategy<Value = Secret> {
    let bytes = prop_oneof![
        4 => "[!-~]{1,40}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..40),
    ];
    bytes.prop_map(Secret::new)
}

fn info() -> impl Strategy<Value = Info> {
    let field = ("[a-z]{1,6}|\\PC{1,6}", "[ -~]{0,12}|\\PC{0,12}");
    vec(field, 0..4).prop_map(|fields| {
        let mut info = Info::default();
        for (label, value) in &fields {
            // Bad labels are left out.
            let _ = info.set(label, value);
        }
        info
    })
}

fn request() -> impl Strategy<Value = Request> {
    let check = (username(), secret(), option::of(any::<IpAddr>()))
        .prop_map(|(user, secret, client)| Request::Check { user, secret, client });
    let set = (username(), option::of(secret()), option::of(info()))
        .prop_map(|(user, secret, info)| Request::Set { user, secret, info });
    let search = ("[!-~]{1,20}|\\PC{0,10}", any::<usize>(), option::of(any::<usize>()))
        .prop_map(|(pattern, from, max)| Request::Search { pattern, from, max });
    prop_oneof![
        4 => check,
        4 => set,
        2 => search,
        1 => username().prop_map(|user| Request::Lookup { user }),
        1 => username().prop_map(|user| Request::Del { user }),
        1 => prop_oneof![Just(Request::Exit), Just(Request::Help), Just(Request::Version)],
    ]
}

fn quoting() -> impl Strategy<Value = Quoting> {
    (any::<bool>(), any::<bool>()).prop_map(|(utf8, percent)| Quoting { utf8, percent })
}

/// Info fields as a source has them, which has read them itself.
fn readable_info() -> impl Strategy<Value = Info> {
    info().prop_filter("ambiguous", |info| info.to_string().parse().as_ref() == Ok(info))
}

fn account() -> impl Strategy<Value = Account> {
    let file =
        "/[!-~&&[^/]]{1,9}/[!-~&&[^/.]]{1,9}".prop_map(|path| DropPath::File(PathBuf::from(path)));
    let uid =
        prop_oneof![any::<u32>().prop_map(Uid::Number), "[a-z][a-z0-9_]{0,8}".prop_map(Uid::Name),];
    let drop = prop_oneof![Just(DropPath::Config), file];
    (username(), drop, uid, readable_info())
        .prop_map(|(name, drop, uid, info)| Account { name, drop, uid: Some(uid), info })
        .prop_filter("stays where it points", |account| match &account.drop {
            DropPath::File(path) => !path.to_string_lossy().contains("/."),
            DropPath::Config => true,
        })
}

/// The line of a reply, read back.
fn read_back(line: &ReplyLine) -> ReplyLine {
    let mut written = Vec::new();
    line.write(&mut written);
    let text = written.strip_suffix(b"\n").expect("a line");
    assert!(!text.contains(&b'\n'), "one line");
    ReplyLine::parse(text).expect("a reply")
}

/// All items that a decoder finds in `input`, which arrives in `pieces`.
fn decode_all<D>(mut decoder: D, input: &[u8], pieces: usize) -> Vec<D::Item>
where
    D: Decoder<Error = std::io::Error>,
{
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in input.chunks(pieces.max(1)) {
        buffer.extend_from_slice(piece);
        while let Some(item) = decoder.decode(&mut buffer).expect("there is no IO") {
            items.push(item);
        }
    }
    items.extend(decoder.decode_eof(&mut buffer).expect("there is no IO"));
    items
}

/// Bytes that look like the protocol here and there.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"check bob s3cret 192.0.2.7\n".to_vec()),
        Just(b"set bob (NULL) a=\"".to_vec()),
        Just(b"search b* -from 2 -max".to_vec()),
        Just(b"+OK bob config 0 a=\"b\"".to_vec()),
        Just(b"-DEAD \n".to_vec()),
        Just(b"+DATA bob\r\n".to_vec()),
        Just(b"%4".to_vec()),
        Just(b"\n".to_vec()),
        vec(any::<u8>(), 0..50),
        vec(any::<u8>(), 5000..5100),
    ];
    vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_request_that_can_be_written_reads_back_as_it_was(
        request in request(),
        quoting in quoting(),
    ) {
        let mut written = Vec::new();
        if request.write(&mut written, quoting).is_ok() {
            let line = written.strip_suffix(b"\n").expect("a line");
            prop_assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)), "{:?}", line);
            prop_assert_eq!(Request::parse(line, quoting), Ok(request));
        }
    }

    #[test]
    fn a_module_that_takes_percent_encoding_can_be_asked_about_any_password(
        user in username(),
        password in vec(any::<u8>(), 1..40),
    ) {
        let quoting = Quoting { utf8: false, percent: true };
        let request = Request::Check { user, secret: Secret::new(password), client: None };
        let mut line = Vec::new();
        prop_assert!(request.write(&mut line, quoting).is_ok());
        prop_assert!(line.is_ascii());
        line.pop();
        prop_assert_eq!(Request::parse(&line, quoting), Ok(request));
    }

    #[test]
    fn an_account_reads_back_as_it_was(account in account()) {
        let line = ReplyLine::Final(Reply::account(&account));
        let ReplyLine::Final(reply) = read_back(&line) else { panic!("a final line") };
        prop_assert_eq!(reply.to_account(), Ok(account));
    }

    #[test]
    fn a_hit_reads_back_as_it_was(user in username(), info in readable_info()) {
        let hit = Hit { user, info };
        let ReplyLine::Data(line) = read_back(&ReplyLine::Data(DataLine::hit(&hit))) else {
            panic!("a data line")
        };
        prop_assert_eq!(line.to_hit(), Ok(hit));
    }

    #[test]
    fn a_reply_with_any_text_is_one_line_of_its_own_kind(text in any::<String>()) {
        for status in [Status::Ok, Status::Err, Status::Dead] {
            let line = ReplyLine::Final(Reply { status, text: text.clone() });
            let ReplyLine::Final(read) = read_back(&line) else { panic!("a final line") };
            prop_assert_eq!(read.status, status);
        }
    }

    #[test]
    fn no_bytes_are_too_much_and_their_pieces_do_not_matter(
        traffic in traffic(),
        pieces in 1_usize..300,
        quoting in quoting(),
    ) {
        let whole = traffic.len();
        let requests = |pieces| decode_all(RequestCodec::new(quoting), &traffic, pieces);
        prop_assert_eq!(requests(pieces), requests(whole));
        let replies = |pieces| decode_all(ReplyCodec::new(1024, quoting), &traffic, pieces);
        prop_assert_eq!(replies(pieces), replies(whole));
    }
}
