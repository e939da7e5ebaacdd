//! Lines whose name is no setting.

use super::diagnostic::{Diagnostic, Severity};
use super::suggest::closest;
use super::syntax::Entry;
use super::table::Vocabulary;

/// Settings that the original suite has and this version does not use yet. A
/// file of the original is not full of "unknown" ones.
pub(super) const NOT_USED_YET: &[&str] = &[
    "add_footer",
    "add_status",
    "alias",
    "alias_fallthrough",
    "alias_file",
    "alias_file_domain",
    "allow_dds",
    "allow_ip",
    "allowdup",
    "alt_drop_path",
    "apop_enable",
    "archive_batch",
    "auth_nocache",
    "ban_ip_except",
    "ban_mailfrom",
    "ban_rcptto",
    "bin_path",
    "bin_pfull",
    "bomb_dec",
    "bomb_dir",
    "bomb_entries",
    "bomb_exception_from",
    "bomb_exception_ip",
    "bomb_exception_to",
    "bomb_max",
    "bounce_body",
    "bulletin_from",
    "bulletin_path",
    "dlist_domain",
    "dlist_loglvl",
    "dlist_path",
    "dlist_rotate",
    "dlist_smtp_host",
    "dns_disk_disable",
    "dns_host",
    "dns_timeout",
    "domain_chroot",
    "dpop_host",
    "dpop_path",
    "drop_max",
    "drop_users",
    "dwatch_path",
    "etrn_relay",
    "fake_vrfy",
    "fallback_address",
    "forward",
    "forward_cc",
    "forward_from",
    "forward_from_ip",
    "forward_user",
    "fromip_max",
    "fromip_nolimit",
    "gateway",
    "hash_bindir",
    "hide_auth",
    "hide_old_bulls",
    "lock_id",
    "log_chain",
    "log_data",
    "lookup_names",
    "manager_ip_address",
    "manager_ip_name",
    "manager_password",
    "max_log_size",
    "max_loglen",
    "max_retrytime",
    "min_space",
    "msg_filter",
    "no_dotforward",
    "oneline_stats",
    "proxy_domain",
    "ras_timer",
    "relay_to",
    "robot_defaultuser",
    "rotated_logs",
    "slave_number",
    "stats_path",
    "suspend_domain",
    "timezone",
    "use_drop",
    "use_flock",
    "user_quota",
    "virt_user_pre",
];

/// The warning for a line that has no effect.
pub(super) fn warning(entry: &Entry, vocabulary: &Vocabulary) -> Diagnostic {
    let name = entry.name.as_str();
    let warn = |message| Diagnostic::at(Severity::Warning, entry.name_place.clone(), message);
    if vocabulary.not_used.contains(&name) {
        return warn(format!("`{name}` is known to the original, and not used here yet"));
    }
    let warning = warn(format!("there is no setting `{name}`; the line has no effect"));
    match what_was_meant(name, vocabulary) {
        Some(help) => warning.help(help),
        None => warning,
    }
}

fn what_was_meant(name: &str, vocabulary: &Vocabulary) -> Option<String> {
    // `name=value` and `name: value` are how other programs write it.
    let word = name.split(['=', ':']).next().unwrap_or(name);
    if word != name && vocabulary.row(word).is_some() {
        return Some(format!("a blank ends the name: {word} …"));
    }
    let all = vocabulary.rows().map(|row| row.name).chain(vocabulary.not_used.iter().copied());
    closest(word, all).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::super::{DMAIL_CONF, syntax};
    use super::*;

    fn warned(line: &str) -> String {
        let mut open = |_: &Path| -> io::Result<String> { Ok(line.to_owned()) };
        let document = syntax::read(Path::new("dmail.conf"), &mut open);
        warning(&document.entries[0], &DMAIL_CONF).to_string()
    }

    #[test]
    fn a_line_without_effect_says_what_may_have_been_meant() {
        let rows = [
            ("host_domian a.example", "; did you mean `host_domain`?"),
            ("Log_Level info", "; did you mean `log_level`?"),
            ("drop_prefixes true", "; did you mean `drop_prefix`?"),
            ("log_level=info", "; a blank ends the name: log_level …"),
            ("log_level: info", "; a blank ends the name: log_level …"),
            ("forwards x y", "; did you mean `forward`?"),
            ("<vhost>", "the line has no effect"),
        ];
        for (line, expected) in rows {
            let text = warned(line);
            assert!(text.ends_with(expected), "{text}");
            assert!(text.starts_with("dmail.conf:1:1: warning: there is no setting"));
        }
    }

    #[test]
    fn a_setting_of_the_original_is_not_unknown() {
        assert_eq!(
            warned("bulletin_path /var/bulletins"),
            "dmail.conf:1:1: warning: `bulletin_path` is known to the original, and not used here yet"
        );
    }

    #[test]
    fn no_setting_is_both_used_and_not_used() {
        for name in NOT_USED_YET {
            assert!(DMAIL_CONF.row(name).is_none(), "{name}");
        }
        assert!(NOT_USED_YET.is_sorted());
    }
}
