//! The instants at which a crash must leave the mailbox in order.
//!
//! Code that changes files in several steps says so after each. In tests a
//! child process can be told to die at any one of them.

/// Says that a step was taken. Does nothing, except in tests.
#[cfg(not(test))]
pub(crate) fn taken() {}

#[cfg(test)]
pub(crate) use crash::taken;

#[cfg(test)]
pub(crate) mod crash {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    /// The variable that says after how many steps the process is to die.
    pub(crate) const VARIABLE: &str = "MAILBOX_CRASH_AFTER";

    static LAST: LazyLock<Option<u64>> =
        LazyLock::new(|| std::env::var(VARIABLE).ok()?.parse().ok());
    static TAKEN: AtomicU64 = AtomicU64::new(0);

    /// Counts the step, and dies without any farewell if it was the last one.
    pub(crate) fn taken() {
        let count = TAKEN.fetch_add(1, Ordering::Relaxed) + 1;
        if *LAST == Some(count) {
            kill(Pid::this(), Signal::SIGKILL).expect("our own process");
            loop {
                std::thread::park();
            }
        }
    }
}
