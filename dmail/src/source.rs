//! The source at the bottom of the gateway, as `authent_method` says.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use dmail_authent::line::Quoting;
use dmail_authent::pool::{Pool, PoolConfig};
use dmail_backends::nwauth::NwAuthConfig;
use dmail_backends::{SourceKind, SourceSettings};
use dmail_core::config::{AuthentMethod, Diagnostic, ModuleSettings, Settings};
use dmail_core::{Authenticator, Domain};

use crate::configuration;
use crate::failure::Failure;

/// The source at the bottom of the gateway.
pub(crate) struct Source(Arc<dyn Authenticator>);

impl Source {
    /// Opens the source. Must be called within the runtime.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let method = settings.authent.method;
        if method == AuthentMethod::External {
            let vdomains = settings.domains.vdomains.iter().map(|vdomain| &vdomain.domain);
            let domains = settings.domains.host_domains.iter().chain(vdomains);
            return Self::module(&settings.module, domains);
        }
        let kind = kind(method)?;
        let opened = (kind.open)(&source_settings(kind, settings)?).await;
        Ok(Self(opened.map_err(Failure::other("cannot open the user base"))?))
    }

    /// Starts the module that these settings name. It may append one of
    /// `domains` to a name, or leave it off. Must be called within the runtime.
    pub(crate) fn module<'a>(
        module: &ModuleSettings,
        domains: impl IntoIterator<Item = &'a Domain>,
    ) -> Result<Self, Failure> {
        let domains = domains.into_iter().cloned().collect();
        let config = PoolConfig { domains, ..pool_config(module)? };
        Ok(Self(Arc::new(Pool::start(config))))
    }

    /// A base that is open already.
    pub(crate) fn of(base: Arc<dyn Authenticator>) -> Self {
        Self(base)
    }

    /// Whether it is told clients' addresses and may decide by them.
    pub(crate) fn by_address(&self) -> bool {
        self.0.sees_address()
    }

    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticator> {
        Arc::clone(&self.0)
    }

    /// Lets children leave in peace.
    pub(crate) async fn shutdown(&self) {
        self.0.close().await;
    }
}

/// The kind of source that a method other than `external` means.
fn kind(method: AuthentMethod) -> Result<&'static SourceKind, Failure> {
    let missing = || Failure::Other(format!("the {} backend is not built in", method.name()));
    dmail_backends::source(method.name()).ok_or_else(missing)
}

/// All that is wrong with the file of the user base, if it has one.
pub(crate) fn check(settings: &Settings) -> Result<Vec<Diagnostic>, Failure> {
    if settings.authent.method == AuthentMethod::External {
        return Ok(Vec::new());
    }
    let kind = kind(settings.authent.method)?;
    Ok(match kind.file {
        Some(file) => (file.check)(&source_settings(kind, settings)?.file),
        None => Vec::new(),
    })
}

/// Prints what is wrong with the file of a base that is opened without
/// dmail.conf, all of it at once and with its places.
pub(crate) fn judge_file(kind: &SourceKind, file: &Path) -> Result<(), Failure> {
    let diagnostics = kind.file.map_or(Vec::new(), |known| (known.check)(file));
    if !diagnostics.is_empty() {
        configuration::print(&diagnostics);
    }
    match diagnostics.iter().any(Diagnostic::is_error) {
        true => Err(Failure::Configuration(file.to_owned())),
        false => Ok(()),
    }
}

fn source_settings(kind: &SourceKind, settings: &Settings) -> Result<SourceSettings, Failure> {
    let usual = kind.file.map_or("", |file| file.vocabulary.file);
    let beside = || {
        let (here, there) = (settings.folder.join(usual), settings.server.dsmtp_path.join(usual));
        // Where the original had it, if it is there only.
        if there.exists() && !here.exists() { there } else { here }
    };
    Ok(SourceSettings {
        file: settings.authent.ini.clone().unwrap_or_else(beside),
        launcher: launcher()?,
        nwauth: NwAuthConfig::from(&settings.nwauth),
    })
}

fn pool_config(module: &ModuleSettings) -> Result<PoolConfig, Failure> {
    let missing = || Failure::Other("there is no module: authent_process is not set".into());
    let command = module.process.as_ref().ok_or_else(missing)?;
    let program = command.program.clone().into_os_string();
    let arguments = command.arguments.iter().map(OsString::from);
    Ok(PoolConfig {
        launcher: launcher()?,
        number: module.number,
        timeout: module.timeout,
        queue_length: module.queue,
        queue_age: module.queue_age,
        max_reply: module.reply_max,
        quoting: Quoting { utf8: module.utf8, percent: module.quote },
        send_address: module.send_ip,
        ..PoolConfig::new([program].into_iter().chain(arguments))
    })
}

/// This program, asked to become a module.
pub(crate) fn launcher() -> Result<Vec<OsString>, Failure> {
    let own = std::env::current_exe().map_err(Failure::other("cannot find this program"))?;
    let parent = std::process::id().to_string();
    Ok(vec![own.into_os_string(), "module-exec".into(), parent.into()])
}
