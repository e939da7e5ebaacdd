//! Contradictions between settings that are each fine by themselves, and the
//! files that they name.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dmail_core::Secret;
use dmail_core::config::Given;
use dmail_core::config::Severity::{Error, Warning};

use super::settings::{AttributeSettings, ChangeSettings, ServerSettings, UserSettings};
use super::{Identity, Mode, SetMethod, Transport};
use crate::tls::{self, Tls};

/// The mode has what it needs.
pub(super) fn users(
    users: &UserSettings,
    attributes: &AttributeSettings,
    changes: &ChangeSettings,
    given: &mut Given<'_>,
) {
    if !given.are_sound(&["ldap_mode", "ldap_user_dn", "ldap_base", "ldap_filter"]) {
        return;
    }
    let by_dn = users.mode == Mode::BindDn;
    match &users.user_dn {
        None if by_dn => given.report(
            Error,
            &["ldap_mode"],
            "`ldap_mode bind_dn` needs the name to bind as",
            "add a line such as: ldap_user_dn uid=%n,ou=people,dc=corp,dc=example",
        ),
        Some(_) if !by_dn => {
            let help = "to bind without a search: ldap_mode bind_dn";
            unused(given, "ldap_user_dn", "`ldap_mode` is not bind_dn", help);
        }
        Some(template) if !template.is_dn() && (is_mapped(attributes) || !changes.readonly) => {
            let message =
                "`ldap_user_dn` is no distinguished name, so the entry cannot be read or changed";
            let help =
                "use ldap_mode search_bind, or map no attribute and leave ldap_readonly true";
            given.report(Error, &["ldap_user_dn"], message, help);
        }
        _ => {}
    }
    if !by_dn && users.base.is_none() {
        given.report(
            Error,
            &["ldap_mode"],
            "a search for users needs `ldap_base`",
            "add a line such as: ldap_base ou=people,dc=corp,dc=example",
        );
    }
    if users.mode != Mode::SearchBind {
        let help = "only ldap_mode search_bind finds nobody and could have bound";
        unused(given, "ldap_decoy_dn", "the mode is another one", help);
    }
    if by_dn {
        let help = "to find users by a filter: ldap_mode search_bind";
        unused(given, "ldap_filter", "`ldap_mode` is bind_dn", help);
    }
}

fn is_mapped(attributes: &AttributeSettings) -> bool {
    let AttributeSettings { drop, uid, forward, quota, status, info, .. } = attributes;
    let one = [drop, uid, forward, quota, status].into_iter().any(Option::is_some);
    one || !info.is_empty()
}

fn unused(given: &mut Given<'_>, name: &str, why: &str, help: &str) {
    if given.is_set(name) {
        given.report(Warning, &[name], &format!("`{name}` is not used, for {why}"), help);
    }
}

/// What is set for changes has an effect.
pub(super) fn changes(
    server: &ServerSettings,
    mode: Mode,
    changes: &ChangeSettings,
    given: &mut Given<'_>,
) {
    let hashes = mode == Mode::Compare;
    if changes.readonly {
        if !hashes {
            let help = "to allow changes: ldap_readonly false";
            unused(given, "ldap_scheme", "`ldap_readonly` is true", help);
        }
        let names = ["ldap_set_method", "ldap_new_dn", "ldap_new_objectclass", "ldap_new_attr"];
        for name in names {
            unused(given, name, "`ldap_readonly` is true", "to allow changes: ldap_readonly false");
        }
        return;
    }
    if changes.set_method != SetMethod::Replace && !hashes {
        let help = "to store hashes of our own: ldap_set_method replace";
        unused(given, "ldap_scheme", "the directory hashes passwords itself", help);
    }
    if changes.new_dn.as_ref().is_some_and(|template| !template.is_dn()) {
        given.report(
            Error,
            &["ldap_new_dn"],
            "`ldap_new_dn` is not a distinguished name",
            "for example: ldap_new_dn uid=%n,ou=people,dc=corp,dc=example",
        );
    }
    if changes.set_method == SetMethod::UnicodePwd
        && given.are_sound(&["ldap_server"])
        && server.servers.iter().any(|address| in_clear(&address.transport, server.starttls))
    {
        given.report(
            Error,
            &["ldap_set_method"],
            "Active Directory takes `unicodePwd` over TLS only",
            "use an ldaps:// server, or ldap_starttls true",
        );
    }
}

fn in_clear(transport: &Transport, starttls: bool) -> bool {
    matches!(transport, Transport::Tcp { tls: false, .. }) && !starttls
}

