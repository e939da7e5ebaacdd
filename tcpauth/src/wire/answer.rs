//! The answers, as the server writes them.

use std::os::unix::ffi::OsStrExt;

use dmail_core::{
    Account, DropPath, Hit, Outcome, Purpose, Rejection, SearchOutcome, Uid, Unavailable,
    UnavailableKind, Verdict,
};

use super::field::{put, put_after, put_digits, put_info, put_nothing, put_number};
use super::{MAX_LINE_BYTES, proof};

/// How much of a reason is sent, in bytes: one line of a log.
const MAX_TEXT_BYTES: usize = 512;

/// Before what whoever has shown the right password may read.
const TOLD: &[u8] = b" told=";

/// Before what shows the client that the server knows the password, too.
const SIGNATURE: &[u8] = b" signature=";

/// Writes the answer to a `check` or `lookup`.
pub fn write_verdict(out: &mut Vec<u8>, id: u64, verdict: &Result<Verdict, Unavailable>) {
    match verdict {
        Ok(Verdict::Accepted(account)) => write_acceptance(out, id, account),
        Ok(Verdict::Rejected(rejection)) => write_refusal(out, id, rejection),
        Err(error) => dead(out, id, error.kind, &error.detail),
    }
}

/// Writes the answer to a question of this purpose: as [`write_verdict`] does,
/// with what the answer has beside its verdict.
pub fn write_judgement(
    out: &mut Vec<u8>,
    id: u64,
    purpose: &Purpose,
    verdict: &Result<Verdict, Unavailable>,
) {
    let start = out.len();
    match (purpose, verdict) {
        (Purpose::Salt(question), Ok(Verdict::Accepted(_))) => {
            match (question.made_up(), question.told()) {
                // Who asks may have the user elsewhere, and makes one up itself.
                (Some(no), _) => write_refusal(out, id, no),
                (None, Some(salt)) => {
                    put_digits(out, id);
                    out.extend_from_slice(b" salt");
                    proof::put_salt(out, salt);
                    out.push(b'\n');
                }
                (None, None) => dead(out, id, UnavailableKind::Fault, "a yes without a salt"),
            }
        }
        (Purpose::Prove(proof), Ok(Verdict::Accepted(account))) => {
            accepted(out, id, account, proof.signature());
            bound(out, id, start);
        }
        _ => write_verdict(out, id, verdict),
    }
}

/// Writes the answer to a `check` or `lookup` that is accepted.
pub fn write_acceptance(out: &mut Vec<u8>, id: u64, account: &Account) {
    let start = out.len();
    accepted(out, id, account, None);
    bound(out, id, start);
}

/// Nobody can be let in by half an account, which begins at `start`.
fn bound(out: &mut Vec<u8>, id: u64, start: usize) {
    if out.len() - start > MAX_LINE_BYTES + 1 {
        out.truncate(start);
        dead(out, id, UnavailableKind::Fault, "the account is longer than a line");
    }
}

/// Writes the answer to a `set` or `del`.
pub fn write_outcome(out: &mut Vec<u8>, id: u64, outcome: &Result<Outcome, Unavailable>) {
    match outcome {
        Ok(Outcome::Done(text)) => {
            put_digits(out, id);
            out.extend_from_slice(b" done");
            put(out, cut(text).as_bytes());
            out.push(b'\n');
        }
        Ok(Outcome::Refused(rejection)) => write_refusal(out, id, rejection),
        Err(error) => dead(out, id, error.kind, &error.detail),
    }
}

/// Writes the answer to a `search`: a line for each hit, and one for the end.
pub fn write_search(out: &mut Vec<u8>, id: u64, outcome: &Result<SearchOutcome, Unavailable>) {
    match outcome {
        Ok(SearchOutcome::Found(found)) => {
            found.hits.iter().for_each(|hit| write_hit(out, id, hit));
            put_digits(out, id);
            out.extend_from_slice(b" found");
            put_number(out, found.scanned as u64);
            out.push(b'\n');
        }
        Ok(SearchOutcome::Refused(rejection)) => write_refusal(out, id, rejection),
        Err(error) => dead(out, id, error.kind, &error.detail),
    }
}

/// Writes a "no".
pub fn write_refusal(out: &mut Vec<u8>, id: u64, rejection: &Rejection) {
    put_digits(out, id);
    out.extend_from_slice(b" no ");
    out.extend_from_slice(rejection.kind.id().as_bytes());
    put(out, cut(&rejection.text).as_bytes());
    if let Some(told) = rejection.told.as_deref().filter(|told| is_tellable(told.as_bytes())) {
        out.extend_from_slice(TOLD);
        put_after(out, cut(told).as_bytes());
    }
    out.push(b'\n');
}

/// Whether a text may be a part of a reply of SMTP or POP3: one line of
/// printable ASCII.
pub(super) fn is_tellable(told: &[u8]) -> bool {
    !told.is_empty() && told.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn accepted(out: &mut Vec<u8>, id: u64, account: &Account, signature: Option<&[u8]>) {
    put_digits(out, id);
    out.extend_from_slice(b" ok");
    put(out, account.name.as_str().as_bytes());
    match &account.drop {
        DropPath::Config => put_nothing(out),
        DropPath::File(path) => put(out, path.as_os_str().as_bytes()),
    }
    match &account.uid {
        None => put_nothing(out),
        // Each says which it is: there are users with names of digits.
        Some(Uid::Name(name)) => {
            out.extend_from_slice(b" @");
            put_after(out, name.as_bytes());
        }
        Some(Uid::Number(number)) => {
            out.extend_from_slice(b" #");
            put_digits(out, u64::from(*number));
        }
    }
    match account.info.is_empty() {
        true => put_nothing(out),
        false => put_info(out, &account.info),
    }
    if let Some(signature) = signature {
        out.extend_from_slice(SIGNATURE);
        put_after(out, signature);
    }
    out.push(b'\n');
}

/// A hit too long for a line is listed without its info fields.
fn write_hit(out: &mut Vec<u8>, id: u64, hit: &Hit) {
    let start = out.len();
    let name = |out: &mut Vec<u8>| {
        put_digits(out, id);
        out.extend_from_slice(b" hit");
        put(out, hit.user.as_str().as_bytes());
    };
    name(out);
    put_info(out, &hit.info);
    if out.len() - start > MAX_LINE_BYTES {
        out.truncate(start);
        name(out);
        out.extend_from_slice(b" %");
    }
    out.push(b'\n');
}

fn dead(out: &mut Vec<u8>, id: u64, kind: UnavailableKind, detail: &str) {
    put_digits(out, id);
    out.extend_from_slice(b" dead ");
    out.extend_from_slice(kind.id().as_bytes());
    put(out, cut(detail).as_bytes());
    out.push(b'\n');
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}
