//! Why a service gave no answer, in the words of the gateway.

use std::error::Error;
use std::{io, iter};

use dmail_core::UnavailableKind;
use http_body_util::LengthLimitError;
use hyper_util::client::legacy;

/// Why a service gave no answer.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) kind: UnavailableKind,
    pub(super) why: String,
    /// Whether the connection may have been closed before it was used: its
    /// server did not want it any more, and may well answer over a new one.
    pub(super) is_stale: bool,
}

impl Trouble {
    /// Before the head of an answer was there.
    pub(super) fn asking(error: &legacy::Error) -> Self {
        if error.is_connect() {
            let late = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
            let kind = match late.last().map(io::Error::kind) {
                Some(io::ErrorKind::TimedOut) => UnavailableKind::Timeout,
                _ => UnavailableKind::Dead,
            };
            return Self { kind, why: last(error), is_stale: false };
        }
        let by_hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
        let closed = by_hyper.is_some_and(|error| {
            error.is_incomplete_message() || error.is_canceled() || error.is_closed()
        });
        Self { is_stale: closed || is_of_the_network(error), ..Self::hearing(error) }
    }

    /// Within an answer.
    pub(super) fn hearing(error: &(dyn Error + 'static)) -> Self {
        let kind = match is_of_the_network(error) {
            true => UnavailableKind::Dead,
            false => UnavailableKind::Fault,
        };
        let too_long = causes(error).any(|cause| cause.is::<LengthLimitError>());
        let why = if too_long { "its answer is too long".to_owned() } else { last(error) };
        Self { kind, why, is_stale: false }
    }
}

/// Whether the system said so, and not the bytes that came.
fn is_of_the_network(error: &(dyn Error + 'static)) -> bool {
    let mut of_io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    of_io.any(|cause| cause.raw_os_error().is_some())
}

/// An error and what is behind it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// What is behind all of it; the layers before say little.
fn last(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}
