//! One block of `multiauth.ini`, and what blocks must not say of each other.

use std::path::{Path, PathBuf};

use dmail_authent::chain::policy::{After, Policy};
use dmail_authent::chain::{Affix, Creates, Role, Verbs};
use dmail_core::config::Severity::{Error, Warning};
use dmail_core::config::{Given, Place};

use super::kinds::{RoleWord, SourceWord};
use super::settings::{AskedSettings, FollowsSettings, ModuleSettings, ProgramSettings};
use crate::SourceFile;

/// One module of the chain.
#[derive(Debug, Clone)]
pub struct Module {
    /// What it is.
    pub module: ModuleSettings,
    /// What it is asked.
    pub asked: AskedSettings,
    /// What follows from its answers.
    pub follows: FollowsSettings,
    /// How its program is asked.
    pub program: ProgramSettings,
}

/// Settings that mean nothing to a module whose answer decides nothing.
const DECIDING: [&str; 3] = ["on_accepted", "on_rejected", "on_unknown"];
/// Settings that mean nothing without `binary`.
const OF_PROGRAMS: [&str; 7] =
    ["number", "queue", "quote", "utf8", "send_ip", "reply_max", "domain"];

/// Takes all modules, judges them, and puts them in order.
pub(super) fn build(given: &mut Given<'_>, blocks: &mut [Given<'_>]) -> Option<Vec<Module>> {
    if blocks.is_empty() {
        let message = "there is no module to ask";
        given.report(Error, &[], message, "add lines such as: module 10 / source nwauth users");
        return None;
    }
    let modules: Vec<Option<Module>> = blocks.iter_mut().map(Module::build).collect();
    distinct(&modules, blocks);
    for (index, block) in blocks.iter_mut().enumerate() {
        if let Some(module) = &modules[index] {
            module.judge(block);
            module.judge_migration(&modules, block);
        }
    }
    let mut modules = modules.into_iter().collect::<Option<Vec<_>>>()?;
    modules.sort_by_key(|module| module.module.priority);
    somebody_answers(&modules, given);
    Some(modules)
}

/// A part that is taken off only if it is there makes one user of two names.
fn warn_of_spellings(given: &mut Given<'_>) {
    let lists = ["match", "check", "lookup", "search", "set", "del"];
    if lists.iter().any(|list| given.is_set(list)) {
        return;
    }
    for (name, form) in [("strip_prefix", "PREFIX*"), ("strip_suffix", "*SUFFIX")] {
        if given.is_set(name) && given.are_sound(&[name]) {
            let message = format!(
                "`{name}` without `match`: a name that lacks that part is asked as it is, and so \
                 is one user with two names"
            );
            let help = format!("add a line in the form: match {form}");
            given.report(Warning, &[name], &message, &help);
        }
    }
}

