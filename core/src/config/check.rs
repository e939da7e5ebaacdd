//! Contradictions between settings that are each fine by themselves.

mod access;
mod dialects;
mod domains;

pub(super) use access::access;
pub(super) use dialects::dialects;
pub(super) use domains::domains;

use super::diagnostic::Severity::{Error, Warning};
use super::given::Given;
use super::settings::{
    AuthentMethod, AuthentSettings, CacheSettings, ModuleSettings, PopSettings, SmtpSettings,
    ThrottleSettings,
};
use super::value::{Listen, SetBy};

/// The method and the module go together.
pub(super) fn authent(authent: &AuthentSettings, module: &ModuleSettings, given: &mut Given<'_>) {
    let names = ["authent_process", "authent_method"];
    if !given.are_sound(&names) {
        return;
    }
    match (authent.method, &module.process) {
        (AuthentMethod::External, None) => given.report(
            Error,
            &["authent_method"],
            "`authent_method external` needs a module to ask",
            "add a line such as: authent_process /usr/local/dmail/myauth",
        ),
        (AuthentMethod::External, Some(_)) | (_, None) => {}
        (other, Some(_)) => {
            let other = other.name();
            let message = format!("`authent_process` is not used, for `authent_method` is {other}");
            given.report(Warning, &names, &message, "to ask the module: authent_method external");
        }
    }
    if given.is_set("authent_ini")
        && matches!(authent.method, AuthentMethod::External | AuthentMethod::Nwauth)
    {
        let name = authent.method.name();
        let message = format!("`authent_ini` is not used, for `authent_method` is {name}");
        given.report(Warning, &["authent_ini"], &message, "the settings are in this file");
    }
}

/// An answer is not fresh for longer than it lives.
pub(super) fn cache(cache: &CacheSettings, given: &mut Given<'_>) {
    let names = ["authent_cache_fresh", "authent_cache_life"];
    if given.are_sound(&names) && cache.fresh > cache.life {
        let (fresh, life) = (cache.fresh.as_secs(), cache.life.as_secs());
        let message = format!(
            "`authent_cache_fresh` ({fresh} seconds) is longer than \
             `authent_cache_life` ({life} seconds)"
        );
        let help = format!("for example: authent_cache_fresh {life}");
        given.report(Error, &names, &message, &help);
    }
}

/// The first delay is not longer than the longest, and delays begin before the
/// refusals.
pub(super) fn throttle(throttle: &ThrottleSettings, given: &mut Given<'_>) {
    let names = ["throttle_delay_first", "throttle_delay_max"];
    let (first, longest) = (throttle.delay_first, throttle.delay_max);
    if given.are_sound(&names) && !longest.is_zero() && first > longest {
        let (first, longest) = (first.as_secs(), longest.as_secs());
        let message = format!(
            "`throttle_delay_first` ({first} seconds) is longer than \
             `throttle_delay_max` ({longest} seconds)"
        );
        let help = format!("for example: throttle_delay_first {longest}");
        given.report(Error, &names, &message, &help);
    }
    let names = ["throttle_free", "throttle_failures"];
    if given.are_sound(&names) && throttle.failures != 0 && throttle.free >= throttle.failures {
        let failures = throttle.failures;
        let message = format!(
            "nothing is ever delayed: `throttle_free` is {}, and from `throttle_failures` \
             ({failures}) on everything is refused",
            throttle.free
        );
        given.report(Warning, &names, &message, "set throttle_free to a smaller number");
    }
}

/// One port is for one service, and somebody can connect and log in.
pub(super) fn servers(smtp: &SmtpSettings, pop: &PopSettings, given: &mut Given<'_>) {
    ports(smtp, pop, given);
    user_ip_address(pop, given);
    if given.are_sound(&["pop_port", "pop_auth_plaintext"])
        && !given.is_set("pop_auth_plaintext")
        && !pop.ports.iter().all(Listen::is_loopback)
    {
        given.report(
            Warning,
            &["pop_port"],
            "nobody on another machine can log in to DPOP, for it has no encryption yet",
            "add `pop_auth_plaintext true` to allow plain passwords, or `false` to keep it so",
        );
    }
}

fn ports(smtp: &SmtpSettings, pop: &PopSettings, given: &mut Given<'_>) {
    let mut earlier: Vec<&Listen> = Vec::new();
    for listen in smtp.ports.iter().chain(&pop.ports) {
        if let Some(other) = earlier.iter().find(|other| listen.collides_with(other)) {
            collision(other, listen, given);
        }
        earlier.push(listen);
    }
}

fn collision(one: &Listen, two: &Listen, given: &mut Given<'_>) {
    let message =
        format!("{} of `{}` and {} of `{}` are the same port", two, two.setting, one, one.setting);
    match (&one.set_by, &two.set_by) {
        (SetBy::Line(first), SetBy::Line(second)) => {
            given.clash(second, &message, first, "taken here");
        }
        _ => {
            let help = "give one of them another port, or an address of its own";
            given.report(Error, &[one.setting, two.setting], &message, help);
        }
    }
}

fn user_ip_address(pop: &PopSettings, given: &mut Given<'_>) {
    if !given.are_sound(&["user_ip_address"]) {
        return;
    }
    let places = given.places("user_ip_address");
    for (list, place) in pop.user_ip_address.iter().zip(&places) {
        if list.passes_nobody() {
            given.report_at(
                Error,
                place,
                "no client can be in all the networks of this list",
                "a client must pass every item of a line: give each network a line of its own",
            );
        }
    }
}
