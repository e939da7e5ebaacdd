//! How many logins a directory and this source do in a second.
//!
//! ```text
//! cargo run --release -p dmail-ldap --example bind_rate -- FILE CONNECTIONS SECONDS USERS
//! ```
//!
//! `FILE` is an `ldapauth.ini`; the directory has the users `user0` … with the
//! passwords `secret0` …. With the word `bare` in place of `FILE`, followed by
//! an address such as `127.0.0.1:389`, as many threads write bind requests of
//! their own straight to the server: what the directory itself can do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dmail_core::{AuthRequest, Origin, Secret, Service, Username, Verdict};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (what, numbers) = match words.as_slice() {
        ["bare", address, numbers @ ..] => (Err(*address), numbers),
        [file, numbers @ ..] => (Ok(*file), numbers),
        [] => return Err("usage: bind_rate FILE | bare ADDRESS, CONNECTIONS SECONDS USERS".into()),
    };
    let [connections, seconds, users] = numbers else { return Err("three numbers".into()) };
    let (connections, users) = (connections.parse()?, users.parse()?);
    let time = Duration::from_secs(seconds.parse()?);
    let before = cpu_time();
    let (count, elapsed) = match what {
        Ok(file) => source(Path::new(file), connections, time, users)?,
        Err(address) => bare(address, connections, time, users)?,
    };
    let rate = count as f64 / elapsed.as_secs_f64();
    let cpu = (cpu_time() - before).as_secs_f64() * 1e6 / count as f64;
    eprintln!("{count} logins, {rate:.0}/s, {cpu:.1} us of our own CPU each");
    Ok(())
}

fn source(
    file: &Path,
    connections: usize,
    time: Duration,
    users: usize,
) -> Result<(usize, Duration), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let source = dmail_ldap::open(file).await?;
        let count = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..connections {
            let (source, count) = (Arc::clone(&source), Arc::clone(&count));
            tasks.spawn(async move {
                let mut number = task * 97;
                while start.elapsed() < time {
                    number = (number + 1) % users;
                    let user = Username::parse(format!("user{number}").as_bytes())?;
                    let secret = Secret::new(format!("secret{number}").as_bytes());
                    let request = AuthRequest::check(user, secret, Origin::local(Service::Admin));
                    match source.authenticate(&request).await? {
                        Verdict::Accepted(_) => count.fetch_add(1, Ordering::Relaxed),
                        Verdict::Rejected(rejection) => return Err(Failure::from(rejection.text)),
                    };
                }
                Ok(())
            });
        }
        for ended in tasks.join_all().await {
            ended?;
        }
        Ok((count.load(Ordering::Relaxed), start.elapsed()))
    })
}

/// Blocking sockets, a thread each, nothing but bytes.
fn bare(
    address: &str,
    connections: usize,
    time: Duration,
    users: usize,
) -> Result<(usize, Duration), Failure> {
    let start = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|thread| {
            let address = address.to_owned();
            std::thread::spawn(move || -> Result<usize, Failure> {
                let mut stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                let (mut count, mut number) = (0, thread * 97);
                let mut answer = [0; 512];
                while start.elapsed() < time {
                    number = (number + 1) % users;
                    stream.write_all(&bind(number))?;
                    let length = stream.read(&mut answer)?;
                    // 30 len 02 01 id 61 len 0a 01 CODE
                    if length < 10 || answer[9] != 0 {
                        return Err("the bind is refused".into());
                    }
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut count = 0;
    for thread in threads {
        count += thread.join().map_err(|_| "a thread has panicked")??;
    }
    Ok((count, start.elapsed()))
}

/// A bind request with the id 1; all of its lengths are short.
fn bind(number: usize) -> Vec<u8> {
    let dn = format!("uid=user{number},ou=people,dc=corp,dc=example");
    let password = format!("secret{number}");
    let short = |length: usize| u8::try_from(length).expect("a short name");
    let operation = short(3 + 2 + dn.len() + 2 + password.len());
    let mut bytes = vec![0x30, operation + 5, 2, 1, 1, 0x60, operation, 2, 1, 3];
    bytes.extend([4, short(dn.len())]);
    bytes.extend(dn.as_bytes());
    bytes.extend([0x80, short(password.len())]);
    bytes.extend(password.as_bytes());
    bytes
}

/// What this process has used so far.
fn cpu_time() -> Duration {
    // Fields 14 and 15 are ticks of a hundredth of a second, by Linux's ABI.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
