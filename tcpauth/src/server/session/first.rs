//! The first version of the protocol: the lines of a module.

use std::sync::Arc;

use dmail_authent::helper;
use dmail_authent::line::{Reply, Request};
use dmail_core::Authenticator;
use dmail_core::framing::LineFault;

use super::super::{Client, Server};
use super::line::{Next, Phase, say};

/// A request of the line protocol. A client that may not ask so is told that
/// nobody answers, never that a password is wrong.
pub(super) fn request(
    server: &Arc<Server>,
    client: &Client,
    phase: &mut Phase,
    line: Result<&[u8], LineFault>,
    out: &mut Vec<u8>,
) -> Next {
    if !server.answers_first_version(client) {
        *phase = Phase::Over;
        return say(out, "-DEAD this daemon takes clients of its second version only\n");
    }
    *phase = Phase::First;
    let line = match line {
        Ok(line) => line,
        Err(fault) => return say(out, &format!("-ERR {fault}\n")),
    };
    let request = match Request::parse(line, server.manners.quoting) {
        Ok(request) => request,
        Err(error) => {
            Reply::err(error.to_string()).write(out);
            return Next::Said;
        }
    };
    if helper::answer_at_once(&request, &*server.gateway, out) {
        return Next::Said;
    }
    if request == Request::Exit {
        *phase = Phase::Over;
    }
    let mut manners = Arc::clone(&server.manners);
    let changes = matches!(request, Request::Set { .. } | Request::Del { .. });
    let gateway: Arc<dyn Authenticator> = if changes && server.may_change(client) {
        manners = Arc::clone(&server.changing_manners);
        Arc::clone(&server.relay) as _
    } else {
        Arc::clone(&server.gateway)
    };
    Next::Ask(Box::pin(async move {
        let mut reply = Vec::with_capacity(64);
        helper::answer(request, &*gateway, &manners, &mut reply).await;
        reply
    }))
}
