//! Guessers, owners, and a million attackers.

mod slow_base;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dmail_core::{Account, Origin, Secret, Service};

use super::*;

/// Accepts the password "right" and counts the questions; says nothing to
/// "silence". Takes its time.
#[derive(Default)]
struct Base {
    asked: AtomicUsize,
    takes: Duration,
}

#[async_trait]
impl Authenticator for Base {
    async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        let Purpose::Check(secret) = &request.purpose else { panic!("only checks are asked") };
        match secret.expose() {
            b"right" => Ok(Verdict::accepted(Account::named(request.user.clone()))),
            b"silence" => {
                Err(Unavailable::new(dmail_core::UnavailableKind::Dead, "as it was asked to"))
            }
            b"stale" => Ok(Verdict::Rejected(Rejection::not_verified(&request.user).of_no_guess())),
            _ => Ok(Verdict::Rejected(Rejection::not_verified(&request.user))),
        }
    }
}

pub(super) fn throttle_with(config: ThrottleConfig) -> Throttle {
    Throttle::new(Arc::new(Base::default()), config)
}

pub(super) fn throttle(refuse_after: usize) -> Throttle {
    throttle_with(ThrottleConfig { refuse_after, ..ThrottleConfig::default() })
}

pub(super) fn name(user: &str) -> Username {
    Username::parse(user.as_bytes()).expect("a name")
}

fn request(user: &str, password: &str, ip: &str) -> AuthRequest {
    let origin = Origin { client: ip.parse().ok(), ..Origin::local(Service::Pop3) };
    AuthRequest::check(name(user), Secret::new(password.as_bytes()), origin)
}

/// Asks, and returns what was said and after how many seconds.
pub(super) async fn ask(
    throttle: &Throttle,
    user: &str,
    password: &str,
    ip: &str,
) -> (Option<RejectionKind>, u64) {
    let start = Instant::now();
    let verdict = throttle.authenticate(&request(user, password, ip)).await;
    let kind = match verdict.expect("the base is there") {
        Verdict::Accepted(_) => None,
        Verdict::Rejected(rejection) => Some(rejection.kind),
    };
    (kind, start.elapsed().as_secs())
}

const WRONG: Option<RejectionKind> = Some(RejectionKind::NotVerified);
pub(super) const REFUSED: Option<RejectionKind> = Some(RejectionKind::Throttled);

