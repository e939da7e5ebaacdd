//! A cached check through the whole gateway (mapping, throttle, cache), in
//! process, beside one virtual call that always says yes.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dmail_authent::access::AccessConfig;
use dmail_authent::cache::CacheConfig;
use dmail_authent::gateway::{Gateway, GatewayConfig};
use dmail_authent::mapping::Domains;
use dmail_authent::throttle::ThrottleConfig;
use dmail_core::{
    Account, AuthRequest, Authenticator, Domain, HashSpool, Origin, Secret, Service, Unavailable,
    Username, Verdict,
};
use tokio::runtime::{Builder, Runtime};

use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Client, Sample, drive, one_thread};
use crate::measure::Server;
use crate::program::{DOMAIN, PASSWORD};
use crate::report::{Report, Target, Wanted, count};

pub(super) const USERS: usize = 100;
/// Processor time of a cached check, in µs.
const TARGET: Wanted = Wanted::Below(1.5);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Gateway: a cached check in process");
    let cache = CacheConfig { fresh: Duration::from_secs(3600), ..CacheConfig::default() };
    let gateway: Arc<dyn Authenticator> = Arc::new(gateway(Arc::new(Everybody), cache)?);
    let bare: Arc<dyn Authenticator> = Arc::new(Always::new()?);
    for tasks in [1, 10] {
        let runtime = runtime(tasks)?;
        let turn = |source: &Arc<dyn Authenticator>, time| -> Result<Sample, Failure> {
            let askers = (0..tasks).map(|task| Asker::new(source, task * USERS / tasks));
            let askers = askers.collect::<Result<Vec<_>, _>>()?;
            Ok(runtime.block_on(drive(askers, time, &Server::Own)))
        };
        let contest = hold(effort, |time| turn(&gateway, time), |time| turn(&bare, time))?;
        let name = format!("gateway, {}", count(tasks, "task"));
        report.contest(&name, "bare: one answer behind the trait", &contest);
        let found = contest.ours.server_us;
        report.target(Target { what: &format!("{name}: CPU µs/check"), found, wanted: TARGET });
        if tasks == 1 {
            let found = 1e6 / contest.ours.rate;
            report.target(Target {
                what: &format!("{name}: time µs/check"),
                found,
                wanted: TARGET,
            });
        }
    }
    Ok(())
}

/// One task stays in its thread; several contend from several threads.
fn runtime(tasks: usize) -> Result<Runtime, Failure> {
    if tasks == 1 {
        return one_thread();
    }
    Builder::new_multi_thread().enable_all().build().map_err(Failure::system("start the runtime"))
}

/// Asks about one user after the other. Like connections, askers share no
/// request.
pub(super) struct Asker {
    source: Arc<dyn Authenticator>,
    requests: Vec<AuthRequest>,
}

impl Asker {
    /// One that begins with this user.
    pub(super) fn new(source: &Arc<dyn Authenticator>, first: usize) -> Result<Self, Failure> {
        let users = (first..USERS).chain(0..first);
        let requests = users.map(request).collect::<Result<_, _>>()?;
        Ok(Self { source: Arc::clone(source), requests })
    }
}

impl Client for Asker {
    const BATCH: u32 = USERS as u32;

    async fn operate(&mut self) -> Result<(), Wrong> {
        for request in &self.requests {
            match self.source.authenticate(black_box(request)).await {
                Ok(Verdict::Accepted(account)) => drop(black_box(account)),
                other => return Err(Wrong(format!("{other:?}"))),
            }
        }
        Ok(())
    }
}

/// A source that knows everybody.
struct Everybody;

#[async_trait]
impl Authenticator for Everybody {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        Ok(Verdict::accepted(Account::named(request.user.clone())))
    }
}

/// The bare one: no question, one answer.
struct Always(Arc<Account>);

impl Always {
    fn new() -> Result<Self, Failure> {
        Ok(Self(Arc::new(Account::named(user(0)?))))
    }
}

#[async_trait]
impl Authenticator for Always {
    async fn authenticate(&self, _: &AuthRequest) -> Result<Verdict, Unavailable> {
        Ok(Verdict::Accepted(Arc::clone(&self.0)))
    }
}

/// The gateway in front of `source`, as it comes but for the cache.
pub(super) fn gateway(
    source: Arc<dyn Authenticator>,
    cache: CacheConfig,
) -> Result<Gateway, Failure> {
    gateway_with(source, cache, ThrottleConfig::default())
}

/// The gateway in front of `source`.
pub(super) fn gateway_with(
    source: Arc<dyn Authenticator>,
    cache: CacheConfig,
    throttle: ThrottleConfig,
) -> Result<Gateway, Failure> {
    let domain = Domain::parse(DOMAIN).map_err(|error| Failure::Program(error.to_string()))?;
    let domains = Domains {
        host_domains: vec![domain],
        vdomains: Vec::new(),
        separator: '_',
        with_domain: false,
        drop_path: "/var/spool/mail".into(),
        drop_prefix: true,
        hash_spool: HashSpool::Flat,
        drop_roots: Vec::new(),
        utf8: false,
    };
    let config = GatewayConfig { domains, access: AccessConfig::default(), throttle, cache };
    Ok(Gateway::new(source, config))
}

/// A login of this user.
pub(super) fn request(number: usize) -> Result<AuthRequest, Failure> {
    let here = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let origin = Origin { client: here, local: here, ..Origin::local(Service::Pop3) };
    Ok(AuthRequest::check(user(number)?, Secret::new(PASSWORD.as_bytes()), origin))
}

fn user(number: usize) -> Result<Username, Failure> {
    let name = format!("test{number}");
    Username::parse(name.as_bytes()).map_err(|error| Failure::Program(error.to_string()))
}
