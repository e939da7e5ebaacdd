//! Settings into the running things: the gateway and the servers.

use std::path::PathBuf;
use std::sync::Arc;

use dmail_authent::access::AccessConfig;
use dmail_authent::cache::CacheConfig;
use dmail_authent::gateway::{Gateway, GatewayConfig};
use dmail_authent::mapping::Domains;
use dmail_authent::throttle::ThrottleConfig;
use dmail_core::config::{LockMethod, Settings};
use dmail_core::{Authenticator, Domain};
use dmail_delivery::LocalDelivery;
use dmail_mailbox::LockPolicy;
use dmail_net::Limits;
use dmail_smtp::LocalDomains;

use crate::failure::Failure;
use crate::source::Source;

/// The gateway in front of `source`.
pub(crate) fn gateway(settings: &Settings, source: &Source) -> Gateway {
    Gateway::new(source.authenticator(), layers(settings, source))
}

/// The same, in place of `old`.
pub(crate) fn gateway_after(old: &Gateway, settings: &Settings, source: &Source) -> Gateway {
    Gateway::succeeding(old, source.authenticator(), layers(settings, source))
}

fn layers(settings: &Settings, source: &Source) -> GatewayConfig {
    let cache = &settings.cache;
    GatewayConfig {
        domains: domains(settings),
        access: access(settings),
        throttle: throttle(settings),
        cache: CacheConfig {
            users: cache.entries,
            fresh: cache.fresh,
            life: cache.life,
            grace: cache.grace,
            by_address: source.by_address(),
        },
    }
}

fn access(settings: &Settings) -> AccessConfig {
    let access = &settings.access;
    AccessConfig {
        states: access.states.clone(),
        groups: access.groups.clone(),
        default_groups: access.default_groups.clone(),
        plaintext: access.plaintext.clone(),
    }
}

fn throttle(settings: &Settings) -> ThrottleConfig {
    let throttle = settings.throttle.clone();
    let trusting = throttle.clone();
    ThrottleConfig {
        free: throttle.free as usize,
        first_delay: throttle.delay_first,
        longest_delay: throttle.delay_max,
        refuse_after: throttle.failures as usize,
        window: throttle.window,
        ipv4_prefix: throttle.ipv4_prefix,
        ipv6_prefix: throttle.ipv6_prefix,
        except: Arc::new(move |client| throttle.spares(client)),
        trust: Arc::new(move |client| trusting.trusts(client)),
        ..ThrottleConfig::default()
    }
}

fn domains(settings: &Settings) -> Domains {
    let domains = &settings.domains;
    Domains {
        host_domains: domains.host_domains.clone(),
        vdomains: domains.vdomains.clone(),
        separator: domains.vdomain_separator,
        with_domain: domains.authent_domain,
        drop_path: settings.drop.drop_path.clone(),
        drop_prefix: settings.drop.drop_prefix,
        hash_spool: settings.drop.hash_spool,
        drop_roots: settings.drop.drop_roots.clone(),
        utf8: settings.module.utf8,
    }
}

/// DPOP.
pub(crate) fn pop(settings: &Settings, gateway: Arc<dyn Authenticator>) -> Arc<dmail_pop::Server> {
    let pop = settings.pop.clone();
    let config = dmail_pop::Config {
        host_name: host_name(settings),
        login_without_tls: pop.auth_plaintext,
        limits: limits(settings, pop.max_connections),
        session: dmail_pop::SessionLimits {
            mistakes: u16::try_from(settings.server.max_errors).unwrap_or(u16::MAX),
            ..dmail_pop::SessionLimits::default()
        },
        idle_timeout: pop.timeout,
        lock: lock_policy(settings),
        user_ip_address: Arc::new(move |client| pop.admits(client)),
        ..dmail_pop::Config::default()
    };
    Arc::new(dmail_pop::Server::new(config, gateway))
}

/// DSMTP, which delivers into drop files.
pub(crate) fn smtp(
    settings: &Settings,
    gateway: Arc<dyn Authenticator>,
) -> Result<Arc<dmail_smtp::Server>, Failure> {
    let smtp = settings.smtp.clone();
    let config = dmail_smtp::Config {
        host_name: host_name(settings),
        welcome: smtp.welcome.clone(),
        local_domains: local_domains(settings)?,
        postmaster: smtp.sysadmin.clone(),
        auth_without_tls: smtp.auth_plaintext,
        limits: limits(settings, smtp.max_connections),
        session: dmail_smtp::SessionLimits {
            commands: u32::try_from(settings.server.max_commands).unwrap_or(u32::MAX),
            errors: u32::try_from(settings.server.max_errors).unwrap_or(u32::MAX),
            recipients: smtp.max_rcpts,
            ..dmail_smtp::SessionLimits::default()
        },
        max_message_size: settings.drop.max_message_size,
        work_path: settings.server.work_path.clone(),
        command_timeout: smtp.timeout,
        data_timeout: smtp.data_timeout,
        allow: Arc::new(move |client| !smtp.bans(client)),
        ..dmail_smtp::Config::default()
    };
    let delivery = LocalDelivery::new(delivery_config(settings));
    Ok(Arc::new(dmail_smtp::Server::new(config, gateway, Arc::new(delivery))))
}

fn delivery_config(settings: &Settings) -> dmail_delivery::Config {
    dmail_delivery::Config {
        host_name: host_name(settings),
        lock: lock_policy(settings),
        mail_roots: mail_roots(settings),
        ..dmail_delivery::Config::default()
    }
}

/// The folders that drop files may be in.
fn mail_roots(settings: &Settings) -> Vec<PathBuf> {
    let vdomains = settings.domains.vdomains.iter().map(|vdomain| &vdomain.drop_path);
    let roots = vdomains.chain(&settings.drop.drop_roots).chain([&settings.drop.drop_path]);
    roots.cloned().collect()
}

/// How drop files are locked.
pub(crate) fn lock_policy(settings: &Settings) -> LockPolicy {
    LockPolicy {
        dot_lock: settings.drop.locks_by(LockMethod::Dot),
        fcntl_lock: settings.drop.locks_by(LockMethod::Fcntl),
        wait: settings.drop.lock_wait,
        stale_after: settings.drop.lock_stale,
    }
}

fn limits(settings: &Settings, connections: usize) -> Limits {
    let per_client = match settings.server.max_connections_per_ip {
        0 => usize::MAX,
        limit => limit,
    };
    Limits { connections, per_client }
}

fn local_domains(settings: &Settings) -> Result<LocalDomains, Failure> {
    let domains = &settings.domains;
    let missing = || Failure::Other("there is no host_domain".into());
    let main = domains.host_domains.first().ok_or_else(missing)?;
    let others = domains.host_domains.iter().cloned();
    let vdomains = domains.vdomains.iter().map(|vdomain| vdomain.domain.clone());
    Ok(LocalDomains::new(main.clone(), others.chain(vdomains)))
}

/// The name that the servers greet with.
fn host_name(settings: &Settings) -> String {
    settings.domains.host_domains.first().map_or("localhost", Domain::as_str).to_owned()
}