/// No number stands twice: the order would be anybody's guess.
fn distinct(modules: &[Option<Module>], blocks: &mut [Given<'_>]) {
    let mut earlier: Vec<(u16, Place)> = Vec::new();
    for (module, block) in modules.iter().zip(blocks) {
        let (Some(module), Some(place)) = (module, block.places("module").pop()) else { continue };
        let priority = module.module.priority;
        match earlier.iter().find(|(number, _)| *number == priority) {
            Some((_, first)) => {
                let message = format!("module {priority} stands twice");
                block.clash(&place, &message, first, "first here");
            }
            None => earlier.push((priority, place)),
        }
    }
}

/// Mail cannot arrive, or nobody can log in, if no module is asked.
fn somebody_answers(modules: &[Module], given: &mut Given<'_>) {
    let answer = |module: &&Module| module.module.role == RoleWord::Answer;
    if !modules.iter().filter(answer).any(|module| module.asked.do_lookup) {
        let message = "no module says who the users are: none answers lookup";
        given.report(Error, &[], message, "let one with `role answer` have: do_lookup true");
    }
    let checks = |module: &Module| {
        matches!(module.module.role, RoleWord::Answer | RoleWord::Verify) && module.asked.do_check
    };
    if !modules.iter().any(checks) {
        let message = "no module checks passwords, so nobody can log in";
        given.report(Warning, &[], message, "let one with `role answer` have: do_check true");
    }
}

impl Module {
    fn build(given: &mut Given<'_>) -> Option<Self> {
        let module = ModuleSettings::build(given);
        let asked = AskedSettings::build(given);
        let follows = FollowsSettings::build(given);
        let program = ProgramSettings::build(given);
        Some(Self { module: module?, asked: asked?, follows: follows?, program: program? })
    }

    /// Contradictions within the block.
    fn judge(&self, given: &mut Given<'_>) {
        let Self { module, asked, .. } = self;
        if given.are_sound(&["source", "binary"]) {
            match (&module.source, &module.binary) {
                (None, None) => given.report(
                    Error,
                    &[],
                    "the module has neither `source` nor `binary`",
                    "add a line such as: source nwauth /etc/dmail",
                ),
                (Some(_), Some(_)) => given.report(
                    Error,
                    &["binary", "source"],
                    "the module has both `source` and `binary`",
                    "make two modules of it",
                ),
                (Some(_), None) => self.warn_unused(given, &OF_PROGRAMS, "a `source`"),
                (None, Some(_)) => {}
            }
        }
        warn_of_spellings(given);
        if !given.are_sound(&["role"]) {
            return;
        }
        let role = module.role;
        if role != RoleWord::Merge && given.is_own("merge") {
            let message = "`merge` is for a module with `role merge`";
            given.report(Error, &["merge"], message, "add the line: role merge");
        }
        if role == RoleWord::Merge && !asked.do_lookup && given.are_sound(&["do_lookup"]) {
            let message = "what a module has to add is asked by lookup";
            given.report(Error, &["do_lookup"], message, "leave the line away");
        }
        if role != RoleWord::Verify && self.judges_tokens_only() {
            let message = "a token says who somebody is, and nothing about the account";
            given.report(Error, &["role", "source"], message, "add the line: role verify");
        }
        if matches!(role, RoleWord::Merge | RoleWord::Shadow) {
            self.warn_unused(given, &DECIDING, "such a `role`");
            self.warn_unused(given, &["do_set", "do_del"], "such a `role`");
        }
        let looks_up = asked.do_lookup && role != RoleWord::Verify;
        if asked.do_set == Some(Creates::Never) && !looks_up && given.is_own("do_set") {
            let message = "which users a module has is asked by lookup";
            given.report(
                Error,
                &["do_set"],
                message,
                "do_set true, or a module that answers lookups",
            );
        }
    }

    fn judges_tokens_only(&self) -> bool {
        self.module.source.as_ref().is_some_and(|source| source.kind.name == dmail_oauth2::NAME)
    }

    fn warn_unused(&self, given: &mut Given<'_>, names: &[&str], what: &str) {
        let own: Vec<&str> = names.iter().copied().filter(|name| given.is_own(name)).collect();
        for name in own {
            let message = format!("`{name}` means nothing to a module with {what}");
            given.report(Warning, &[name], &message, "leave the line away");
        }
    }

    /// Users move to a module that is asked first, and can be asked.
    fn judge_migration(&self, modules: &[Option<Self>], given: &mut Given<'_>) {
        let Some(number) = self.module.migrate else { return };
        let target = modules.iter().flatten().find(|other| other.module.priority == number);
        let why = match target {
            // One that could not be read has been reported, and may be meant.
            None if modules.iter().any(Option::is_none) => return,
            None => "there is no such module".to_owned(),
            Some(_) if self.module.role != RoleWord::Answer => {
                "only a module with `role answer` gives its users away".into()
            }
            Some(target) => match target.why_no_target(self.module.priority) {
                Some(why) => why,
                None => return,
            },
        };
        let message = format!("users cannot move to module {number}: {why}");
        let help = "name a module that is asked before this one";
        given.report(Error, &["migrate"], &message, help);
    }

    /// Why users of module `from` cannot move here.
    fn why_no_target(&self, from: u16) -> Option<String> {
        let Self { module, asked, follows, .. } = self;
        let why = if module.role != RoleWord::Answer {
            "it has not `role answer`"
        } else if module.priority >= from {
            "it is not asked before this one, so those who moved would not be found there"
        } else if !asked.do_check || !asked.do_lookup {
            "it needs do_check and do_lookup"
        } else if asked.do_set.is_none() {
            "with do_set false, those who moved could not change their passwords"
        } else if follows.on_unknown == After::Stop {
            "with on_unknown stop, those who have not moved yet could not log in"
        } else {
            return None;
        };
        Some(why.into())
    }

    /// What it is called in logs.
    pub(super) fn name(&self) -> String {
        let what = match (&self.module.source, &self.module.binary) {
            (Some(source), _) => source.kind.name.to_owned(),
            (None, Some(binary)) => {
                let program = binary.program.file_name().unwrap_or(binary.program.as_os_str());
                program.to_string_lossy().into_owned()
            }
            (None, None) => "nothing".into(),
        };
        format!("module {} ({what})", self.module.priority)
    }

    /// The settings file of its user base, if that has one; `ini` is the file
    /// that the module stands in.
    pub(super) fn settings_file(&self, ini: &Path) -> Option<(SourceFile, PathBuf)> {
        let SourceWord { kind, path } = self.module.source.as_ref()?;
        let file = kind.file?;
        let usual = || ini.parent().unwrap_or(Path::new("")).join(file.vocabulary.file);
        Some((file, path.clone().unwrap_or_else(usual)))
    }

    pub(super) fn role(&self) -> Role {
        match self.module.role {
            RoleWord::Answer => Role::Answer,
            RoleWord::Verify => Role::Verify,
            RoleWord::Merge => Role::Merge(self.module.merge.clone()),
            RoleWord::Shadow => Role::Shadow,
        }
    }

    pub(super) fn verbs(&self) -> Verbs {
        let asked = self.asked.clone();
        Verbs {
            check: asked.do_check.then_some(asked.check),
            // A module that only verifies is not asked who somebody is.
            lookup: (asked.do_lookup && self.module.role != RoleWord::Verify)
                .then_some(asked.lookup),
            search: asked.do_search.then_some(asked.search),
            set: asked.do_set.map(|creates| (asked.set, creates)),
            del: asked.do_del.then_some(asked.del),
        }
    }

    pub(super) fn affix(&self) -> Affix {
        let text = |part: &Option<String>| part.clone().unwrap_or_default().into_boxed_str();
        Affix { prefix: text(&self.asked.strip_prefix), suffix: text(&self.asked.strip_suffix) }
    }

    pub(super) fn policy(&self) -> Policy {
        let FollowsSettings { on_accepted, on_rejected, on_unknown, on_unavailable, .. } =
            self.follows;
        Policy {
            accepted: on_accepted,
            rejected: on_rejected,
            unknown: on_unknown,
            unavailable: on_unavailable,
        }
    }
}
