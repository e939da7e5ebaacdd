//! The modules of the file as a running chain.

use std::sync::Arc;

use dmail_authent::chain::{Chain, Member};
use dmail_authent::line::Quoting;
use dmail_authent::pool::{Pool, PoolConfig};
use dmail_core::config::value::{CommandLine, parse_domain};
use dmail_core::{Authenticator, Domain};

use super::kinds::SourceWord;
use super::module::Module;
use crate::{OpenError, SourceSettings, ini};

/// Opens the chain of the file that `settings` name. Warnings go to the log.
pub(crate) async fn open(settings: &SourceSettings) -> Result<Arc<dyn Authenticator>, OpenError> {
    let modules = ini::usable(super::load(&settings.file))?;
    let mut members = Vec::with_capacity(modules.len());
    for module in &modules {
        members.push(member(module, &modules, settings).await?);
    }
    Ok(Arc::new(Chain::new(members)))
}

async fn member(
    module: &Module,
    modules: &[Module],
    settings: &SourceSettings,
) -> Result<Member, OpenError> {
    let name = module.name();
    let mut timeout = module.follows.timeout;
    let source = match (&module.module.source, &module.module.binary) {
        (Some(source), _) => {
            let settings = source_settings(source, module, settings);
            (source.kind.open)(&settings)
                .await
                .map_err(|error| OpenError::Module { name: name.clone(), error: error.into() })?
        }
        (None, Some(binary)) => {
            let pool = Pool::start(pool_config(module, binary, settings));
            // The pool holds to the time itself, in the queue and with each
            // child; cutting in would cost it a child that is about to answer.
            timeout *= 4;
            Arc::new(pool)
        }
        (None, None) => return Err(OpenError::Empty { name }),
    };
    let target = module.module.migrate;
    Ok(Member {
        role: module.role(),
        verbs: module.verbs(),
        affix: module.affix(),
        timeout,
        policy: module.policy(),
        migrate_to: modules.iter().position(|other| Some(other.module.priority) == target),
        ..Member::new(name, source)
    })
}

/// What the base is opened with: what dmail.conf says of all, and the file or
/// folder of this one.
fn source_settings(
    source: &SourceWord,
    module: &Module,
    settings: &SourceSettings,
) -> SourceSettings {
    let mut settings = settings.clone();
    match (module.settings_file(&settings.file), &source.path) {
        (Some((_, file)), _) => settings.file = file,
        (None, Some(path)) => {
            settings.nwauth.directory.clone_from(path);
            settings.file.clone_from(path);
        }
        (None, None) => {}
    }
    settings
}

fn pool_config(module: &Module, binary: &CommandLine, settings: &SourceSettings) -> PoolConfig {
    let (program, timeout) = (&module.program, module.follows.timeout);
    let words = [binary.program.clone().into_os_string()].into_iter();
    let words = words.chain(binary.arguments.iter().map(Into::into));
    PoolConfig {
        launcher: settings.launcher.clone(),
        number: program.number,
        timeout,
        queue_length: program.queue,
        queue_age: timeout,
        max_reply: program.reply_max,
        quoting: Quoting { utf8: program.utf8, percent: program.quote },
        send_address: program.send_ip,
        domains: program.domain.iter().cloned().chain(stripped_domain(module)).collect(),
        ..PoolConfig::new(words)
    }
}

/// The domain that is taken off names: the module may know it nevertheless.
fn stripped_domain(module: &Module) -> Option<Domain> {
    let domain = module.asked.strip_suffix.as_deref()?.strip_prefix('@')?;
    parse_domain(domain).ok()
}
