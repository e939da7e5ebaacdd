//! Many who log in at once, while the user base takes its time.

use dmail_core::UnavailableKind;

use super::*;

/// Fifty users behind one address ask at once, after some of them have
/// mistyped, and the base takes its time.
#[tokio::test(start_paused = true)]
async fn nobody_with_the_right_password_is_refused_because_the_base_is_slow() {
    for (takes, mistyped) in [(500, 0), (500, 3), (100, 10), (100, 20)] {
        let takes = Duration::from_millis(takes);
        let base = Arc::new(Base { takes, ..Base::default() });
        let throttle = Arc::new(Throttle::new(base, ThrottleConfig::default()));
        for guess in 0..mistyped {
            ask(&throttle, &format!("typo{guess}"), "wrong", "192.0.2.1").await;
        }
        let logins = (0..50).map(|user| {
            let throttle = Arc::clone(&throttle);
            let user = format!("user{user}");
            tokio::spawn(async move { ask(&throttle, &user, "right", "192.0.2.1").await.0 })
        });
        for login in logins.collect::<Vec<_>>() {
            assert_eq!(login.await.expect("no panic"), None, "{takes:?}, {mistyped} mistyped");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_base_hangs_nobody_is_told_that_his_password_is_wrong() {
    let base = Arc::new(Base { takes: Duration::from_secs(30), ..Base::default() });
    let throttle = Arc::new(Throttle::new(base, ThrottleConfig::default()));
    let logins = (0..200).map(|user| {
        let throttle = Arc::clone(&throttle);
        let request = request(&format!("user{user}"), "silence", "192.0.2.1");
        tokio::spawn(async move { throttle.authenticate(&request).await })
    });
    let start = Instant::now();
    for login in logins.collect::<Vec<_>>() {
        let error = login.await.expect("no panic").expect_err("nobody knows");
        let kinds = [UnavailableKind::Dead, UnavailableKind::Overloaded];
        assert!(kinds.contains(&error.kind), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(31));
    assert_eq!(throttle.list(), []);
}
