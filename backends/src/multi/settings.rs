//! The table of `multiauth.ini`: the settings of one module. A line before the
//! first module sets the value for all that do not set their own.

use std::time::Duration;

use dmail_authent::chain::policy::After;
use dmail_authent::chain::{Creates, Fields};
use dmail_core::Domain;
use dmail_core::config::Unset::{Compulsory, Nothing, SameAs, Value};
use dmail_core::config::value::{CommandLine, boolean, command, domain, number, seconds};
use dmail_core::pattern::NameList;

use super::kinds::{RoleWord, SourceWord, affix, after, changes, fields, names, role, source};

dmail_core::settings! {
    title: "The module";
    /// Each module has either `source` or `binary`.
    pub struct ModuleSettings {
        /// Begins a module, and is its place in the chain: the lowest number
        /// is asked first. All lines up to the next `module` belong to it.
        priority: u16 = one("module", number(0..=9999)),
            default: Compulsory, example: "module 10";

        /// A user base that dmail has built in: the word that
        /// `authent_method` would have, and the file of its settings, or for
        /// `nwauth` the folder of its files. Without a file, the one with the
        /// usual name beside `multiauth.ini`; without a folder, that of
        /// `nwauth_path`.
        source: Option<SourceWord> = optional("source", source()),
            default: Nothing("there is a `binary`"), example: "source ldap ldapauth.ini";

        /// The full command line of a module program, which is asked over its
        /// standard input and output (see [modules.md](modules.md)).
        binary: Option<CommandLine> = optional("binary", command()),
            default: Nothing("there is a `source`"),
            example: "binary /usr/local/dmail/myauth -path /etc/dmail";

        /// What the module is for. `answer`: it says who is who and whether a
        /// password is right. `verify`: it says only whether a password is
        /// right; who the user is, drop path, uid and info fields, is asked of
        /// the modules that answer lookups. `merge`: it adds info fields to an
        /// account that others have accepted, see `merge`. `shadow`: it is
        /// asked the same as the chain, in the background, and each difference
        /// is a line in the log; its answer is not used.
        role: RoleWord = one("role", role()),
            default: Value("answer"), example: "role shadow";

        /// The info fields that a module with `role merge` adds; `*` is all.
        /// They replace those of the same label.
        merge: Fields = one("merge", fields()),
            default: Value("*"), example: "merge quota,mailstatus";

        /// The number of the module that gets the users of this one. Whoever
        /// logs in here and is not there yet is written there with `set`, and
        /// with the password that was just verified; the new module hashes it
        /// in its own way. If the password then does not work there, or the
        /// account has another drop path, uid or info field, it is removed
        /// there again and a line in the log says why.
        migrate: Option<u16> = optional("migrate", number(0..=9999)),
            default: Nothing("users stay"), example: "migrate 10";
    }
}

dmail_core::settings! {
    title: "Who is asked what";
    /// A question reaches a module if the verb is turned on and the user's
    /// name matches. Names are compared as the chain is asked, before anything
    /// is stripped; upper and lower case are the same.
    pub struct AskedSettings {
        /// Users that the module is asked about.
        matches: NameList = one("match", names()),
            default: Value("*"), example: "match *@corp.example,!test*";

        /// Users whose passwords it checks.
        check: NameList = one("check", names()),
            default: SameAs("match"), example: "check *@corp.example";

        /// Users that it is asked to look up.
        lookup: NameList = one("lookup", names()),
            default: SameAs("match"), example: "lookup *";

        /// Users that a search in it may find.
        search: NameList = one("search", names()),
            default: SameAs("match"), example: "search *,!root";

        /// Users whose records it changes.
        set: NameList = one("set", names()),
            default: SameAs("match"), example: "set *,!root";

        /// Users that it removes, if `do_del` is on.
        del: NameList = one("del", names()),
            default: SameAs("match"), example: "del test*";

        /// Whether it checks passwords.
        do_check: bool = one("do_check", boolean()),
            default: Value("true"), example: "do_check false";

        /// Whether it is asked for users without a password, as for every mail
        /// that arrives. A lookup also tells a wrong password from an unknown
        /// user: without it, every "no" of the module is a wrong password.
        do_lookup: bool = one("do_lookup", boolean()),
            default: Value("true"), example: "do_lookup false";

        /// Whether it is searched.
        do_search: bool = one("do_search", boolean()),
            default: Value("true"), example: "do_search false";

        /// Whether it changes records. `existing`: those of users that it has.
        /// `true`: it also takes new users, those that no module has. A change
        /// is made in every module that has the user.
        do_set: Option<Creates> = one("do_set", changes()),
            default: Value("existing"), example: "do_set true";

        /// Whether it removes users.
        do_del: bool = one("do_del", boolean()),
            default: Value("false"), example: "do_del true";

        /// Taken off the start of a name before the module is asked.
        strip_prefix: Option<String> = optional("strip_prefix", affix()),
            default: Nothing("nothing is"), example: "strip_prefix corp_";

        /// Taken off the end of a name before the module is asked. The answer
        /// is about the whole name again.
        strip_suffix: Option<String> = optional("strip_suffix", affix()),
            default: Nothing("nothing is"), example: "strip_suffix @corp.example";
    }
}

