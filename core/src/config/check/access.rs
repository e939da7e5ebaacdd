//! Account states and access groups.

use super::super::given::Given;
use super::super::settings::AccessSettings;
use super::Error;

/// A state has one line, and `access_default` names groups that are there.
pub(in super::super) fn access(access: &AccessSettings, given: &mut Given<'_>) {
    if given.are_sound(&["account_state"]) {
        let places = given.places("account_state");
        let rules: Vec<_> = access.states.iter().zip(&places).collect();
        for (at, (rule, place)) in rules.iter().enumerate() {
            let first = rules[..at].iter().find(|(earlier, _)| earlier.state == rule.state);
            if let Some((_, earlier)) = first {
                let message = format!("the state `{}` has two lines", rule.state);
                given.clash(place, &message, earlier, "first set here");
            }
        }
    }
    if !given.are_sound(&["access_default", "access_group"]) {
        return;
    }
    for name in access.default_groups.iter().flatten() {
        if access.groups.iter().all(|group| group.name != *name) {
            let message = format!("there is no access group `{name}`");
            let help = format!("add a line such as: access_group {name} * *");
            given.report(Error, &["access_default"], &message, &help);
        }
    }
}