#[tokio::test(start_paused = true)]
async fn what_nobody_can_have_guessed_is_refused_and_not_counted() {
    let throttle = throttle(5);
    for user in ["ann", "bob", "bob"] {
        for _ in 0..20 {
            assert_eq!(ask(&throttle, user, "stale", "192.0.2.1").await, (WRONG, 0), "{user}");
        }
        // Also where the user is known from then on.
        assert_eq!(ask(&throttle, user, "right", "192.0.2.1").await, (None, 0), "{user}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_answers_to_guesses_come_slower_and_slower() {
    let throttle = throttle(30);
    for (guess, seconds) in
        [("a", 0), ("b", 0), ("c", 0), ("d", 2), ("e", 4), ("f", 8), ("g", 15), ("h", 15)]
    {
        assert_eq!(ask(&throttle, "bob", guess, "192.0.2.1").await, (WRONG, seconds), "{guess}");
    }
    assert_eq!(ask(&throttle, "bob", "right", "192.0.2.1").await, (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_device_with_an_old_password_is_no_attack() {
    let throttle = Arc::new(throttle(5));
    for _ in 0..50 {
        assert_eq!(ask(&throttle, "bob", "old", "192.0.2.1").await, (WRONG, 0));
    }
    // Nor are fifty connections of it at once.
    let together: Vec<_> = (0..50)
        .map(|_| {
            let throttle = Arc::clone(&throttle);
            tokio::spawn(async move { ask(&throttle, "ann", "old", "192.0.2.2").await })
        })
        .collect();
    for answer in together {
        assert_eq!(answer.await.expect("no panic"), (WRONG, 0));
    }
    assert!(throttle.list().iter().all(|counted| counted.failures <= 2));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_the_source_is_not_asked_but_the_owner_gets_in() {
    let throttle = throttle(8);
    assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
    for guess in 0..8 {
        ask(&throttle, "bob", &format!("guess{guess}"), &format!("198.51.{guess}.1")).await;
    }
    // From many addresses, one user: refused even with the right password ...
    assert_eq!(ask(&throttle, "bob", "right", "192.0.2.9").await, (REFUSED, 15));
    // ... but for the owner, from where he was let in before.
    assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
    assert_eq!(ask(&throttle, "ann", "right", "192.0.2.9").await, (None, 0));
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(ask(&throttle, "bob", "right", "192.0.2.9").await, (None, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_guesses_from_the_owners_place_loses_it() {
    let throttle = throttle(8);
    assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
    for guess in 0..8 {
        let (kind, _) = ask(&throttle, "bob", &format!("guess{guess}"), "203.0.113.7").await;
        assert_eq!(kind, WRONG);
    }
    assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (REFUSED, 15));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_tries_many_users_is_refused() {
    let throttle = throttle(8);
    for user in 0..8 {
        ask(&throttle, &format!("user{user}"), "same", "2001:db8::1").await;
    }
    assert_eq!(ask(&throttle, "ann", "right", "2001:db8::2").await, (REFUSED, 15));
    assert_eq!(ask(&throttle, "ann", "right", "2001:db8:0:1::2").await, (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_tries_many_users_from_many_addresses_is_refused() {
    let throttle = throttle(8);
    for (net, other) in [("198.51.100", "198.51.101"), ("2001:db8:1", "2001:db8:2")] {
        let host = |net: &str, n: usize| match net.contains(':') {
            true => format!("{net}:{n}::1"),
            false => format!("{net}.{n}"),
        };
        for guess in 0..32 {
            let user = format!("user{guess}{}", net.len());
            let (kind, _) = ask(&throttle, &user, "same", &host(net, guess)).await;
            assert_eq!(kind, WRONG, "{net} {guess}");
        }
        assert_eq!(ask(&throttle, "ann", "right", &host(net, 99)).await.0, REFUSED);
        assert_eq!(ask(&throttle, "ann", "right", &host(other, 99)).await.0, None);
    }
}

#[tokio::test(start_paused = true)]
async fn each_user_tried_with_his_own_name_as_password_is_a_guess() {
    let throttle = throttle(8);
    for user in 0..8 {
        let name = format!("user{user}");
        ask(&throttle, &name, &name, "192.0.2.1").await;
    }
    assert_eq!(ask(&throttle, "ann", "right", "192.0.2.1").await, (REFUSED, 15));
}

#[tokio::test(start_paused = true)]
async fn excepted_clients_are_not_counted() {
    let except: ClientFilter = Arc::new(|ip| ip.is_loopback());
    let config = ThrottleConfig { except, refuse_after: 4, ..ThrottleConfig::default() };
    let throttle = throttle_with(config);
    for guess in 0..20 {
        for client in ["127.0.0.1", "::ffff:127.0.0.1"] {
            assert_eq!(ask(&throttle, "bob", &guess.to_string(), client).await, (WRONG, 0));
        }
    }
    assert_eq!(throttle.list(), []);
}

#[tokio::test(start_paused = true)]
async fn a_trusted_host_is_not_blamed_for_its_users() {
    let trust: ClientFilter = Arc::new(|ip| ip.to_string() == "192.0.2.20");
    let throttle =
        throttle_with(ThrottleConfig { trust, refuse_after: 4, ..ThrottleConfig::default() });
    for user in 0..40 {
        let answer = ask(&throttle, &format!("user{user}"), "same", "192.0.2.20").await;
        assert_eq!(answer, (WRONG, 0));
    }
    assert_eq!(ask(&throttle, "ann", "right", "192.0.2.20").await, (None, 0));
    for guess in 0..4 {
        ask(&throttle, "bob", &guess.to_string(), "192.0.2.20").await;
    }
    assert_eq!(ask(&throttle, "bob", "right", "192.0.2.20").await, (REFUSED, 15));
}

#[tokio::test(start_paused = true)]
async fn parallel_guesses_do_not_get_past_the_limit() {
    let base = Arc::new(Base { takes: Duration::from_millis(50), ..Base::default() });
    let config =
        ThrottleConfig { refuse_after: 10, longest_delay: Duration::ZERO, ..Default::default() };
    let throttle = Arc::new(Throttle::new(Arc::clone(&base) as Arc<dyn Authenticator>, config));
    let asking: Vec<_> = (0..500)
        .map(|guess| {
            let throttle = Arc::clone(&throttle);
            let ip = format!("198.{}.{}.1", guess / 250, guess % 250);
            tokio::spawn(async move { ask(&throttle, "bob", &format!("{guess}"), &ip).await.0 })
        })
        .collect();
    let mut refused = 0;
    for answer in asking {
        refused += usize::from(answer.await.expect("no panic") == REFUSED);
    }
    assert_eq!((base.asked.load(Ordering::SeqCst), refused), (10, 490));
}

/// The same on several threads, so that guesses meet in the middle of counting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn guesses_of_several_threads_do_not_get_past_the_limit() {
    for _ in 0..20 {
        let base = Arc::new(Base { takes: Duration::from_millis(1), ..Base::default() });
        let config =
            ThrottleConfig { refuse_after: 5, longest_delay: Duration::ZERO, ..Default::default() };
        let throttle = Arc::new(Throttle::new(Arc::clone(&base) as Arc<dyn Authenticator>, config));
        let asking: Vec<_> = (0..100)
            .map(|guess| {
                let throttle = Arc::clone(&throttle);
                tokio::spawn(async move {
                    ask(&throttle, "bob", &format!("{guess}"), "192.0.2.1").await.0
                })
            })
            .collect();
        for answer in asking {
            assert!(answer.await.expect("no panic").is_some());
        }
        let asked = base.asked.load(Ordering::SeqCst);
        assert!(asked <= 5, "{asked} were asked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_has_guessed_and_one_that_was_not_answered_has_not() {
    let base = Arc::new(Base { takes: Duration::from_secs(5), ..Base::default() });
    let config = ThrottleConfig { refuse_after: 4, ..Default::default() };
    let throttle = Throttle::new(Arc::clone(&base) as Arc<dyn Authenticator>, config);
    for guess in 0..4 {
        let request = request("bob", &format!("silence{guess}"), "192.0.2.1");
        let asking = throttle.authenticate(&request);
        let _ = tokio::time::timeout(Duration::from_secs(1), asking).await.expect_err("gone");
    }
    assert_eq!(ask(&throttle, "bob", "right", "192.0.2.2").await.0, REFUSED);
    for _ in 0..20 {
        let silence = throttle.authenticate(&request("ann", "silence", "192.0.2.3")).await;
        assert!(silence.is_err());
    }
    assert_eq!(ask(&throttle, "ann", "right", "192.0.2.3").await.0, None);
}

/// Guesses over `connections` connections at once for `minutes`, each with a
/// password of its own, and returns the most answers within any one minute
/// after the first one of three.
async fn most_answers_a_minute(connections: usize, from_one_address: bool, minutes: u64) -> usize {
    let throttle = Arc::new(throttle_with(ThrottleConfig::default()));
    let start = Instant::now();
    let end = start + Duration::from_secs(60 * minutes);
    let guessers: Vec<_> = (0..connections)
        .map(|connection| {
            let throttle = Arc::clone(&throttle);
            let (user, ip) = match from_one_address {
                true => (format!("user{connection}"), "192.0.2.1".to_owned()),
                false => {
                    ("bob".to_owned(), format!("10.{}.{}.1", connection / 250, connection % 250))
                }
            };
            tokio::spawn(async move {
                let mut answered = Vec::new();
                let mut guess = 0;
                while Instant::now() < end {
                    guess += 1;
                    let password = format!("{connection} {guess}");
                    if ask(&throttle, &user, &password, &ip).await.0 == WRONG {
                        answered.push(start.elapsed().as_secs_f64());
                    }
                }
                answered
            })
        })
        .collect();
    let mut answered = Vec::new();
    for guesser in guessers {
        answered.extend(guesser.await.expect("no panic"));
    }
    answered.sort_by(f64::total_cmp);
    let answered = &answered[3..];
    let within = |from: f64| answered.iter().filter(|at| (from..from + 60.0).contains(at)).count();
    answered.iter().map(|at| within(*at)).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn an_address_gets_ten_guesses_a_minute_answered_and_a_user_sixty() {
    for connections in [1, 10, 100] {
        let address = most_answers_a_minute(connections, true, 20).await;
        assert!(address <= 10, "{address} a minute from one address, {connections} connections");
    }
    for connections in [1, 30, 1000] {
        let user = most_answers_a_minute(connections, false, 20).await;
        assert!(user <= 60, "{user} a minute for one user, {connections} addresses");
    }
}

/// Three hundred addresses guess the password of one user for twenty minutes;
/// a program of his asks every minute from where he always is.
#[tokio::test(start_paused = true)]
async fn the_owner_always_gets_in_while_hundreds_guess() {
    let throttle = Arc::new(throttle_with(ThrottleConfig::default()));
    assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
    let end = Instant::now() + Duration::from_secs(20 * 60);
    for guesser in 0..300 {
        let throttle = Arc::clone(&throttle);
        tokio::spawn(async move {
            let ip = format!("10.{}.{}.1", guesser / 250, guesser % 250);
            for guess in 0.. {
                ask(&throttle, "bob", &format!("{guesser} {guess}"), &ip).await;
            }
        });
    }
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(ask(&throttle, "bob", "right", "203.0.113.7").await, (None, 0));
        assert_eq!(ask(&throttle, "bob", "right", "203.0.113.8").await.0, REFUSED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guesser_learns_nothing_from_the_time() {
    // The base takes 3 ms for this one and 40 ms for that one.
    struct Uneven;
    #[async_trait]
    impl Authenticator for Uneven {
        async fn authenticate(&self, request: &AuthRequest) -> Result<Verdict, Unavailable> {
            let quick = request.user.as_str() == "quick";
            tokio::time::sleep(Duration::from_millis(if quick { 3 } else { 40 })).await;
            Ok(Verdict::Rejected(Rejection::not_verified(&request.user)))
        }
    }
    let config = ThrottleConfig {
        longest_delay: Duration::ZERO,
        refuse_after: 3,
        ..ThrottleConfig::default()
    };
    let throttle = Throttle::new(Arc::new(Uneven), config);
    let mut times = Vec::new();
    for (user, guess) in
        [("slow", "1"), ("quick", "1"), ("quick", "2"), ("quick", "3"), ("quick", "refused")]
    {
        let start = Instant::now();
        let verdict = throttle.authenticate(&request(user, guess, "")).await.expect("a no");
        let Verdict::Rejected(rejection) = verdict else { panic!("a no") };
        times.push((start.elapsed().as_millis(), rejection.text.replace(user, "")));
    }
    assert!(times.iter().all(|time| *time == times[0]), "{times:?}");
}

/// A million attackers with an address and a user each, of both families: the
/// tables stay as large as they are, and the one who guessed much is not
/// forgotten for them.
#[tokio::test(start_paused = true)]
async fn a_million_attackers_do_not_fill_the_memory() {
    let throttle = throttle(30);
    for guess in 0..30 {
        ask(&throttle, "bob", &guess.to_string(), &format!("198.51.{guess}.1")).await;
    }
    for attacker in 0..1_000_000_u32 {
        let client = match attacker % 2 {
            0 => IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + attacker * 16)),
            _ => {
                IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + (u128::from(attacker) << 72)))
            }
        };
        let places = throttle.config.places(Some(client));
        let user = name(&format!("user{attacker}"));
        let made = Reservation::make(&throttle, &user, &places, u64::from(attacker));
        if let Ok(reservation) = made {
            reservation.settle(Answer::Wrong);
        }
    }
    let sizes = [throttle.users.len(), throttle.addresses.len(), throttle.networks.len()];
    assert!(sizes.iter().all(|size| *size <= REMEMBERED), "{sizes:?}");
    assert_eq!(ask(&throttle, "bob", "right", "203.0.113.1").await.0, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_is_listed_and_can_be_forgotten() {
    let throttle = throttle(4);
    for guess in 0..4 {
        ask(&throttle, "bob", &guess.to_string(), "192.0.2.1").await;
    }
    ask(&throttle, "ann", "x", "2001:db8::1").await;
    let shown = |throttle: &Throttle| -> Vec<String> {
        let line = |counted: &Counted| {
            let Counted { subject, failures, .. } = counted;
            let refused = if counted.is_refused() { " refused" } else { "" };
            format!("{} {subject} {failures}{refused}", subject.scope())
        };
        throttle.list().iter().map(line).collect()
    };
    assert_eq!(
        shown(&throttle),
        [
            "network 192.0.2.0/24 4",
            "address 192.0.2.1 4 refused",
            "user bob 4 refused",
            "network 2001:db8::/48 1",
            "address 2001:db8::/64 1",
            "user ann 1",
        ]
    );
    assert!(throttle.list()[1].forgotten_in > Duration::from_secs(590));
    assert_eq!(throttle.clear(&Target::User(name("bob"))), 1);
    assert_eq!(throttle.clear(&Target::User(name("bob"))), 0);
    assert_eq!(ask(&throttle, "bob", "right", "198.51.100.1").await.0, None);
    assert_eq!(ask(&throttle, "eve", "right", "192.0.2.1").await.0, REFUSED);
    assert_eq!(throttle.clear(&Target::Network("192.0.2.0/28".parse().expect("a network"))), 2);
    assert_eq!(ask(&throttle, "eve", "right", "192.0.2.1").await.0, None);
    assert_eq!(throttle.clear(&Target::All), 3);
    assert_eq!(throttle.list(), []);
}
