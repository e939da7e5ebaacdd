//! Memory for each user that the cache remembers, over 100,000 of them, and for
//! each login that the policy counts: each kind in a process of its own that
//! does nothing else.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use clap::ValueEnum;
use dmail_authent::cache::{Cache, CacheConfig};
use dmail_core::{Account, AuthRequest, Authenticator, DropPath, Uid, Unavailable, Verdict};

use super::gateway::{gateway, request};
use super::policy;
use crate::contest::Effort;
use crate::failure::Failure;
use crate::load::one_thread;
use crate::measure::Memory;
use crate::report::{Report, Target, Wanted};

const USERS: usize = 100_000;
/// Bytes for each user.
const TARGET: Wanted = Wanted::Below(200.0);

/// What is filled.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// A map from the name to the hash of a password.
    Map,
    /// The cache, of a source that says no more than the name.
    Names,
    /// The cache, of a source that says where the mail is and whose it is.
    Paths,
    /// All layers: the throttle remembers from where users logged in, too.
    Gateway,
    /// The policy's counts: one message of each login.
    OneMessage,
    /// The same: twenty messages of each login.
    TwentyMessages,
}

impl Kind {
    /// Those of the cache.
    const CACHED: [Self; 4] = [Self::Map, Self::Names, Self::Paths, Self::Gateway];

    /// How many users there are.
    fn users(self) -> usize {
        match self {
            Self::OneMessage => policy::LOGINS,
            Self::TwentyMessages => policy::BUSY_LOGINS,
            _ => USERS,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Map => "bare: a map of names and hashes",
            Self::Names => "**cache**, the source says `+OK name config 0`",
            Self::Paths => "**cache**, the source says a drop path and a uid",
            Self::Gateway => "gateway: the throttle, too",
            Self::OneMessage => "**policy**, 1,000,000 logins with a message",
            Self::TwentyMessages => "**policy**, 250,000 logins with twenty messages",
        }
    }
}

pub(super) fn run(_: Effort, report: &mut Report) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for kind in Kind::CACHED {
        rows.push((kind, bytes_for_each(kind)?));
    }
    let titled = rows.iter().map(|(kind, bytes)| (kind.title().to_owned(), *bytes));
    let title = format!("Memory: resident bytes for each of {USERS} users");
    report.memory(&title, &titled.collect::<Vec<_>>());
    for (kind, found) in rows {
        if matches!(kind, Kind::Names | Kind::Paths) {
            report.target(Target {
                what: &format!("memory, {kind:?}: bytes for each user"),
                found,
                wanted: TARGET,
            });
        }
    }
    Ok(())
}

/// Asks a process of its own.
pub(super) fn bytes_for_each(kind: Kind) -> Result<f64, Failure> {
    let own = std::env::current_exe().map_err(Failure::system("find this program"))?;
    let kind = kind.to_possible_value().expect("no kind is hidden");
    let output = Command::new(own)
        .args(["remember", kind.get_name()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(Failure::system("start a process that remembers"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let bytes = text.trim().parse();
    bytes.map_err(|_| Failure::Program(format!("the process that remembers: {}", output.status)))
}

/// Is that process: fills, and prints how many bytes each user took.
pub(crate) fn remember(kind: Kind) -> Result<(), Failure> {
    let resident = || Memory::of(process::id()).map(|memory| memory.rss_kb);
    let config = CacheConfig { users: USERS as u64 * 5 / 4, ..CacheConfig::default() };
    let (before, after) = match kind {
        Kind::Map => {
            let before = resident()?;
            let map: HashMap<Box<str>, [u8; 16]> =
                (0..USERS).map(|user| (format!("test{user}").into(), [1; 16])).collect();
            let after = resident()?;
            drop(black_box(map));
            (before, after)
        }
        Kind::Names => fill(Arc::new(Cache::new(Arc::new(Says::Config), config)), resident)?,
        Kind::Paths => fill(Arc::new(Cache::new(Arc::new(Says::Path), config)), resident)?,
        Kind::Gateway => fill(Arc::new(gateway(Arc::new(Says::Config), config)?), resident)?,
        Kind::OneMessage => policy::fill(kind.users(), 1, resident)?,
        Kind::TwentyMessages => policy::fill(kind.users(), 20, resident)?,
    };
    println!("{}", (after - before) * 1024.0 / kind.users() as f64);
    Ok(())
}

/// Lets all users log in.
fn fill(
    gateway: Arc<dyn Authenticator>,
    resident: impl Fn() -> Result<f64, Failure>,
) -> Result<(f64, f64), Failure> {
    one_thread()?.block_on(async {
        // What the first question costs is no user's.
        log_in(&*gateway, USERS).await?;
        let before = resident()?;
        for user in 0..USERS {
            log_in(&*gateway, user).await?;
        }
        Ok((before, resident()?))
    })
}

async fn log_in(gateway: &dyn Authenticator, user: usize) -> Result<(), Failure> {
    match gateway.authenticate(&request(user)?).await {
        Ok(Verdict::Accepted(_)) => Ok(()),
        other => Err(Failure::Program(format!("{other:?}"))),
    }
}

/// A source that knows everybody.
enum Says {
    /// What most modules say: `config 0`.
    Config,
    /// Where the mail is, and whose it is.
    Path,
}

#[async_trait]
impl Authenticator for Says {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        let user = &request.user;
        let (drop, uid) = match self {
            Self::Config => (DropPath::Config, 0),
            Self::Path => (DropPath::File(Path::new("/var/spool/mail").join(user.as_str())), 1000),
        };
        let uid = Some(Uid::Number(uid));
        Ok(Verdict::accepted(Account { drop, uid, ..Account::named(user.clone()) }))
    }
}
