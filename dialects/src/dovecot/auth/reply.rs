//! What a client is told of its login.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dmail_core::{Account, Rejection, RejectionKind};

use super::super::line::put_escaped;

/// `CONT`: a message for the client.
pub(super) fn say(out: &mut Vec<u8>, id: u32, text: &[u8], parameter: Option<&str>) {
    out.extend_from_slice(format!("CONT\t{id}\t{}", STANDARD.encode(text)).as_bytes());
    if let Some(parameter) = parameter {
        out.push(b'\t');
        out.extend_from_slice(parameter.as_bytes());
    }
    out.push(b'\n');
}

/// `OK`, the name first: Postfix and Exim look for it there.
pub(super) fn accept(out: &mut Vec<u8>, id: u32, account: &Account, last: Option<&[u8]>) {
    out.extend_from_slice(format!("OK\t{id}\tuser=").as_bytes());
    put_escaped(out, account.name.as_str().as_bytes());
    if let Some(last) = last {
        out.extend_from_slice(format!("\tresp={}", STANDARD.encode(last)).as_bytes());
    }
    out.push(b'\n');
}

/// A `FAIL` that says no more than a client may know: the reason is shown to it.
pub(super) fn refuse(out: &mut Vec<u8>, id: u32, rejection: &Rejection) {
    match rejection.kind {
        RejectionKind::Disabled | RejectionKind::NotAllowed | RejectionKind::OnHold => {
            let reason = rejection.told.as_deref().map(|told| {
                let mut reason = b"reason=".to_vec();
                put_escaped(&mut reason, told.as_bytes());
                reason
            });
            match &reason {
                Some(reason) => fail(out, id, &[b"code=user_disabled", reason]),
                None => fail(out, id, &[b"code=user_disabled"]),
            }
        }
        RejectionKind::BadInput
        | RejectionKind::NotVerified
        | RejectionKind::Throttled
        | RejectionKind::UnknownUser
        | RejectionKind::Unsupported => fail(out, id, &[]),
    }
}

/// `FAIL`, with such fields.
pub(super) fn fail(out: &mut Vec<u8>, id: u32, fields: &[&[u8]]) {
    out.extend_from_slice(format!("FAIL\t{id}").as_bytes());
    for field in fields {
        out.push(b'\t');
        out.extend_from_slice(field);
    }
    out.push(b'\n');
}
