//! Known users among guessers: logins that the cache answers, while others
//! guess as fast as they are answered, and each guess costs a slow hash. The
//! throttle is off, so that every guess reaches the source.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dmail_authent::cache::CacheConfig;
use dmail_authent::throttle::ThrottleConfig;
use dmail_backends::nwauth::{NwAuth, NwAuthConfig};
use dmail_core::{AuthRequest, Authenticator, Purpose, Secret, Verdict};
use dmail_schemes::Scheme;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::gateway::{Asker, USERS, gateway_with, request};
use crate::contest::{Effort, hold};
use crate::failure::{Failure, Wrong};
use crate::load::{Sample, drive};
use crate::measure::Server;
use crate::program::{PASSWORD, folder};
use crate::report::{Report, Target, Wanted};

/// Tasks of users who know their passwords.
const KNOWN: usize = 9;
/// What known users keep of their rate.
const TARGET: Wanted = Wanted::AtLeast(0.9);

pub(super) fn run(effort: Effort, report: &mut Report) -> Result<(), Failure> {
    report.table("Guesses: cached logins while others guess, passwords stored as a slow hash");
    for scheme in [Scheme::Sha512Crypt, Scheme::Bcrypt, Scheme::Argon2id] {
        let home = folder()?;
        install(home.path(), scheme)?;
        let runtime = Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::system("start the runtime"))?;
        let base = runtime.block_on(async { NwAuth::open(NwAuthConfig::new(home.path())) });
        let base = Arc::new(base.map_err(|error| Failure::Program(error.to_string()))?);
        let cache = CacheConfig { fresh: Duration::from_secs(3600), ..CacheConfig::default() };
        let off =
            ThrottleConfig { refuse_after: 0, longest_delay: Duration::ZERO, ..Default::default() };
        let gateway: Arc<dyn Authenticator> = Arc::new(gateway_with(base, cache, off)?);
        let guesses = Arc::new(AtomicU64::new(0));
        let contest = hold(
            effort,
            |time| turn(&runtime, &gateway, Some(&guesses), time),
            |time| turn(&runtime, &gateway, None, time),
        )?;
        let name = format!("{scheme}: {KNOWN} tasks and a guesser");
        report.contest(&name, "bare: without the guesser", &contest);
        let what = format!("guesses, {scheme}: part of the rate that known users keep");
        report.target(Target { what: &what, found: contest.rate_ratio, wanted: TARGET });
        let answered = guesses.load(Ordering::Relaxed);
        report.note(&format!("{answered} guesses were answered meanwhile."));
    }
    Ok(())
}

/// The known users' turn, with somebody who guesses or without.
fn turn(
    runtime: &Runtime,
    gateway: &Arc<dyn Authenticator>,
    guesses: Option<&Arc<AtomicU64>>,
    time: Duration,
) -> Result<Sample, Failure> {
    let askers = (0..KNOWN).map(|task| Asker::new(gateway, task * USERS / KNOWN));
    let askers = askers.collect::<Result<Vec<_>, _>>()?;
    runtime.block_on(async {
        let mut guessing = JoinSet::new();
        if let Some(guesses) = guesses {
            guessing.spawn(guess(Arc::clone(gateway), Arc::clone(guesses)));
        }
        let sample = drive(askers, time, &Server::Own).await;
        if let Some(Ok(Err(wrong))) = guessing.try_join_next() {
            return Err(Failure::Program(wrong.to_string()));
        }
        guessing.shutdown().await;
        Ok(sample)
    })
}

/// Guesses until it is stopped, one after the other.
async fn guess(gateway: Arc<dyn Authenticator>, guesses: Arc<AtomicU64>) -> Result<(), Wrong> {
    loop {
        let number = guesses.load(Ordering::Relaxed);
        let known = request(number as usize % USERS).map_err(|error| Wrong(error.to_string()))?;
        let secret = Secret::new(format!("guess{number}").into_bytes());
        let wrong = AuthRequest { purpose: Purpose::Check(secret), ..known };
        match gateway.authenticate(&wrong).await {
            Ok(Verdict::Rejected(_)) => guesses.fetch_add(1, Ordering::Relaxed),
            other => return Err(Wrong(format!("a guess: {other:?}"))),
        };
    }
}

/// Users whose passwords are all stored as the same text.
fn install(home: &Path, scheme: Scheme) -> Result<(), Failure> {
    let stored = dmail_schemes::hash(scheme, &Secret::new(PASSWORD.as_bytes()));
    let stored = stored.map_err(|error| Failure::Program(error.to_string()))?;
    let lines: String = (0..USERS).map(|user| format!("test{user}:{stored}:\n")).collect();
    fs::write(home.join("nwauth.txt"), lines).map_err(Failure::system("write users"))
}
