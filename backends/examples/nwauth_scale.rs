//! What a large NWAuth base costs: `cargo run --release -p dmail-backends
//! --example nwauth_scale [USERS]` (a million unless given).
//!
//! Prints the time of the first index, of a second start, resident memory,
//! lookups per second, and the cost of a set and of a merge.
#![allow(clippy::print_stdout)] // its output is its purpose

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use dmail_backends::nwauth::{NwAuth, NwAuthConfig};
use dmail_core::{
    Action, AuthRequest, Authenticator, Change, Origin, Search, Service, Username, Verdict,
};
use dmail_schemes::Scheme;

const LOOKUPS: u64 = 200_000;
const SETS: u64 = 2_000;

/// As long as a real argon2id text.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let users: u64 = match std::env::args().nth(1) {
        Some(users) => users.parse()?,
        None => 1_000_000,
    };
    let home = tempfile::tempdir()?;
    write_base(home.path(), users)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(measure(home.path(), users))
}

fn write_base(home: &Path, users: u64) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(home.join("nwauth.txt"))?);
    for user in 0..users {
        writeln!(out, "user{user}@corp.example:{HASH}:name=\"User {user}\"")?;
    }
    out.flush()
}

async fn measure(home: &Path, users: u64) -> Result<(), Box<dyn std::error::Error>> {
    let size = fs::metadata(home.join("nwauth.txt"))?.len();
    println!("users           {users}, nwauth.txt {} MB", size / 1_000_000);
    println!("memory before   {} KB", resident_kb()?);
    let (_, first) = open(home)?;
    let index = fs::metadata(home.join("nwauth.idx"))?.len();
    println!("first start     {first:.0?}, nwauth.idx {} MB", index / 1_000_000);
    let (base, second) = open(home)?;
    println!("second start    {second:.1?}");
    lookups(&base, users, 1).await?;
    lookups(&base, users, 64).await?;
    println!("memory          {} KB", resident_kb()?);
    sets(&base, users, 1).await?;
    sets(&base, users, 32).await?;
    let started = Instant::now();
    let search = Search {
        pattern: "user77*".to_owned(),
        from: 0,
        max: Some(10),
        origin: Origin::local(Service::Admin),
    };
    base.search(&search).await?;
    println!("search          {:.0?}", started.elapsed());
    merge(home, users).await?;
    println!("memory after    {} KB", resident_kb()?);
    Ok(())
}

fn config(home: &Path) -> NwAuthConfig {
    let mut config = NwAuthConfig::new(home);
    config.scheme = Scheme::Ssha256;
    config
}

fn open(home: &Path) -> Result<(NwAuth, Duration), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let base = NwAuth::open(config(home))?;
    Ok((base, started.elapsed()))
}

fn user(number: u64) -> Result<Username, dmail_core::NameError> {
    Username::parse(format!("user{number}@corp.example").as_bytes())
}

/// Spreads numbers over the whole range.
fn scatter(number: u64, users: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % users
}

async fn lookups(base: &NwAuth, users: u64, tasks: u64) -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let workers: Vec<_> = (0..tasks)
        .map(|task| {
            let base = base.clone();
            tokio::spawn(async move {
                for number in (task..LOOKUPS).step_by(usize::try_from(tasks).unwrap_or(1)) {
                    let user = user(scatter(number, users)).expect("a name");
                    let request = AuthRequest::lookup(user, Origin::local(Service::Pop3));
                    let verdict = base.authenticate(&request).await.expect("an answer");
                    assert!(matches!(verdict, Verdict::Accepted(_)));
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await?;
    }
    let each = started.elapsed() / u32::try_from(LOOKUPS)?;
    println!("lookup          {each:.1?} each, {tasks} at a time");
    Ok(())
}

async fn sets(base: &NwAuth, users: u64, tasks: u64) -> Result<(), Box<dyn std::error::Error>> {
    let started = Instant::now();
    let workers: Vec<_> = (0..tasks)
        .map(|task| {
            let base = base.clone();
            tokio::spawn(async move {
                for number in (task..SETS).step_by(usize::try_from(tasks).unwrap_or(1)) {
                    let change = Change {
                        user: user(scatter(number, users)).expect("a name"),
                        action: Action::Set {
                            secret: Some(dmail_core::Secret::new(*b"geheim")),
                            info: None,
                        },
                        origin: Origin::local(Service::Admin),
                    };
                    base.change(&change).await.expect("an answer");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await?;
    }
    let each = started.elapsed() / u32::try_from(SETS)?;
    println!("set             {each:.0?} each, {tasks} at a time, durable");
    Ok(())
}

/// Generates past the journal's limit and times the merge that follows.
async fn merge(home: &Path, users: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = config(home);
    config.journal_limit = Some(0);
    let base = NwAuth::open(config)?;
    let done = tokio::task::spawn_blocking(move || {
        let started = Instant::now();
        base.generate(0).map(|_| started.elapsed())
    });
    println!("merge           {:.0?} for {users} users", done.await??);
    Ok(())
}

/// Resident memory of this process.
fn resident_kb() -> Result<u64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no VmRSS")?.parse()?)
}
