//! A large NWAuth base: its start with the index there, lookups of random
//! users, and memory, in a process of its own; beside a read of a line at a
//! random place of the same file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use dmail_backends::nwauth::{NwAuth, NwAuthConfig};
use dmail_core::{AuthRequest, Authenticator, Origin, Service, Username, Verdict};
use dmail_schemes::Scheme;

use crate::contest::Effort;
use crate::failure::Failure;
use crate::load::one_thread;
use crate::measure::{Histogram, Memory};
use crate::program::folder;
use crate::report::{Report, Target, Wanted};

/// Lookups that are timed.
const LOOKUPS: usize = 100_000;
/// As long as a real argon2id text.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                    CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// What one process found.
struct Found {
    start_ms: f64,
    lookup_p50_us: f64,
    lookup_p99_us: f64,
    read_p99_us: f64,
    memory_kb: f64,
}

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    let (few, many) = if effort.rounds > 1 { (100_000, 5_000_000) } else { (10_000, 500_000) };
    let [small, large] = [measured(few)?, measured(many)?];
    let mut rows = Vec::new();
    for (users, found) in [(few, &small), (many, &large)] {
        rows.extend([
            (format!("{users} users: start, ms"), found.start_ms),
            (format!("{users} users: lookup, p50 µs"), found.lookup_p50_us),
            (format!("{users} users: **lookup, p99 µs**"), found.lookup_p99_us),
            (format!("{users} users: bare: read of a line, p99 µs"), found.read_p99_us),
            (format!("{users} users: resident after {LOOKUPS} lookups, KB"), found.memory_kb),
        ]);
    }
    report.memory("NWAuth: a large base", &rows);
    let targets = [
        ("nwauth: start with the index, ms", large.start_ms, Wanted::Below(1000.0)),
        ("nwauth: lookup, p99 µs", large.lookup_p99_us, Wanted::Below(50.0)),
        (
            "nwauth: memory that the larger base takes more, KB",
            large.memory_kb - small.memory_kb,
            Wanted::Below(2048.0),
        ),
    ];
    for (what, found, wanted) in targets {
        report.target(Target { what, found, wanted });
    }
    Ok(())
}

/// Writes a base, has its index made, and measures in a process that finds both.
fn measured(users: usize) -> Result<Found, Failure> {
    let home = folder()?;
    write_base(home.path(), users).map_err(Failure::system("write users"))?;
    open(home.path())?;
    let own = std::env::current_exe().map_err(Failure::system("find this program"))?;
    let output = Command::new(own)
        .arg("find-users")
        .arg(home.path())
        .arg(users.to_string())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Failure::system("start a process that finds users"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match figures[..] {
        [start_ms, lookup_p50_us, lookup_p99_us, read_p99_us, memory_kb] => {
            Ok(Found { start_ms, lookup_p50_us, lookup_p99_us, read_p99_us, memory_kb })
        }
        _ => Err(Failure::Program(format!("the process that finds users: {}", output.status))),
    }
}

/// Is that process: prints the figures.
pub(crate) fn find_users(home: &Path, users: usize) -> Result<(), Failure> {
    let started = Instant::now();
    let base = open(home)?;
    let start = started.elapsed();
    let (lookups, memory) = one_thread()?.block_on(async {
        let mut lookups = Histogram::new();
        for number in 0..LOOKUPS {
            let request = request(scattered(number, users))?;
            let started = Instant::now();
            let verdict = base.authenticate(&request).await;
            lookups.record(started.elapsed(), 1);
            if !matches!(verdict, Ok(Verdict::Accepted(_))) {
                return Err(Failure::Program(format!("{verdict:?}")));
            }
        }
        Ok::<_, Failure>((lookups, Memory::of(process::id())?.rss_kb))
    })?;
    let reads = read_lines(home).map_err(Failure::system("read users"))?;
    println!(
        "{} {} {} {} {memory}",
        ms(start),
        lookups.quantile_us(0.5),
        lookups.quantile_us(0.99),
        reads.quantile_us(0.99)
    );
    Ok(())
}

fn open(home: &Path) -> Result<NwAuth, Failure> {
    let mut config = NwAuthConfig::new(home);
    // The hash of nobody's password is part of a start, but not of its index.
    config.scheme = Scheme::Ssha256;
    NwAuth::open(config).map_err(|error| Failure::Program(error.to_string()))
}

fn read_lines(home: &Path) -> std::io::Result<Histogram> {
    let file = File::open(base(home))?;
    let size = file.metadata()?.len() as usize;
    let mut line = [0; 256];
    let mut reads = Histogram::new();
    for number in 0..LOOKUPS {
        let started = Instant::now();
        file.read_at(&mut line, scattered(number, size) as u64)?;
        reads.record(started.elapsed(), 1);
    }
    Ok(reads)
}

fn write_base(home: &Path, users: usize) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(base(home))?);
    for user in 0..users {
        writeln!(out, "user{user}@corp.example:{HASH}:name=\"User {user}\"")?;
    }
    out.flush()
}

fn base(home: &Path) -> PathBuf {
    home.join("nwauth.txt")
}

fn request(user: usize) -> Result<AuthRequest, Failure> {
    let name = format!("user{user}@corp.example");
    let user = Username::parse(name.as_bytes());
    let user = user.map_err(|error| Failure::Program(error.to_string()))?;
    Ok(AuthRequest::lookup(user, Origin::local(Service::Pop3)))
}

/// Spreads numbers over the whole range.
fn scattered(number: usize, range: usize) -> usize {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % range
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
