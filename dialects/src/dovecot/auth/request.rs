//! How a client begins a login.

use dmail_core::{Origin, Service};

use super::super::{line, origin};
use crate::lines::Broken;

/// What follows the word `AUTH`.
pub(super) struct Request<'a> {
    /// The client's number for the login.
    pub(super) id: u32,
    /// The mechanism, as the client wrote it.
    pub(super) mechanism: &'a [u8],
    /// Whom the client asks for.
    pub(super) origin: Origin,
    /// Whether the client takes the last message together with `OK`.
    pub(super) takes_last: bool,
    /// Whether a mail process will take the login up.
    pub(super) is_taken_up: bool,
    /// The first message, in base64, if it is there at once.
    pub(super) response: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    pub(super) fn read(mut fields: impl Iterator<Item = &'a [u8]>) -> Result<Self, Broken> {
        let id = fields.next().and_then(line::id).ok_or(Broken("AUTH without id"))?;
        let mechanism = fields.next().ok_or(Broken("AUTH without mechanism"))?;
        let origin = Origin::local(Service::Line);
        let (takes_last, is_taken_up, response) = (false, true, None);
        let mut request = Self { id, mechanism, origin, takes_last, is_taken_up, response };
        for field in fields {
            if request.response.is_some() {
                return Err(Broken("a parameter behind resp"));
            }
            let (name, value) = origin::split(field);
            match name {
                // By the protocol it is the last one, and not escaped.
                b"resp" => request.response = Some(value),
                b"final-resp-ok" => request.takes_last = true,
                b"nologin" => request.is_taken_up = false,
                _ => origin::take(&mut request.origin, name, &line::unescape(value)),
            }
        }
        Ok(request)
    }
}