/// Passwords do not cross a network in clear by an oversight.
pub(super) fn transport(server: &ServerSettings, given: &mut Given<'_>) {
    if !given.are_sound(&["ldap_server", "ldap_starttls"]) {
        return;
    }
    let places = given.places("ldap_server");
    let mut uses_tls = false;
    for (address, place) in server.servers.iter().zip(&places) {
        let Transport::Tcp { host, tls, .. } = &address.transport else { continue };
        uses_tls |= *tls || server.starttls;
        if *tls && server.starttls {
            let message = "an ldaps:// server has TLS already, and `ldap_starttls` is true";
            given.report_at(Error, place, message, "write ldap://, or take `ldap_starttls` away");
        } else if !*tls && !server.starttls && !is_here(host) {
            let message = "passwords cross the network to this server in clear text";
            given.report_at(Warning, place, message, "write ldaps://, or ldap_starttls true");
        }
    }
    if !uses_tls {
        for name in ["ldap_ca_file", "ldap_client_cert", "ldap_client_key"] {
            unused(given, name, "no server is asked over TLS", "ldaps://, or ldap_starttls true");
        }
    }
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

/// A name has a password: without one, a bind succeeds and proves nothing
/// (RFC 4513 section 5.1.2).
pub(super) fn identity(server: &ServerSettings, given: &mut Given<'_>) -> Option<Option<Identity>> {
    const PASSWORD: [&str; 2] = ["ldap_bind_password", "ldap_bind_password_file"];
    if !given.are_sound(&["ldap_bind_dn", PASSWORD[0], PASSWORD[1]]) {
        return None;
    }
    if let [first, .., second] =
        [given.places(PASSWORD[0]), given.places(PASSWORD[1])].concat().as_slice()
    {
        given.clash(second, "the password of `ldap_bind_dn` is set twice", first, "first set here");
        return None;
    }
    given.guard_secret(PASSWORD[0], mode);
    let password = match &server.bind_password_file {
        Some(file) => {
            given.guard_file(PASSWORD[1], file, mode(file));
            Some(read_password(file, given)?)
        }
        None => server.bind_password.clone(),
    };
    match (&server.bind_dn, password) {
        (Some(dn), Some(password)) => Some(Some(Identity { dn: dn.clone(), password })),
        (None, None) => Some(None),
        (Some(_), None) => {
            let help = "add a line: ldap_bind_password_file FILE";
            given.report(Error, &["ldap_bind_dn"], "`ldap_bind_dn` has no password", help);
            None
        }
        (None, Some(_)) => {
            let help = "add a line such as: ldap_bind_dn cn=dmail,dc=corp,dc=example";
            given.report(Error, &PASSWORD, "the password has no `ldap_bind_dn`", help);
            None
        }
    }
}

/// The permission bits of a file.
fn mode(file: &Path) -> Option<u32> {
    std::fs::metadata(file).ok().map(|found| found.mode())
}

fn read_password(file: &Path, given: &mut Given<'_>) -> Option<Secret> {
    let shown = file.display();
    let names = ["ldap_bind_password_file"];
    match std::fs::read(file).map(zeroize::Zeroizing::new) {
        Ok(bytes) => match bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next() {
            Some(first) if !first.is_empty() && std::str::from_utf8(first).is_ok() => {
                Some(Secret::new(first))
            }
            _ => {
                let help = "write the password, in UTF-8, in the first line of the file";
                given.report(Error, &names, &format!("{shown} has no password in it"), help);
                None
            }
        },
        Err(error) => {
            let help = "the file must be readable by the user that the servers run as";
            given.report(Error, &names, &format!("cannot read {shown}: {error}"), help);
            None
        }
    }
}

/// The certificates are there and can be used.
pub(super) fn tls(server: &ServerSettings, given: &mut Given<'_>) -> Option<Tls> {
    if !given.are_sound(&["ldap_ca_file", "ldap_client_cert", "ldap_client_key"]) {
        return None;
    }
    let own = match (&server.client_cert, &server.client_key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        _ => {
            let names = ["ldap_client_cert", "ldap_client_key"];
            let message = "a client certificate is two settings, and one is missing";
            given.report(Error, &names, message, "set ldap_client_cert and ldap_client_key");
            return None;
        }
    };
    if let Some((_, key)) = own {
        let found = std::fs::metadata(key).ok().map(|found| (found.mode(), found.uid()));
        given.guard_key("ldap_client_key", key, found);
    }
    match tls::client(server.ca_file.as_deref(), own) {
        Ok(tls) => Some(tls),
        Err(fault) => {
            let help = "the file holds PEM text: -----BEGIN CERTIFICATE----- …";
            given.report(Error, &[fault.setting], &fault.message, help);
            None
        }
    }
}
