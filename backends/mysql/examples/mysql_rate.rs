//! How many checks a second a base answers that is never asked the same twice
//! in a row, so that no cache helps.
//!
//! `mysql_rate FILE USERS CLIENTS SECONDS` opens the mysqlauth.ini FILE and
//! checks the users u1 … uUSERS, whose passwords are p1 … pUSERS.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dmail_core::{AuthRequest, Authenticator, Origin, Secret, Service, Username, Verdict};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, users, clients, seconds] = words.as_slice() else {
        return Err("usage: mysql_rate FILE USERS CLIENTS SECONDS".into());
    };
    let (users, clients): (usize, usize) = (users.parse()?, clients.parse()?);
    let time = Duration::from_secs(seconds.parse()?);
    let base = dmail_mysql::open(Path::new(file)).await?;
    let (right, wrong, failed) =
        <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let base = base.clone();
            let counts = (Arc::clone(&right), Arc::clone(&wrong), Arc::clone(&failed));
            tokio::spawn(async move {
                let mut n = client * 7919;
                while start.elapsed() < time {
                    n = (n + 1) % users;
                    let name = format!("u{}", n + 1);
                    let secret = Secret::new(format!("p{}", n + 1).into_bytes());
                    let Ok(user) = Username::parse(name.as_bytes()) else { return };
                    let request = AuthRequest::check(user, secret, Origin::local(Service::Pop3));
                    let count = match base.authenticate(&request).await {
                        Ok(Verdict::Accepted(_)) => &counts.0,
                        Ok(Verdict::Rejected(_)) => &counts.1,
                        Err(_) => &counts.2,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    let (right, wrong, failed) = (
        right.load(Ordering::Relaxed),
        wrong.load(Ordering::Relaxed),
        failed.load(Ordering::Relaxed),
    );
    let rate = right as f64 / start.elapsed().as_secs_f64();
    eprintln!("{rate:.0} checks/s ({right} right, {wrong} wrong, {failed} not answered)");
    Ok(())
}
