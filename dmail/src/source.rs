//! The source at the bottom of the gateway, as `authent_method` says.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use dmail_authent::line::Quoting;
use dmail_authent::pool::{Pool, PoolConfig};
use dmail_backends::nwauth::NwAuthConfig;
use dmail_backends::{SourceKind, SourceSettings};
use dmail_core::Authenticator;
use dmail_core::config::{AuthentMethod, Diagnostic, Settings};

use crate::configuration;
use crate::failure::Failure;

/// The source at the bottom of the gateway.
pub(crate) struct Source(Arc<dyn Authenticator>);

impl Source {
    /// Opens the source. Must be called within the runtime.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let method = settings.authent.method;
        if method == AuthentMethod::External {
            return Ok(Self(Arc::new(Pool::start(pool_config(settings)?))));
        }
        let kind = kind(method)?;
        let opened = (kind.open)(&source_settings(kind, settings)?).await;
        Ok(Self(opened.map_err(Failure::other("cannot open the user base"))?))
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

fn pool_config(settings: &Settings) -> Result<PoolConfig, Failure> {
    let authent = &settings.authent;
    let missing = || Failure::Other("authent_method external needs authent_process".into());
    let command = authent.process.as_ref().ok_or_else(missing)?;
    let program = command.program.clone().into_os_string();
    let arguments = command.arguments.iter().map(OsString::from);
    let domains = settings.domains.host_domains.iter().cloned();
    let vdomains = settings.domains.vdomains.iter().map(|vdomain| vdomain.domain.clone());
    let quoting = Quoting { utf8: authent.utf8, percent: authent.quote };
    Ok(PoolConfig {
        launcher: launcher()?,
        number: authent.number,
        timeout: authent.timeout,
        queue_length: authent.queue,
        queue_age: authent.queue_age,
        max_reply: authent.reply_max,
        quoting,
        send_address: authent.send_ip,
        domains: domains.chain(vdomains).collect(),
        ..PoolConfig::new([program].into_iter().chain(arguments))
    })
}

/// This program, asked to become a module.
pub(crate) fn launcher() -> Result<Vec<OsString>, Failure> {
    let own = std::env::current_exe().map_err(Failure::other("cannot find this program"))?;
    let parent = std::process::id().to_string();
    Ok(vec![own.into_os_string(), "module-exec".into(), parent.into()])
}
