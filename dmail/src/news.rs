//! Changes of users, told to those who remember what the gateway of the moment
//! has answered: other gateways that ask through `dialect tcpauth`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use dmail_core::{Username, Watcher};

/// Whom to tell. It outlives the gateways that it listens to.
#[derive(Default)]
pub(crate) struct News {
    listeners: Mutex<Vec<Weak<dyn Watcher>>>,
}

impl News {
    /// Tells `listener` from now on.
    pub(crate) fn add(&self, listener: Weak<dyn Watcher>) {
        let mut listeners = self.lock();
        listeners.retain(|known| known.strong_count() > 0);
        listeners.push(listener);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn Watcher>>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for News {
    /// The gateway knows the user by the canonical name, and others may have
    /// asked by any name that is mapped to it. So all is asked again.
    fn changed(&self, _: &Username) {
        self.lost_track();
    }

    fn lost_track(&self) {
        // Not under the lock: a listener may do as it likes.
        let listeners: Vec<Arc<dyn Watcher>> =
            self.lock().iter().filter_map(Weak::upgrade).collect();
        listeners.iter().for_each(|listener| listener.lost_track());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Listener(AtomicUsize);

    impl Watcher for Listener {
        fn changed(&self, _: &Username) {
            panic!("names differ");
        }

        fn lost_track(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn every_change_has_all_asked_again_by_those_who_are_still_there() {
        let news = News::default();
        let (staying, leaving) = (Arc::new(Listener::default()), Arc::new(Listener::default()));
        let weak: Weak<Listener> = Arc::downgrade(&staying);
        news.add(weak);
        let weak: Weak<Listener> = Arc::downgrade(&leaving);
        news.add(weak);
        drop(leaving);
        news.changed(&Username::parse(b"bob").expect("a name"));
        news.lost_track();
        assert_eq!(staying.0.load(Ordering::SeqCst), 2);
    }
}
