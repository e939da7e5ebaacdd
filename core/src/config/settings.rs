//! The typed settings, in groups: one file per group, each of them a part of
//! the manual.
//!
//! To add a setting, add a field to its group; the manual, the messages and
//! the checks of the table follow. A contradiction between two settings is
//! looked for in [`check`](super::check).

mod access;
mod authent;
mod dialects;
mod domains;
mod drop;
mod module;
mod nwauth;
mod policy;
mod pop;
mod server;
mod smtp;

pub use access::AccessSettings;
pub use authent::{AuthentMethod, AuthentSettings, CacheSettings, ThrottleSettings};
pub use dialects::DialectSettings;
pub use domains::DomainSettings;
pub use drop::{DropSettings, LockMethod};
pub use module::ModuleSettings;
pub use nwauth::NwauthSettings;
pub use policy::{PolicySettings, SenderRule};
pub use pop::PopSettings;
pub use server::{LogLevel, ServerSettings};
pub use smtp::SmtpSettings;

use std::path::PathBuf;

use super::check;
use super::given::Given;
use super::table::Vocabulary;
use super::unknown::NOT_USED_YET;

/// Everything that dmail.conf says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of dmail.conf.
    pub folder: PathBuf,
    /// Folders, log, and what all servers share.
    pub server: ServerSettings,
    /// Which mail domains are ours.
    pub domains: DomainSettings,
    /// Where mail is kept.
    pub drop: DropSettings,
    /// Who answers questions about users.
    pub authent: AuthentSettings,
    /// The module that `authent_method external` asks.
    pub module: ModuleSettings,
    /// How long answers are remembered.
    pub cache: CacheSettings,
    /// What happens to those who guess.
    pub throttle: ThrottleSettings,
    /// Who may log in where, and which accounts may not be used.
    pub access: AccessSettings,
    /// What logins may send through another server.
    pub policy: PolicySettings,
    /// The NWAuth user base.
    pub nwauth: NwauthSettings,
    /// DSMTP.
    pub smtp: SmtpSettings,
    /// DPOP.
    pub pop: PopSettings,
    /// How other servers ask.
    pub dialects: DialectSettings,
}

/// The vocabulary of dmail.conf.
pub const DMAIL_CONF: Vocabulary = Vocabulary {
    file: "dmail.conf",
    introduction: include_str!("introduction.md"),
    groups: &[
        ServerSettings::GROUP,
        DomainSettings::GROUP,
        DropSettings::GROUP,
        AuthentSettings::GROUP,
        ModuleSettings::GROUP,
        CacheSettings::GROUP,
        ThrottleSettings::GROUP,
        AccessSettings::GROUP,
        PolicySettings::GROUP,
        NwauthSettings::GROUP,
        SmtpSettings::GROUP,
        PopSettings::GROUP,
        DialectSettings::GROUP,
    ],
    not_used: NOT_USED_YET,
};

impl Settings {
    /// Takes all settings and compares those that depend on each other. A
    /// group that cannot be had does not keep the others from being judged.
    pub(super) fn build(given: &mut Given<'_>) -> Option<Self> {
        let server = ServerSettings::build(given);
        let domains = DomainSettings::build(given);
        let drop = DropSettings::build(given);
        let authent = AuthentSettings::build(given);
        let module = ModuleSettings::build(given);
        let cache = CacheSettings::build(given);
        let throttle = ThrottleSettings::build(given);
        let access = AccessSettings::build(given);
        let policy = PolicySettings::build(given);
        let nwauth = NwauthSettings::build(given);
        let smtp = SmtpSettings::build(given);
        let pop = PopSettings::build(given);
        let dialects = DialectSettings::build(given);

        if let (Some(authent), Some(module)) = (&authent, &module) {
            check::authent(authent, module, given);
        }
        if let Some(cache) = &cache {
            check::cache(cache, given);
        }
        if let Some(throttle) = &throttle {
            check::throttle(throttle, given);
        }
        if let Some(access) = &access {
            check::access(access, given);
        }
        if let Some(domains) = &domains {
            check::domains(domains, drop.as_ref(), given);
        }
        if let (Some(smtp), Some(pop)) = (&smtp, &pop) {
            check::servers(smtp, pop, given);
        }
        if let (Some(smtp), Some(pop), Some(dialects)) = (&smtp, &pop, &dialects) {
            check::dialects(smtp, pop, dialects, given);
        }

        Some(Self {
            folder: given.folder().to_owned(),
            server: server?,
            domains: domains?,
            drop: drop?,
            authent: authent?,
            module: module?,
            cache: cache?,
            throttle: throttle?,
            access: access?,
            policy: policy?,
            nwauth: nwauth?,
            smtp: smtp?,
            pop: pop?,
            dialects: dialects?,
        })
    }
}
