//! Domains: each user belongs to one, and has a drop file to himself.

use super::super::diagnostic::Severity::{Error, Warning};
use super::super::given::Given;
use super::super::place::Place;
use super::super::settings::{DomainSettings, DropSettings};
use super::super::vdomain::{Selector, VirtualDomain};

/// A rule about two `vdomain` lines: what is wrong with the second, and what
/// to say about the first.
type Rule = fn(&VirtualDomain, &VirtualDomain) -> Option<(String, &'static str)>;

const RULES: [Rule; 4] = [one_prefix, one_drop_path, one_selector, no_suffix_in_another];

/// Compares the domains with each other and with the drop paths.
pub(in super::super) fn domains(
    domains: &DomainSettings,
    drop: Option<&DropSettings>,
    given: &mut Given<'_>,
) {
    if !given.are_sound(&["host_domain", "vdomain", "vdomain_separator"]) {
        return;
    }
    host_domains(domains, given);
    let places = given.places("vdomain");
    let lines: Vec<(&VirtualDomain, &Place)> = domains.vdomains.iter().zip(&places).collect();
    for (index, line) in lines.iter().enumerate() {
        separator(domains, line.1, line.0, given);
        pairs(&lines[..index], *line, given);
    }
    if let Some(drop) = drop
        && given.are_sound(&["drop_path", "drop_prefix"])
        && !drop.drop_prefix
    {
        shared_folders(&lines, drop, given);
    }
}

/// A domain is named once, and is either the main domain or a virtual one.
fn host_domains(domains: &DomainSettings, given: &mut Given<'_>) {
    let places = given.places("host_domain");
    for (index, domain) in domains.host_domains.iter().enumerate() {
        if domains.host_domains[..index].contains(domain) {
            let message = format!("`host_domain {domain}` is there twice");
            given.report_at(Warning, &places[index], &message, "one of the lines is enough");
        }
        let virtual_one = domains.vdomains.iter().position(|v| v.domain == *domain);
        if let Some(at) = virtual_one {
            let message = format!("{domain} is both a `vdomain` and a `host_domain`");
            let place = &given.places("vdomain")[at];
            given.clash(place, &message, &places[index], "a name of the main domain here");
        }
    }
}

/// `abc_fred` must be `fred` of `abc`, and nothing else.
fn separator(domains: &DomainSettings, place: &Place, line: &VirtualDomain, given: &mut Given<'_>) {
    let separator = domains.vdomain_separator;
    if line.prefix.contains(separator) {
        let message =
            format!("the prefix `{}` holds `{separator}`, which ends a prefix", line.prefix);
        given.report_at(Error, place, &message, "choose a prefix of letters and digits");
    }
}

/// Reports the first rule that `line` breaks together with an earlier line.
fn pairs(
    earlier: &[(&VirtualDomain, &Place)],
    (line, place): (&VirtualDomain, &Place),
    given: &mut Given<'_>,
) {
    let broken = earlier.iter().find_map(|(other, other_place)| {
        let found = RULES.iter().find_map(|rule| rule(other, line))?;
        Some((found, *other_place))
    });
    if let Some(((message, label), other_place)) = broken {
        given.clash(place, &message, other_place, label);
    }
}

fn one_prefix(one: &VirtualDomain, two: &VirtualDomain) -> Option<(String, &'static str)> {
    let same_prefix = one.prefix.eq_ignore_ascii_case(&two.prefix);
    match (same_prefix, one.domain == two.domain) {
        (true, false) => {
            let message = format!("the prefix `{}` is that of {}", two.prefix, one.domain);
            Some((message, "used for another domain here"))
        }
        (false, true) => {
            let message = format!("the prefix of {} is `{}`", two.domain, one.prefix);
            Some((message, "another prefix here"))
        }
        _ => None,
    }
}

fn one_drop_path(one: &VirtualDomain, two: &VirtualDomain) -> Option<(String, &'static str)> {
    (one.domain == two.domain && one.drop_path != two.drop_path).then(|| {
        let message = format!("the mail of {} would be in two folders", two.domain);
        (message, "another drop path here")
    })
}

fn one_selector(one: &VirtualDomain, two: &VirtualDomain) -> Option<(String, &'static str)> {
    (one.selector == two.selector).then(|| {
        let message = match &two.selector {
            Selector::Address(address) => format!("the address {address} is taken"),
            Selector::Suffix(suffix) => format!("the suffix `{suffix}` is taken"),
        };
        (message, "taken here")
    })
}

/// A login that ends in the longer suffix ends in the shorter one as well.
fn no_suffix_in_another(
    one: &VirtualDomain,
    two: &VirtualDomain,
) -> Option<(String, &'static str)> {
    let (Selector::Suffix(first), Selector::Suffix(second)) = (&one.selector, &two.selector) else {
        return None;
    };
    let (short, long) = if first.len() < second.len() { (first, second) } else { (second, first) };
    (one.domain != two.domain && long.ends_with(short.as_str())).then(|| {
        let message = format!("a login that ends in `{long}` ends in `{short}` too");
        (message, "the other suffix is here")
    })
}

/// Without prefixes, two domains in one folder would share drop files.
fn shared_folders(lines: &[(&VirtualDomain, &Place)], drop: &DropSettings, given: &mut Given<'_>) {
    let help = "give each domain a folder of its own, or set: drop_prefix true";
    for (index, (line, place)) in lines.iter().enumerate() {
        let other = lines[..index]
            .iter()
            .find(|(other, _)| other.drop_path == line.drop_path && other.domain != line.domain);
        let shared_with = match other {
            Some((other, _)) => other.domain.to_string(),
            None if line.drop_path == drop.drop_path => "the main domain".into(),
            None => continue,
        };
        let message = format!(
            "users of the same name in {} and in {shared_with} would share a drop file",
            line.domain
        );
        given.report_at(Error, place, &message, help);
    }
}
