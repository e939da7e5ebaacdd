//! Changes that a member hears of, under the names of the chain.

use std::sync::Weak;

use dmail_core::{Username, Watcher};

use super::affix::Affix;

/// Tells the watcher of the chain what the source of one member tells.
pub(super) struct Relay {
    pub(super) affix: Affix,
    pub(super) watcher: Weak<dyn Watcher>,
}

impl Watcher for Relay {
    fn changed(&self, user: &Username) {
        let Some(watcher) = self.watcher.upgrade() else { return };
        // The chain may ask with the part that is taken off, or without.
        watcher.changed(user);
        if let Some(full) = self.affix.restore(user).filter(|full| full != user) {
            watcher.changed(&full);
        }
    }

    fn lost_track(&self) {
        if let Some(watcher) = self.watcher.upgrade() {
            watcher.lost_track();
        }
    }
}