dmail_core::settings! {
    title: "What follows";
    /// `stop`: the module's answer is the answer. `next`: it is kept in mind,
    /// and the next module is asked. If none stops, the user is accepted if
    /// one has accepted; else the password is wrong if one that has the user
    /// said so; else the client shall come back if one could not answer; else
    /// there is no such user.
    pub struct FollowsSettings {
        /// The password is right, or the user is there. With `next`, modules
        /// behind this one can still refuse.
        on_accepted: After = one("on_accepted", after()),
            default: Value("stop"), example: "on_accepted next";

        /// The user is there and the password is wrong, or the user may not
        /// log in. With `next`, several modules may each have a password.
        on_rejected: After = one("on_rejected", after()),
            default: Value("stop"), example: "on_rejected next";

        /// There is no such user.
        on_unknown: After = one("on_unknown", after()),
            default: Value("next"), example: "on_unknown stop";

        /// The module cannot answer. `next` is for a copy that stands in: a
        /// module with other users, or with older passwords, would let in
        /// somebody else. For `role merge`, `next` goes on without the fields.
        on_unavailable: After = one("on_unavailable", after()),
            default: Value("stop"), example: "on_unavailable next";

        /// How long the module may take over an answer. Then it counts as
        /// unavailable.
        timeout: Duration = one("timeout", seconds(1..=600)),
            default: Value("10"), example: "timeout 5";
    }
}

dmail_core::settings! {
    title: "Programs";
    /// These are for modules with `binary`, and mean what the settings with
    /// `authent_` in front mean in `dmail.conf`.
    pub struct ProgramSettings {
        /// How many copies of the program run.
        number: usize = one("number", number(1..=256)),
            default: Value("2"), example: "number 4";

        /// How many questions may wait for a free copy.
        queue: usize = one("queue", number(1..=1_000_000)),
            default: Value("1000"), example: "queue 200";

        /// Whether it understands percent-encoded arguments.
        quote: bool = one("quote", boolean()),
            default: Value("false"), example: "quote true";

        /// Whether it understands names and passwords in UTF-8.
        utf8: bool = one("utf8", boolean()),
            default: Value("false"), example: "utf8 true";

        /// Whether `check` tells it the address of the client. If it does,
        /// remembered answers of the whole chain hold for one address.
        send_ip: bool = one("send_ip", boolean()),
            default: Value("true"), example: "send_ip false";

        /// The longest line of its answers, in bytes.
        reply_max: usize = one("reply_max", number(256..=1_048_576)),
            default: Value("1024"), example: "reply_max 4096";

        /// A domain that it may append to the name in its answer, or leave
        /// off. That of `strip_suffix` is always one.
        domain: Vec<Domain> = many("domain", domain()),
            default: Nothing("it answers with the name that it was asked"),
            example: "domain corp.example";
    }
}
